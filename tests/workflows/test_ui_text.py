"""What an operator reads in the Temporal UI and on a terminal cannot be written by whoever sends a signal."""

import re
from datetime import date

import pytest

from dunwell.commands.output import print_table, say, warn
from dunwell.domain.agreements import Promise
from dunwell.domain.timeline import Entry
from tests.builders import an_invoice
from tests.domain.test_case import NOW, STANDINGS, a_case
from tests.workflows.harness import CaseHarness
from workflows import options
from workflows.ui_text import details, plain, summary

BAIT = "\x1b[2J\u202e**bold** [pay here](https://evil.example) <b>x</b> | `code`\n# Head\u200b \x9b31m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("INV-1: 12.00 EUR (why?)", "INV-1: 12.00 EUR (why?)"),
        ("**bold**", r"\*\*bold\*\*"),
        ("[a](b)", r"\[a\](b)"),
        ("<img src=x>", r"\<img src=x\>"),
        ("a\n- b\n# c", r"a - b \# c"),
        ("\x1b[31mred", r"\[31mred"),
        ("a\u202eb\u200bc", "abc"),
        ("a|b`c`_d_~e~", r"a\|b\`c\`\_d\_\~e\~"),
    ],
)
def test_f3_text_from_outside_is_no_markdown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_f3_details_and_summary_show_bait_as_it_is() -> None:
    case = a_case()
    case.agreements.promises = [Promise(date=date(2027, 3, 5), amount=case.money.amount, promised_by=BAIT)]
    page = details(case, [Entry(key="k", at=NOW, kind="refused", reason=f"{BAIT}: there is no signal of this name")])
    line = summary(case, BAIT)
    for shown in (page, line):
        assert not re.search(r"(?<!\\)(\[pay here\]|<b>|`code`)", shown)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", shown)
    assert "|---|" not in page  # the UI shows a table's columns run together
    assert len(line) <= 200


def test_details_say_what_a_case_rests_for() -> None:
    page = details(STANDINGS["lifted"](), [])
    assert "Grace until 2027-03-12, by agent-7; then it is restricted again" in page
    assert "They asked for a call: inv-1.call-asked.1" in details(STANDINGS["calling"](), [])
    page = details(STANDINGS["replied"](), [])
    assert "A reply of 2027-03-10 waits for a person; nothing is sent meanwhile" in page


def test_f3_nothing_from_outside_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"refused: {BAIT}")
    warn(f"refused: {BAIT}")
    print_table(["who"], [[BAIT]])
    printed = capsys.readouterr()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", printed.out + printed.err)
    assert "pay here" in printed.out


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_e12_the_search_attributes_are_exact_after_every_step(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    steps = []
    for days in (1, 10, 10, 7):
        await harness.pass_time(days=days, hours=1)
        action = (await harness.status()).next_action
        assert action is not None
        found = (await harness.case.describe()).typed_search_attributes
        assert (found[options.STEP], found[options.NEXT_ACTION_AT]) == (action.step, action.at)
        steps.append(action.step)
    assert steps == ["first-reminder", "second-reminder", "second-reminder", "last-letter"]

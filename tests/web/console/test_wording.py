"""Reasons in the console's words: no command, and no option of one."""

import pytest

from dunwell.web.console.formats import local_times
from dunwell.web.console.forms import code_typed
from dunwell.web.console.wording import in_console


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'x' is not known; `starter.py list` shows all", "'x' is not known"),
        ("To mend it, rename the columns, or say what they hold with --map, such as --map 'No=number'", "below"),
        ("no other date tells: say --dialect day-first or --dialect month-first", "say day-first or month-first in"),
        (
            "take it back: `starter.py reverse-payment INV-1 'p 1' --reason wrong`. Then",
            "“Reverse a payment” on the page",
        ),
        (
            "book it with starter.py pay INV-1 AMOUNT --payment-id ID. Close this",
            "on the page of the case. Close this",
        ),
        ("Go on with starter.py resume --customer acme, or wait", "Go on with “Resume”, or wait"),
        ("is none of OFX; choose the layout of its bank (--layout)", "choose the layout of its bank"),
    ],
)
def test_the_console_names_its_own_forms_and_fields(text: str, said: str) -> None:
    found = in_console(text)
    assert said in found and "starter.py" not in found and "--" not in found


def test_times_in_reasons_are_the_customers() -> None:
    said = local_times("asks to be called at 2026-11-30 08:00 UTC", "Europe/Berlin")
    assert said == "asks to be called at Mon 30 Nov 2026, 09:00"


def test_spaces_in_a_code_become_hyphens() -> None:
    assert code_typed(" bank  interest ") == "bank-interest"

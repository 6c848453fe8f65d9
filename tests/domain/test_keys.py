"""Keys of steps are written and read in one place."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.channels import Channel
from dunwell.domain.events import CallOutcome
from dunwell.domain.keys import AccessChangeId, ContactId, HoldId, MessageKey, StepId, StepKey, TaskId, anew
from dunwell.domain.terms import Level, Role


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("restrict", StepKey(step="restrict")),
        ("restrict.round2", StepKey(step="restrict", round=2)),
        ("restrict.again1", StepKey(step="restrict", again=1)),
        ("restrict.round3.again2.copy", StepKey(step="restrict", round=3, again=2, copied=True)),
        ("restrict.copy", StepKey(step="restrict", copied=True)),
        ("thank-you~3", StepKey(step="thank-you~3")),
        ("promise-due~2027-03-19", StepKey(step="promise-due~2027-03-19")),
    ],
)
def test_c2_a_key_reads_as_it_is_written(text: str, key: StepKey) -> None:
    assert StepKey.parse(text) == key
    assert str(key) == text


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)
OCCASIONS = st.one_of(st.integers(1, 999).map(str), st.dates().map(str))
STEP_IDS = st.one_of(
    st.builds(StepId, name=NAMES),
    st.builds(StepId, name=NAMES, occasion=OCCASIONS),
    st.builds(StepId, name=NAMES, agreed=st.just(True)),
)
NUMBERS = st.integers(1, 10_000)
IDS = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)
"""Of invoices and customers: they may hold points themselves."""


@given(STEP_IDS)
def test_a_step_id_of_any_parts_reads_as_it_is_written(step: StepId) -> None:
    assert StepId.parse(str(step)) == step
    assert (step.message is not None) == (step.occasion is not None)


@given(st.builds(StepKey, step=STEP_IDS.map(str), round=NUMBERS, again=st.integers(0, 99), copied=st.booleans()))
def test_a_step_key_of_any_parts_reads_as_it_is_written(key: StepKey) -> None:
    assert StepKey.parse(str(key)) == key
    assert key.of_copies().of_original() == key.of_original()
    assert str(key.of_copies()) == f"{key.of_original()}.copy"


@given(IDS, st.sampled_from(Level), NUMBERS)
def test_a_hold_id_of_any_parts_reads_as_it_is_written(invoice_id: str, level: Level, number: int) -> None:
    hold = HoldId(invoice_id=invoice_id, level=level, number=number)
    assert HoldId.parse(str(hold)) == hold


@given(IDS, NUMBERS, st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1999))
def test_the_id_of_a_change_of_access_reads_as_it_is_written(customer_id: str, number: int, at: datetime) -> None:
    change = AccessChangeId(customer_id=customer_id, number=number, at=at.replace(microsecond=0))
    assert AccessChangeId.parse(str(change)) == change


@given(IDS, st.sampled_from(Role), NUMBERS)
def test_a_contact_id_of_any_parts_reads_as_it_is_written(customer_id: str, role: Role, number: int) -> None:
    contact = ContactId(customer_id=customer_id, role=role.value, number=str(number))
    assert ContactId.parse(str(contact)) == contact
    assert ContactId.parse(str(contact)).count == number


def test_a_contact_id_of_another_form_is_a_number_of_nobody() -> None:
    assert ContactId.parse("K42") == ContactId(customer_id="", role="", number="K42")
    assert (str(ContactId.parse("K42")), ContactId.parse("K42").count) == ("K42", 0)


@given(IDS, st.lists(st.text(min_size=1, max_size=100), min_size=1, max_size=3), NUMBERS)
def test_a_task_id_of_any_parts_is_one_that_a_person_may_name(about: str, topic: list[str], attempt: int) -> None:
    task = TaskId.of(about, *topic)
    CallOutcome.model_validate({"task_id": str(task), "outcome": "done", "by": "agent-7"})
    assert task.is_of(about, topic[0]) or "-" in task.name  # what no id may hold was replaced
    tried = TaskId(name=task.name, attempt=attempt)
    assert str(TaskId.parse(str(tried))) == str(tried)
    assert TaskId.parse(str(tried.next())) == tried.next()


def test_two_payments_are_two_tasks_whatever_their_ids_are_written_with() -> None:
    one, other = (str(TaskId.of("inv-1", "payment", name)) for name in ("RF/18", "RF 18"))
    assert one != other
    assert one.startswith("inv-1.payment.RF-18-")


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (
            TaskId.of("INV-1", StepKey(step="last", round=2), "user", "2", "visit"),
            "INV-1.last.round2.user.2.visit",
        ),
        (TaskId.of("INV-1", "restrict", "approve" + anew(1, 3)), "INV-1.restrict.approve1.round3"),
        (TaskId.of("INV-1", "@access", "stuck" + anew(0, 1)), "INV-1.~access.stuck"),
        (TaskId.of("INV-1", "final", "user").next().next(), "INV-1.final.user~3"),
        (TaskId.of("INV-1", "interrupted", 7), "INV-1.interrupted.7"),
    ],
)
def test_task_ids_are_written_as_they_are_stored(task: TaskId, text: str) -> None:
    assert str(task) == text
    assert TaskId.parse(text) == task


def test_a_message_has_the_id_it_always_had() -> None:
    ours, step = UUID("6b2d8f3e-5f0a-4f5e-9a53-0d0a6c1e7b11"), StepKey(step="restrict", round=2)
    key = MessageKey(invoice_id="INV-1", step=step, contact_id="acme.user.1", channel=Channel.SMS)
    assert key.message_id == uuid5(ours, "INV-1/restrict.round2/acme.user.1/sms").hex
    again = key.model_copy(update={"address_key": "+1555"})
    assert again.message_id == uuid5(ours, "INV-1/restrict.round2/+1555/acme.user.1/sms").hex


# Nowhere else ------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("dunwell", "activities", "workflows")
MARKS = {"~", "@", ".copy", ".round", ".again", "@promise", "@instalment", "@pause", "@look", "@access"}
KEYS = re.compile(r"(task|hold|message|change|contact)_id|step|key")
CUTTERS = {"partition", "rpartition", "split", "rsplit", "removesuffix", "removeprefix", "startswith", "endswith"} | {
    "strip", "lstrip", "rstrip", "replace"
}  # fmt: skip


def _modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from (path for path in sorted((ROOT / room).rglob("*.py")) if path.name != "keys.py")


def _takes_keys_apart(source: str) -> Iterator[tuple[int, str]]:
    """Where a module takes a key apart by a mark of it, or writes one. Lines and what stands there."""
    for node in ast.walk(ast.parse(source)):
        text = ast.unparse(node) if isinstance(node, ast.Call | ast.Compare | ast.JoinedStr | ast.BinOp) else ""
        match node:
            case ast.Call(func=ast.Attribute(value=cut, attr=name), args=[ast.Constant(value=str(mark)), *_]):
                own = mark in MARKS or (mark == "." and re.search(rf"(?:{KEYS.pattern})\b", ast.unparse(cut)))
                if name in CUTTERS and own:
                    yield node.lineno, text
            case ast.Compare(left=ast.Constant(value=str(mark)), ops=[ast.In() | ast.NotIn()]) if mark in MARKS:
                yield node.lineno, text
            case ast.BinOp(op=ast.Add(), right=ast.Constant(value=str(mark))) if mark in MARKS:
                yield node.lineno, text
            case ast.JoinedStr(values=values):
                for before, after in pairwise(values):
                    match before, after:
                        case ast.FormattedValue(), ast.Constant(value=str(mark)) if mark.startswith("~") or any(
                            mark.startswith(one) for one in (".copy", ".round", ".again")
                        ):
                            yield node.lineno, text
            case (
                ast.keyword(arg=str(name), value=ast.JoinedStr())
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.JoinedStr())
            ) if name.endswith(("task_id", "hold_id", "message_id", "change_id", "contact_id")):
                yield node.value.lineno, ast.unparse(node.value)


ADDRESSES = {
    "dunwell/intake/address_checks.py": "an e-mail address",
    "dunwell/gateways/mime.py": "an e-mail address",
    "dunwell/gateways/sendgrid/client.py": "an e-mail address",
    "dunwell/gateways/sendgrid/webhook.py": "an e-mail address",
    "dunwell/intake/mail_kind.py": "an e-mail address",
    "dunwell/intake/quotations.py": "an e-mail address",
    "dunwell/intake/sender_verdicts.py": "an e-mail address",
    "dunwell/services/mail_headers.py": "an e-mail address",
    "dunwell/services/mail_reading.py": "an e-mail address",
    "dunwell/services/users.py": "an e-mail address",
    "dunwell/services/webhook_subscriptions.py": "a web address",
    "dunwell/settings.py": "the domain of e-mail addresses",
    "dunwell/texts/masked_addresses.py": "an e-mail address",
}
"""Modules that look for the sign in another kind of text."""


def test_keys_are_written_and_read_in_one_module() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in _modules()
        for line, text in _takes_keys_apart(path.read_text(encoding="utf-8"))
        if str(path.relative_to(ROOT)) not in ADDRESSES
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'message = step.partition("~")[0]',
        'if "~" in step: pass',
        'number = contact.contact_id.rpartition(".")[2]',
        'day = step.startswith("@")',
        'key = key + ".copy"',
        'own = name.removesuffix(".copy")',
        'key = f"{step}.round{number}"',
        'step = f"{message}~{number}"',
        'task_id = f"{case.invoice_id}.{step}.stuck"',
        'raise_task(task_id=f"{invoice_id}.credit")',
    ],
)
def test_a_module_that_takes_a_key_apart_is_found(source: str) -> None:
    assert list(_takes_keys_apart(source))

"""The checker of what clerks do at the pages of customers: a good run passes, each copy with one fault is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import the_ladders
from tests.chaos import audit
from tests.chaos.checker import RULES
from tests.chaos.records import Records
from tests.chaos.test_checker import _log_line, _message, _sql

_ONCE, _ALONE, _CREDIT = "G3 a customer's form once", "G5 left alone", "G10 credit once"
_AT = "'2027-03-01 09:00:00'"


def _invoice(name: str, state: str) -> list[str]:
    ladder = the_ladders()["gentle-saas"]
    return [
        "INSERT INTO invoices(invoice_id, number, customer_id, amount, currency, digits, issued_on, due_on,"
        f" policy_name, policy_version) VALUES ('{name}', 'N', 'c1', '1200.00', 'EUR', 2, '2027-02-01', '2027-03-01',"
        f" 'gentle-saas', {ladder.version})",
        "INSERT INTO cases(invoice_id, customer_id, stage, rehearsal, revision, state, updated_at)"
        f" VALUES ('{name}', 'c1', 'chasing', 1, 1, '{state}', {_AT})",
    ]


def _pauses(until: str = "NULL") -> str:
    return f"INSERT INTO customer_pauses VALUES ('c1', 'holiday', 'user-a', {until}, {_AT})"


def _closes(how: str) -> str:
    return f"UPDATE contacts SET closed_at={how} WHERE contact_id='c1.ap'"


def _told(number: int, action: str) -> str:
    return (
        "INSERT INTO audit(object, number, key, at, kind, principal, action, details, prev, hash)"
        f" VALUES ('customer/c1', {number}, 'k{number}', {_AT}, 'person', 'user-a', '{action}', '{{}}', '', '')"
    )


def _submitted(form_id: str) -> str:
    return f"INSERT INTO submissions VALUES ('user-a', '{form_id}', 'd', {_AT})"


def _line(form_id: str, action: str, outcome: str, kind: str = "customers", **more: object) -> str:
    about = {"customers": "c1", "contacts": "c1.ap", "credits": "inv-1"}[kind]
    facts = {"form_id": form_id, "clerk": "user-a", "kind": kind, "about": about, "action": action}
    times = {"sent_at": "2098-01-01T00:00:00+00:00", "at": "2098-01-01T00:00:05+00:00"}
    return json.dumps(facts | times | {"outcome": outcome, "typed": more}) + "\n"


_GOOD = (
    "INSERT INTO customers(customer_id, name, country, time_zone, language)"
    " VALUES ('c1', 'Acme', 'DE', 'Europe/Berlin', 'en')",
    "INSERT INTO contacts(contact_id, customer_id, role, position, name)"
    " VALUES ('c1.ap', 'c1', 'accounts_payable', 0, 'A')",
    *_invoice("inv-1", '{"given": "40.00"}'),
    *_invoice("inv-2", '{"given": "0.00"}'),
    *_message("before", "first-reminder", "2027-03-02"),
    _pauses(),
    _told(1, "pause"),
    _submitted("f1"),
    "DELETE FROM customer_pauses",
    _told(2, "resume"),
    _submitted("f2"),
    _closes(_AT),
    _submitted("f3"),
    _closes("NULL"),
    *_message("after", "second-reminder", "2027-03-16"),
    "INSERT INTO requests(principal, invoice_id, key, request_id, event, first_at)"
    f" VALUES ('user-a', 'inv-2', 'f4', 'r1', 'credit_applied', {_AT})",
    f"INSERT INTO credit_uses VALUES ('credit-1', 'inv-1', 'inv-2', '40.00', 'EUR', 'user-a', {_AT})",
    "INSERT INTO payments(invoice_id, payment_id, amount, currency, received_at)"
    f" VALUES ('inv-2', 'credit-1', '40.00', 'EUR', {_AT})",
)
_FORMS = (
    _line("f1", "pause", "changed"),
    _line("f2", "resume", "untold"),
    _line("f3", "close", "changed", "contacts"),
    _line("f4", "apply", "credit", "credits", to_invoice="inv-2"),
    _line("f5", "resume", "refused"),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accounts")
    database = Database(f"sqlite:///{folder}/dunwell.sqlite")
    migrate(database)
    audit.watch(database)
    database.close()
    ladder = the_ladders()["gentle-saas"]
    body = ladder.model_dump_json().replace("'", "''")
    _sql(folder, f"INSERT INTO policies VALUES ('gentle-saas', {ladder.version}, 'd', '{body}')", *_GOOD)
    (folder / "accounts.jsonl").write_text("".join(_FORMS))
    (folder / "providers.jsonl").write_text(_log_line("before") + _log_line("after"))
    return folder


def _found(folder: Path, guarantee: str) -> list[str]:
    return list(RULES[guarantee](Records(folder)))


@pytest.mark.parametrize("guarantee", [_ONCE, _ALONE, _CREDIT])
def test_a_good_run_passes(good: Path, guarantee: str) -> None:
    assert _found(good, guarantee) == []


def _done(*statements: str) -> Callable[[Path], None]:
    return lambda folder: _sql(folder, *statements)


def _sent(line: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / "accounts.jsonl").open("a") as file:
            file.write(line)

    return edit


def _written(*before: str, day: str = "2027-04-06") -> Callable[[Path], None]:
    """A message leaves after that."""

    def edit(folder: Path) -> None:
        _sql(folder, *before, *_message("m9", "last-letter", day))
        with (folder / "providers.jsonl").open("a") as file:
            file.write(_log_line("m9"))

    return edit


_HOLD = f"INSERT INTO holds VALUES ('h1', 'c1', 'inv-1', 'restricted', 'r', {_AT}, NULL, NULL)"
_CALL = (
    "INSERT INTO tasks(task_id, invoice_id, step, kind, due_at, reason, script, state, attempt)"
    f" VALUES ('t1', 'inv-1', 'last-letter', 'call', {_AT}, 'r', '', 'open', 1)"
)


@pytest.mark.parametrize(
    ("guarantee", "said", "edit"),
    [
        (_ONCE, "close of user-a", _done("DELETE FROM submissions WHERE form_id='f3'")),
        (_ONCE, "was confirmed, and is not kept", _done("DELETE FROM requests")),
        (_ONCE, "was refused, and is kept", _done(_submitted("f5"))),
        (_ONCE, "was answered changed, then refused", _sent(_line("f6", "pause", "changed, then refused"))),
        (_ONCE, "c1: user-a sent 1 forms pause, the audit has 2", _done(_told(3, "pause"))),
        (_ONCE, "c1: user-a sent 1 forms resume, the audit has 0", _done("DELETE FROM audit WHERE number=2")),
        (_ALONE, "message m9 (last-letter) went to c1.ap, closed", _written(_closes(_AT))),
        (_ALONE, "message m9 (last-letter) went to c1, who rests", _written(_pauses())),
        (_ALONE, "message m9 (last-letter) went to c1, who rests", _written(_pauses("'2027-04-07'"))),
        (_ALONE, "hold h1 was placed of c1, who rests", _done(_pauses(), _HOLD)),
        (_ALONE, "task t1 was asked for of c1, who rests", _done(_pauses(), _CALL)),
        (
            _CREDIT,
            "40.00 of the credit of inv-1 went to inv-2: 4.00 came",
            _done("UPDATE payments SET amount='4.00'"),
        ),
        (_CREDIT, "inv-1 says that 40.00 of its credit went to others, it was 0", _done("DELETE FROM credit_uses")),
        (_CREDIT, "and no credit went from inv-1 to inv-2", _done("DELETE FROM credit_uses")),
        (
            _CREDIT,
            "credit of inv-1 was applied to inv-2 2 times, 1 forms said so",
            _done(f"INSERT INTO credit_uses VALUES ('c-2', 'inv-1', 'inv-2', '1.00', 'EUR', 'user-a', {_AT})"),
        ),
    ],
)
def test_each_fault_is_named(guarantee: str, said: str, edit: Callable[[Path], None], copy: Path) -> None:
    edit(copy)
    found = _found(copy, guarantee)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    "edit",
    [
        _written(_pauses("'2027-04-06'")),  # it ends at the start of that day
        _written(_closes(_AT), _closes("NULL")),
        _done("UPDATE cases SET stage='paid'", _pauses(), *_message("m9", "thanks", "2027-04-06")),
    ],
)
def test_what_may_be_sent(edit: Callable[[Path], None], copy: Path) -> None:
    edit(copy)
    _sql(copy, "UPDATE messages SET asks=0 WHERE message='thanks'")
    with (copy / "providers.jsonl").open("a") as file:
        file.write(_log_line("m9"))
    assert _found(copy, _ALONE) == []


def test_whoever_was_closed_in_the_time_that_a_restore_took_away_is_open_after_it(copy: Path) -> None:
    """Until the case that knows of it closes the contact again."""
    _sql(copy, "INSERT INTO chaos_audit(kind, at) VALUES ('copied', '2097-01-01 00:00:00')", _closes(_AT))
    shutil.copy(copy / "dunwell.sqlite", copy / "replaced.sqlite")
    _sql(copy, "INSERT INTO chaos_audit(kind, at) VALUES ('restored', '2097-01-02 00:00:00')")
    _written()(copy)
    assert _found(copy, _ALONE) == []
    _sql(copy, _closes("NULL"), _closes(_AT), *_message("m10", "hand-over", "2027-04-20"))
    with (copy / "providers.jsonl").open("a") as file:
        file.write(_log_line("m10"))
    (line,) = _found(copy, _ALONE)
    assert "message m10" in line


def test_a_form_that_was_sent_again_after_a_restore_may_be_refused(copy: Path) -> None:
    """The older copy does not know the customer's pause that the first sending ended."""
    _sql(copy, "INSERT INTO chaos_audit(kind, at) VALUES ('copied', '2097-12-31 23:00:00')")
    shutil.copy(copy / "dunwell.sqlite", copy / "replaced.sqlite")
    _sql(copy, "INSERT INTO chaos_audit(kind, at) VALUES ('restored', '2098-01-01 00:00:03')")
    _sent(_line("f6", "close", "changed, then refused", "contacts"))(copy)
    assert _found(copy, _ONCE) == []

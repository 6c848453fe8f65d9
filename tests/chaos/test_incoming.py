"""The checker of money that came in: a good run passes, and each copy with one fault is named."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.chaos import audit
from tests.chaos.checker import RULES
from tests.chaos.records import Records
from tests.chaos.test_checker import _log_line, _message, _sql

_CENT, _SILENT, _REPLY = "G10 each cent once", "G1 silent while matching", "G1 silent while a reply waits"
_AT = "'2027-03-01 09:00:00'"


def _payment(payment_id: str, amount: str, invoice: str = "inv-1") -> str:
    return (
        "INSERT INTO payments(invoice_id, payment_id, amount, currency, received_at)"
        f" VALUES ('{invoice}', '{payment_id}', '{amount}', 'EUR', {_AT})"
    )


def _taken_back(payment_id: str, amount: str) -> str:
    return (
        "INSERT INTO payment_reversals(invoice_id, payment_id, key, amount, reason, at)"
        f" VALUES ('inv-1', '{payment_id}', 'back', '{amount}', 'refund', {_AT})"
    )


def _subject(provider: str, name: str, state: str) -> str:
    return (
        "INSERT INTO billing_subjects(provider, subject, kind, state, applied, since, version, attempts)"
        f" VALUES ('{provider}', '{name}', 'payment', '{state}', '{{}}', {_AT}, 1, 0)"
    )


def _entry(mark: str, state: str, *, out: bool = False) -> str:
    identity = f"{mark}-out" if out else mark
    return (
        "INSERT INTO bank_entries(identity, statement_id, account, booked_on, amount, currency, direction, reversal,"
        f" \"references\", text, state, at) VALUES ('{identity}', 's', 'A', '2027-03-01', '1200.00', 'EUR',"
        f" '{'out' if out else 'in'}', {int(out)}, '[]', 'as agreed {mark}', '{state}', {_AT})"
    )


def _came(mark: str, state: str) -> list[str]:
    return [
        _entry(mark, state),
        "INSERT INTO incoming_payments(entry_id, source, identity, amount, currency, received_at, texts, state, why,"
        f" since, ask_at) VALUES ('E{mark}', 'bank', '{mark}', '1200.00', 'EUR', {_AT}, '[]', '{state}', 'w', {_AT},"
        f" {_AT})",
    ]


def _booking(mark: str, amount: str = "1200.00") -> str:
    return (
        "INSERT INTO bookings(entry_id, attempt, invoice_id, customer_id, amount, payment_id, by, at, told_at)"
        f" VALUES ('E{mark}', 1, 'inv-1', 'c1', '{amount}', 'bank-{mark}', 'b', {_AT}, {_AT})"
    )


_PROPOSED = (
    "INSERT INTO proposals VALUES ('EQK2X', 1, '[]', 'open')",
    "INSERT INTO proposal_parts VALUES ('EQK2X', 1, 'inv-1', 'c1', '1200.00')",
)
_GOOD = (
    "INSERT INTO customers(customer_id, name, country, time_zone, language)"
    " VALUES ('c1', 'Acme', 'DE', 'Europe/Berlin', 'en')",
    _payment("pi_1", "1200.00"),
    _taken_back("pi_1", "300.00"),
    _subject("stripe", "pi_1", "settled"),
    _subject("stripe", "pi_2", "waiting"),
    _payment("inv-1.hook0", "500.00"),
    _subject("payments", "inv-1/inv-1.hook0", "settled"),
    *_came("QK1X", "booked"),
    _booking("QK1X"),
    _payment("bank-QK1X", "1200.00"),
    *_came("QK2X", "proposed"),
    *_came("QK3X", "booked"),
    _booking("QK3X"),
    _payment("bank-QK3X", "1200.00"),
    _entry("QK3X", "returned", out=True),
    _taken_back("bank-QK3X", "1200.00"),
    *_message("before", "first-reminder", "2027-03-02"),
    *_PROPOSED,
    *_message("late", "second-reminder", "2027-03-04"),
    "INSERT INTO replies(reply_id, customer_id, forwarded, channel, kind, why, sender, sender_key, sender_name,"
    " subject, text, whole, verdicts, proposals, received_at)"
    f" VALUES ('r1', 'c1', 0, 'email', 'person', 'w', 's', 's', 's', 's', 't', 't', '{{}}', '[]', {_AT})",
)
_STRIPE = {"door": "stripe", "story": "paid", "invoice_id": "inv-1", "net": "900.00"}
_BANK = {"door": "bank", "story": "name", "invoice_id": "inv-1", "amount": "1200.00"}
_MONEY = (
    _STRIPE | {"payment": "pi_1", "family": ["pi_1", "re_1"]},
    _STRIPE | {"payment": "pi_2", "family": ["pi_2"], "invoice_id": None},
    _STRIPE | {"door": "webhook", "payment": "inv-1/inv-1.hook0", "family": ["inv-1.hook0"], "net": "500.00"},
    *(_BANK | {"mark": mark} for mark in ("QK1X", "QK2X", "QK3X")),
    {"door": "bank returned", "mark": "QK3X"},
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("money")
    database = Database(f"sqlite:///{folder}/dunwell.sqlite")
    migrate(database)
    audit.watch(database)
    database.close()
    _sql(folder, *_GOOD)
    (folder / "money.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _MONEY))
    (folder / "unmatched.json").write_text(json.dumps([{"entry_id": "EQK2X"}]))
    (folder / "providers.jsonl").write_text(_log_line("before") + _log_line("late"))
    return folder


def _found(folder: Path, guarantee: str) -> list[str]:
    return list(RULES[guarantee](Records(folder)))


@pytest.mark.parametrize("guarantee", [_CENT, _SILENT, _REPLY])
def test_a_good_run_passes(good: Path, guarantee: str) -> None:
    assert _found(good, guarantee) == []


def _told(**changes: object) -> Callable[[Path], None]:
    """One line more of what came in."""

    def edit(folder: Path) -> None:
        with (folder / "money.jsonl").open("a") as file:
            file.write(json.dumps(_BANK | changes) + "\n")

    return edit


def _done(*statements: str) -> Callable[[Path], None]:
    return lambda folder: _sql(folder, *statements)


def _nothing_shown(folder: Path) -> None:
    (folder / "unmatched.json").write_text("[]")


def _asked(day: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        _sql(folder, *_message("m9", "last-letter", day))
        with (folder / "providers.jsonl").open("a") as file:
            file.write(_log_line("m9"))

    return edit


@pytest.mark.parametrize(
    ("guarantee", "said", "edit"),
    [
        (_CENT, "pi_1 (paid) brought 900.00 for inv-1, and 1200.00 are", _done("DELETE FROM payment_reversals")),
        (_CENT, "and 0 are booked", _done("DELETE FROM payments WHERE payment_id='inv-1.hook0'")),
        (_CENT, "was told, and is not kept", _done("DELETE FROM billing_subjects WHERE subject='pi_1'")),
        (_CENT, "is of no invoice, and is settled", _done("UPDATE billing_subjects SET state='settled'")),
        (_CENT, "is of no invoice, and is waiting with 1 bookings", _done(_payment("pi_2", "1.00"))),
        (_CENT, "payment bank-QK9X, of which nobody told", _done(_payment("bank-QK9X", "1.00"))),
        (_CENT, "is kept 0 times", _told(mark="QK7X")),
        (_CENT, "is kept 2 times", _done(_entry("QK1X", "booked").replace("('QK1X'", "('again'"))),
        (_CENT, "was never matched", _done("DELETE FROM incoming_payments WHERE identity='QK2X'")),
        (_CENT, "went back, and that is kept 0 times", _done("DELETE FROM bank_entries WHERE direction='out'")),
        (_CENT, "1200.00 came, 120.00 are kept", _done("UPDATE incoming_payments SET amount='120.00'")),
        (_CENT, "is booked with 0 bookings", _done("UPDATE bookings SET undone_at=" + _AT)),
        (_CENT, "['1100.00'] are booked", _done("UPDATE bookings SET amount='1100.00'")),
        (_CENT, "was undone, 1200.00 of it count", _done("UPDATE bookings SET undone_at=" + _AT)),
        (_CENT, "stands, 0 of it count", _done("DELETE FROM payments WHERE payment_id='bank-QK1X'")),
        (_CENT, "and nobody is shown it", _nothing_shown),
        (
            _CENT,
            "(its return is unrelated), and 1 bookings stand",
            _done("UPDATE bank_entries SET state='unrelated'"),
        ),
        (_SILENT, "message m9 (last-letter) asked of c1", _asked("2027-03-02")),
        (_REPLY, "message m9 (last-letter) left of c1", _asked("2027-03-09")),
        (
            _SILENT,
            "hold h1 was placed of c1",
            _done(
                "INSERT INTO holds VALUES ('h1', 'c1', 'inv-1', 'restricted', 'r', '2027-03-02 09:00:00', NULL, NULL)"
            ),
        ),
    ],
)
def test_each_fault_is_named(guarantee: str, said: str, edit: Callable[[Path], None], copy: Path) -> None:
    edit(copy)
    found = _found(copy, guarantee)
    assert any(said in line for line in found), found


def test_what_was_proposed_in_the_time_that_a_restore_took_away_is_in_question_until_then(copy: Path) -> None:
    _sql(copy, "DELETE FROM proposals", "DELETE FROM proposal_parts", "DELETE FROM chaos_audit WHERE kind='proposal'")
    _sql(copy, "INSERT INTO chaos_audit(kind, at) VALUES ('copied', '2097-01-01 00:00:00')", *_PROPOSED)
    _asked("2027-03-02")(copy)
    shutil.copy(copy / "dunwell.sqlite", copy / "replaced.sqlite")
    _sql(
        copy,
        "DELETE FROM proposals",
        "DELETE FROM proposal_parts",
        "INSERT INTO chaos_audit(kind, at) VALUES ('restored', '2099-01-01 00:00:00')",
        *_message("m10", "hand-over", "2027-03-02"),
    )
    with (copy / "providers.jsonl").open("a") as file:
        file.write(_log_line("m10"))
    (line,) = _found(copy, _SILENT)
    assert "message m9" in line


def test_after_two_business_days_chasing_goes_on(copy: Path) -> None:
    _asked("2027-03-03")(copy)
    with sqlite3.connect(copy / "dunwell.sqlite") as connection:
        connection.execute("UPDATE messages SET claimed_at='2027-03-03 09:00:00' WHERE message_id='m9'")
    assert _found(copy, _SILENT) == []


_VISIT = {"at": "2098-01-01T00:00:00+00:00", "link": "abc", "form_ids": ["f1"]}
_KEPT_FORM = (
    "INSERT INTO requests(principal, invoice_id, key, request_id, event, first_at, taken_at)"
    f" VALUES ('link of user.1', 'inv-1', 'f1', 'r1', 'promise_to_pay', {_AT}, {_AT})"
)


@pytest.mark.parametrize(
    ("outcome", "act", "kept", "said"),
    [
        ("refused", "promise", False, ""),
        ("scanned", "", False, ""),
        ("done", "promise", False, "was confirmed, and is not kept"),
        ("done", "promise", True, "was confirmed, and nobody wrote it down"),
        ("refused", "promise", True, "was refused, and is kept for inv-1"),
        ("scanned", "", True, "was scanned, and is kept for inv-1"),
        ("scanned", "paid", False, "a scanner's empty form was taken: paid"),
    ],
)
def test_what_became_of_a_customers_form(outcome: str, act: str, kept: bool, said: str, copy: Path) -> None:
    (copy / "visits.jsonl").write_text(json.dumps(_VISIT | {"outcome": outcome, "act": act}) + "\n")
    _sql(copy, *([_KEPT_FORM] if kept else []))
    found = _found(copy, "G3 a page's form once")
    assert [line for line in found if said in line] if said else found == []


@pytest.mark.parametrize(("digest", "said"), [("d", 0), ("other", 1)])
def test_the_same_promise_again_is_not_written_down_twice(digest: str, said: int, copy: Path) -> None:
    """From a second window: it stands already."""
    (copy / "visits.jsonl").write_text(json.dumps(_VISIT | {"outcome": "done", "act": "promise"}) + "\n")
    earlier = _KEPT_FORM.replace("'f1', 'r1'", "'f0', 'r0'").replace("09:00:00", "08:59:00")
    told = (
        "INSERT INTO told(request_id, invoice_id, digest, kind, principal, at)"
        f" VALUES ('r0', 'inv-1', 'd', 'link', 'x', {_AT}), ('r1', 'inv-1', '{digest}', 'link', 'x', {_AT})"
    )
    written = (
        "INSERT INTO audit(object, number, key, at, kind, principal, action, details, request_id, prev, hash)"
        f" VALUES ('invoice/inv-1', 99, 'r0', {_AT}, 'link', 'x', 'promise_to_pay', '{{}}', 'r0', 'p', 'h')"
    )
    _sql(copy, earlier, _KEPT_FORM, told, written)
    assert len(_found(copy, "G3 a page's form once")) == said


def test_a_form_that_no_case_took_was_refused(copy: Path) -> None:
    """Nobody answered its first sending, which reached no case; when it was sent again it was too late for it."""
    (copy / "visits.jsonl").write_text(json.dumps(_VISIT | {"outcome": "refused", "act": "promise"}) + "\n")
    _sql(copy, _KEPT_FORM, "UPDATE requests SET taken_at=NULL")
    assert _found(copy, "G3 a page's form once") == []

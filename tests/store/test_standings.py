"""What figures of a past instant need is written down when it changes, by the same path as everything else."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from dunwell.domain.events import parse_event
from dunwell.domain.figures.period import AsOf
from dunwell.domain.figures.receivable import Receivable
from dunwell.domain.terms import PromiseState, Stage
from dunwell.store import receivables
from dunwell.store.database import Database
from dunwell.store.tables import PaymentRow, PromiseRow, StandingRow
from tests.builders import an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness

SINCE = "2027-03-05 10:00"


@pytest.fixture
def harness(database: Database) -> ServiceHarness:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    return harness


def standings(harness: ServiceHarness) -> list[tuple[datetime, Decimal, date, Stage | None, Decimal]]:
    with harness.deps.database.reading() as session:
        rows = session.scalars(select(StandingRow).order_by(StandingRow.number)).all()
        return [(row.since, row.amount, row.due_on, row.end, row.disputed) for row in rows]


def receivable(harness: ServiceHarness) -> Receivable:
    with harness.deps.database.reading() as session:
        (ledger,) = receivables.ledgers(session).values()
    (found,) = ledger.invoices
    return found


def test_an_invoice_that_stands_as_its_record_says_needs_no_row(harness: ServiceHarness) -> None:
    harness.pay(SINCE, "100.00")
    assert standings(harness) == []


CHANGES: list[tuple[str, dict[str, Any], tuple[Decimal, date, Stage | None, Decimal]]] = [
    (
        "invoice_amended",
        {"amount": "900.00", "due_on": "2027-04-15", "by": "billing"},
        (Decimal(900), date(2027, 4, 15), None, Decimal(0)),
    ),
    (
        "dispute_opened",
        {"reason": "quality", "opened_by": "user", "amount": "300.00"},
        (Decimal(1200), date(2027, 3, 1), None, Decimal(300)),
    ),
    (
        "dispute_opened",
        {"reason": "quality", "opened_by": "user"},
        (Decimal(1200), date(2027, 3, 1), None, Decimal(1200)),
    ),
    ("write_off", {"reason": "small", "by": "m"}, (Decimal(1200), date(2027, 3, 1), Stage.WRITTEN_OFF, Decimal(0))),
    ("cancel", {"reason": "wrong", "by": "m"}, (Decimal(1200), date(2027, 3, 1), Stage.CANCELLED, Decimal(0))),
]


@pytest.mark.parametrize(("name", "content", "expected"), CHANGES, ids=lambda value: str(value)[:20])
def test_each_change_has_its_time(
    harness: ServiceHarness, name: str, content: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    harness.record(name, SINCE, **content)
    assert standings(harness) == [(at(SINCE), *expected)]


def test_a_dispute_that_was_upheld_is_receivable_until_then(harness: ServiceHarness) -> None:
    """The claim for late payment forgets what was never owed; the books of that day do not."""
    harness.record("dispute_opened", SINCE, reason="quality", opened_by="user", amount="300.00")
    harness.record("dispute_resolved", "2027-03-12 10:00", outcome="upheld", by="manager")
    invoice = receivable(harness)
    opened = [invoice.balance(AsOf.end_of(date(2027, 3, day))).open for day in (4, 11, 12)]
    assert opened == [1200, 1200, 900]
    assert [invoice.standing(at(f"2027-03-{day} 12:00")).disputed for day in ("04", "11", "12")] == [0, 300, 0]


def test_the_reading_of_now_is_the_case(harness: ServiceHarness) -> None:
    """Whatever happened, what is open and what is credit is what the case says."""
    story: list[tuple[str, str, dict[str, Any]]] = [
        ("payment_received", "2027-03-02 09:00", {"payment_id": "p1", "amount": "500.00", "currency": "EUR"}),
        ("invoice_amended", "2027-03-03 09:00", {"amount": "1100.00", "by": "billing"}),
        ("payment_reversed", "2027-03-04 09:00", {"payment_id": "p1", "reason": "bounced", "amount": "200.00"}),
        ("payment_received", "2027-03-05 09:00", {"payment_id": "p2", "amount": "799.80", "currency": "EUR"}),
        ("payment_reversed", "2027-03-06 09:00", {"payment_id": "p1", "reason": "bounced"}),
        ("payment_received", "2027-03-07 09:00", {"payment_id": "p3", "amount": "400.00", "currency": "EUR"}),
        ("payment_reversed", "2027-03-08 09:00", {"payment_id": "p2", "reason": "bounced"}),
        ("write_off", "2027-03-09 09:00", {"reason": "small", "by": "m"}),
        ("payment_received", "2027-03-10 09:00", {"payment_id": "p4", "amount": "50.00", "currency": "EUR"}),
        ("payment_received", "2027-03-11 09:00", {"payment_id": "p5", "amount": "900.00", "currency": "EUR"}),
    ]
    told = []
    for name, when, content in story:
        harness.record(name, when, **content)
        told.append((AsOf.at(at(when)), harness.case.open_amount, harness.case.credit))
        now = receivable(harness)
        assert (now.balance(told[-1][0]).open, now.credit(told[-1][0].moment)) == told[-1][1:], name
    last = receivable(harness)
    assert [(as_of, last.balance(as_of).open, last.credit(as_of.moment)) for as_of, _, _ in told] == told


def test_money_dated_ahead_counts_from_when_it_was_recorded(harness: ServiceHarness) -> None:
    ahead = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR", "received_at": "2027-03-07T00:00:00Z"}
    harness.record("payment_received", SINCE, **ahead)
    with harness.deps.database.reading() as session:
        assert session.scalars(select(PaymentRow)).one().recorded_at == at(SINCE)
    assert receivable(harness).balance(AsOf.at(at(SINCE))).open == 0


def test_money_dated_back_counts_from_its_day(harness: ServiceHarness) -> None:
    back = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR", "received_at": "2027-03-02T00:00:00Z"}
    harness.record("payment_received", SINCE, **back)
    assert receivable(harness).balance(AsOf.at(at("2027-03-03 00:00"))).open == 0


def test_promises_are_kept_with_what_became_of_them_and_when(harness: ServiceHarness) -> None:
    def promises() -> list[tuple[int, PromiseState, datetime | None]]:
        with harness.deps.database.reading() as session:
            rows = session.scalars(select(PromiseRow).order_by(PromiseRow.number)).all()
            return [(row.number, row.state, row.settled_at) for row in rows]

    harness.record("promise_to_pay", "2027-03-02 09:00", date="2027-03-10", promised_by="user")
    assert promises() == [(1, PromiseState.OPEN, None)]
    harness.record("promise_to_pay", "2027-03-03 09:00", date="2027-03-12", promised_by="user")
    harness.pay("2027-03-11 09:00")
    assert promises() == [
        (1, PromiseState.REPLACED, at("2027-03-03 09:00")),
        (2, PromiseState.KEPT, at("2027-03-11 09:00")),
    ]


def test_a_rehearsal_leaves_no_trace(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open(rehearsal=True)
    content = {"amount": "900.00", "by": "billing"}
    harness.case.apply(parse_event("invoice_amended", [content]), at(SINCE))
    request = harness.request("invoice_amended", SINCE, content, [])
    request.rehearsal = True
    harness.write(request, SINCE)
    assert standings(harness) == []
    with database.reading() as session:
        assert receivables.ledgers(session) == {}


def test_credit_that_pays_another_invoice_is_gone_from_its_own(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.pay(SINCE, "1500.00")
    other = ServiceHarness(sample_deps(database))
    other.open(an_invoice(invoice_id="inv-2", number="2027-002"))
    credit = {"credit_id": "c1", "from_invoice": "inv-1", "amount": "300.00", "currency": "EUR", "by": "agent"}
    other.record("credit_applied", "2027-03-08 10:00", **credit)
    other.record("payment_reversed", "2027-03-09 10:00", payment_id="c1", reason="wrong", amount="100.00")
    with database.reading() as session:
        by_id = {one.invoice_id: one for one in receivables.ledgers(session)["EUR"].invoices}
    days = [at(f"2027-03-{day} 12:00") for day in ("05", "08", "09")]
    assert [by_id["inv-1"].credit(day) for day in days] == [300, 0, 100]
    assert [by_id["inv-2"].balance(AsOf.at(day)).open for day in days] == [1200, 900, 1000]

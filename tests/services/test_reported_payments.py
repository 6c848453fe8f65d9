"""Payments that a provider reported for an invoice that nobody knows: shown, asked about, and told to the invoice."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dunwell.client.billing_outcome import waits
from dunwell.domain.billing_events import BillingEvent, Named, Paid, SubjectKind, SubjectState
from dunwell.domain.principals import NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.services.billing_inbox import BillingInbox
from dunwell.services.reported_payments import ReportedPayments
from dunwell.store import billing_events
from dunwell.store.database import Database
from dunwell.views.unmatched import one_payment, unmatched
from dunwell.views.work_list import open_work
from tests.builders import an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness

CAME = at("2027-03-03 09:00")
ADA = Principal(PrincipalKind.PERSON, "ada", "Ada", Role.AGENT)


def reported(database: Database, subject: str) -> None:
    """A payment of 80 EUR for an invoice 999, which could not be applied."""
    paid = Paid(amount=Decimal("80.00"), currency="EUR", at=CAME, named=Named(number="999"))
    event = BillingEvent(
        event_id=f"evt-{subject}", kind="paid", subject=subject, subject_kind=SubjectKind.PAYMENT, fact=paid, at=CAME
    )
    BillingInbox(database).take("stripe", [event], CAME)
    with database.writing_beside_customers() as session:
        row = billing_events.take(session, "stripe", subject, CAME, CAME)
        assert row is not None
        outcome = waits("an invoice 999 is not registered")
        billing_events.settle(
            session,
            row,
            outcome.state,
            invoice_id=None,
            reason=outcome.reason,
            applied={},
            next_at=None,
            now=CAME,
        )


@pytest.fixture
def desk(file_database: Database) -> ReportedPayments:
    ServiceHarness(sample_deps(file_database)).open(an_invoice(invoice_id="A", number="INV-A"))
    ServiceHarness(sample_deps(file_database)).open(an_invoice(invoice_id="U", number="U", currency="USD"))
    return ReportedPayments(file_database, unmatched_days=3)


@pytest.mark.parametrize("subject", ["pi_3Nabc", "odd/id 100%=x"])
def test_it_is_shown_and_told_to_the_invoice_that_a_person_names(
    desk: ReportedPayments, file_database: Database, subject: str
) -> None:
    reported(file_database, subject)
    with file_database.reading() as session:
        (one,) = unmatched(session, CAME + timedelta(days=2))
    assert (one["source"], one["amount"], one["age_days"], one["reference"]) == (
        "stripe",
        Decimal("80.00"),
        2,
        subject,
    )
    assert one["why"] == "an invoice 999 is not registered"
    assert "/" not in one["entry_id"] and "%" not in one["entry_id"]
    desk.assign(one["entry_id"], [("A", None)], ADA, CAME)
    with file_database.reading() as session:
        row = billing_events.get(session, "stripe", subject)
        assert row is not None and (row.invoice_id, row.state) == ("A", SubjectState.DUE)
        assert unmatched(session, CAME) == []
        assert one_payment(session, one["entry_id"], CAME)["state"] == "booked"


def test_what_makes_no_sense_is_refused(desk: ReportedPayments, file_database: Database) -> None:
    reported(file_database, "pi_1")
    for shares, said in (
        ([("A", None), ("U", None)], "is for one invoice"),
        ([("nobody", None)], "no invoice of a real case"),
        ([("U", None)], "U is in USD, and EUR came"),
        ([("A", Decimal("79.00"))], "80.00 EUR came"),
    ):
        with pytest.raises(Refused, match=said):
            desk.assign("stripe:pi_1", shares, ADA, CAME)
    with pytest.raises(Refused, match="is no payment that came in"):
        desk.assign("stripe:pi_2", [("A", None)], ADA, CAME)
    with pytest.raises(NotAllowed):
        desk.assign("stripe:pi_1", [("A", None)], Principal(PrincipalKind.PERSON, "r", "R", Role.AUDITOR), CAME)


def test_its_invoice_may_be_named_by_number(desk: ReportedPayments, file_database: Database) -> None:
    reported(file_database, "pi_1")
    desk.assign("stripe:pi_1", [("INV-A", None)], ADA, CAME)
    with file_database.reading() as session:
        assert one_payment(session, "stripe:pi_1", CAME)["bookings"][0]["invoice_id"] == "A"


def test_it_is_a_person_s_task_until_it_is_decided(desk: ReportedPayments, file_database: Database) -> None:
    reported(file_database, "pi_1")
    assert [desk.ask_people(CAME + timedelta(days=day)) for day in (2, 3, 4)] == [0, 1, 0]
    with file_database.reading() as session:
        (task,) = open_work(session)
    assert "starter.py match stripe:pi_1 INVOICE" in task["reason"]
    desk.set_aside("stripe:pi_1", "test-mode", ADA, CAME)
    desk.ask_people(CAME + timedelta(days=4))
    with file_database.reading() as session:
        assert open_work(session) == []
        assert one_payment(session, "stripe:pi_1", CAME)["state"] == "set_aside"

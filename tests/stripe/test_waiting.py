"""What waits is shown with its age and reason, and a person may say where it belongs."""

from datetime import UTC, datetime, timedelta

import pytest

from dunwell.domain.billing_events import SubjectState
from dunwell.domain.principals import NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.services.waiting_payments import WaitingPayments
from dunwell.store import audit
from dunwell.views.waiting_payments import waiting_payments
from tests.stripe.desk import Desk
from tests.stripe.objects import a_refund, an_intent, an_invoice_of, said

ADA = Principal(PrincipalKind.PERSON, id="user-7", name="Ada", role=Role.BILLING)
NAMELESS = said("payment_intent.succeeded", an_intent(metadata={}))


def now() -> datetime:
    return datetime.now(UTC)


def audited(desk: Desk) -> list[tuple[str, str]]:
    with desk.deps.database.reading() as session:
        return [(row.principal, row.action) for row in audit.read(session) if row.object == "payment/stripe/pi_1"]


async def test_what_waits_is_shown(each_desk: Desk) -> None:
    desk = each_desk
    await desk.hear("stripe", NAMELESS, said("refund.created", a_refund(500, payment_intent="pi_2")))
    await desk.hear("stripe", said("invoice.finalized", an_invoice_of(customer_name=None, amount_due=5_000)))
    with desk.deps.database.reading() as session:
        found = waiting_payments(session, now() + timedelta(days=3))
    assert {(one["id"], one["kind"], str(one["amount"]), one["taken_back"], one["age_days"]) for one in found} == {
        ("pi_1", "payment", "1200.00", False, 3),
        ("pi_2", "payment", "5.00", True, 3),
        ("in_1", "invoice", "50.00", False, 3),
    }
    assert all(one["why"] for one in found)


async def test_a_person_says_for_which_invoice_it_is(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", NAMELESS)
    WaitingPayments(desk.deps.database).assign("stripe", "pi_1", "inv-1", ADA, now())
    await desk.work()
    assert (desk.paid(), desk.waiting()) == ("1200.00", {})
    assert audited(desk) == [("user-7", "payment_assigned")]
    await desk.hear("stripe", said("refund.created", a_refund(30_000)))
    assert desk.paid() == "900.00"


async def test_a_person_says_that_it_concerns_no_case(desk: Desk) -> None:
    await desk.hear("stripe", NAMELESS)
    WaitingPayments(desk.deps.database).dismiss("stripe", "pi_1", "not-ours", ADA, now())
    await desk.hear("stripe", said("refund.created", a_refund(30_000)))
    await desk.try_again()
    assert (desk.waiting(), desk.state("pi_1")) == ({}, SubjectState.DISMISSED)
    assert audited(desk) == [("user-7", "payment_dismissed")]


async def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    desk.register()
    decisions = WaitingPayments(desk.deps.database)
    await desk.hear("stripe", NAMELESS)
    for payment, invoice, why in (
        ("pi_9", "inv-1", "was not reported"),
        ("pi_1", "inv-9", "is not registered"),
    ):
        with pytest.raises(Refused, match=why):
            decisions.assign("stripe", payment, invoice, ADA, now())
    with pytest.raises(NotAllowed):
        decisions.dismiss("stripe", "pi_1", "x", Principal(PrincipalKind.KEY, "p", "p", Role.PRODUCT), now())
    decisions.assign("stripe", "pi_1", "inv-1", ADA, now())
    await desk.work()
    with pytest.raises(Refused, match="does not wait: it is settled"):
        decisions.dismiss("stripe", "pi_1", "x", ADA, now())
    assert len(audited(desk)) == 1

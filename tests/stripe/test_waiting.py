"""What waits is shown with its age and reason, and a person may say where it belongs."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from dunwell.client.cases import Cases
from dunwell.client.matching import Matching
from dunwell.domain.bank_entry import EntryState
from dunwell.domain.billing_events import SubjectState
from dunwell.domain.principals import NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.services.waiting_payments import WaitingPayments
from dunwell.store import audit
from dunwell.views.unmatched import lately_decided, one_payment, unmatched
from dunwell.views.waiting_payments import waiting_payments
from tests.builders import an_invoice
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


# A decision is undone --------------------------------------------------------------------------------------

NINE = "stripe:pi_1"


def shown(desk: Desk) -> dict[str, Any]:
    with desk.deps.database.reading() as session:
        return one_payment(session, NINE, now())


async def test_a_wrong_match_is_undone_and_the_payment_goes_where_it_belongs(each_desk: Desk) -> None:
    desk, decisions = each_desk, Matching(each_desk.deps.database, cast(Cases, each_desk), unmatched_days=3)
    for name in ("inv-1", "inv-2"):
        desk.register(an_invoice(invoice_id=name, number=name))
    await desk.hear("stripe", NAMELESS, said("refund.created", a_refund(20_000)))
    await decisions.assign(NINE, [("inv-1", None)], ADA)
    assert (shown(desk)["state"], shown(desk)["bookings"][0]["invoice_id"]) == (EntryState.BOOKED, "inv-1")
    assert "it names no invoice" not in shown(desk)["why"]
    await desk.work()
    assert desk.paid() == "1000.00"
    with desk.deps.database.reading() as session:
        (booked,) = lately_decided(session, EntryState.BOOKED, now())
    assert (booked["entry_id"], booked["why"]) == (NINE, "matched by user-7")

    await decisions.undo(NINE, ADA)
    with desk.deps.database.reading() as session:
        (one,) = unmatched(session, now())
    assert one["why"] == "its match with inv-1 was undone by user-7: a person decides"
    with pytest.raises(Refused, match="is being taken back from inv-1"):
        await decisions.undo(NINE, ADA)
    await desk.work()
    assert (desk.paid(), desk.state("pi_1")) == ("0.00", SubjectState.WAITING)
    await desk.hear(
        "stripe", said("refund.created", a_refund(10_000, id="re_2"))
    )  # it waits for a person all the same
    assert (desk.paid(), list(desk.waiting())) == ("0.00", ["pi_1"])

    await decisions.assign(NINE, [("inv-2", None)], ADA)
    await desk.work()
    assert (desk.paid(), desk.paid("inv-2")) == ("0.00", "900.00")
    await decisions.undo(NINE, ADA)
    await decisions.assign(NINE, [("inv-1", None)], ADA)  # before the worker has taken it back
    await desk.work()
    assert (desk.paid(), desk.paid("inv-2")) == ("900.00", "0.00")
    await desk.hear("stripe", said("refund.created", a_refund(5_000, id="re_3")))
    await desk.try_again()
    assert (desk.paid(), desk.paid("inv-2"), desk.waiting()) == ("850.00", "0.00", {})
    assert [action for _, action in audited(desk)] == [
        *("payment_assigned", "payment_match_undone", "payment_assigned", "payment_match_undone", "payment_assigned")
    ]


async def test_what_was_set_aside_is_tried_again_when_that_is_undone(desk: Desk) -> None:
    decisions = Matching(desk.deps.database, cast(Cases, desk), unmatched_days=3)
    await desk.hear("stripe", said("payment_intent.succeeded", an_intent()))
    await decisions.set_aside(NINE, "not-ours", ADA)
    assert (shown(desk)["state"], shown(desk)["why"]) == (
        EntryState.SET_ASIDE,
        "for no invoice (not-ours), says user-7",
    )
    with desk.deps.database.reading() as session:
        assert [one["entry_id"] for one in lately_decided(session, EntryState.SET_ASIDE, now())] == [NINE]
    await decisions.undo(NINE, ADA)
    assert "which user-7 undid" in shown(desk)["why"]
    desk.register()
    await desk.work()
    assert (desk.paid(), desk.waiting()) == ("1200.00", {})


async def test_what_only_went_back_is_no_money_that_came_in(desk: Desk) -> None:
    desk.register()
    decisions = Matching(desk.deps.database, cast(Cases, desk), unmatched_days=3)
    await desk.hear("stripe", said("refund.created", a_refund(100)))
    assert (shown(desk)["taken_back"], str(shown(desk)["amount"])) == (True, "1.00")
    with pytest.raises(Refused, match="never as received"):
        await decisions.assign(NINE, [("inv-1", None)], ADA)
    with pytest.raises(Refused, match="nothing was decided"):
        await decisions.undo(NINE, ADA)

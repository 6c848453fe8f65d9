"""Payments that Stripe reports: which case they reach, what comes of refunds and disputes, and what waits."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from dunwell.client import billed_payments
from dunwell.client.answers import TellResult
from dunwell.domain.billing_events import SubjectState
from dunwell.domain.terms import Stage
from dunwell.gateways.stripe.objects import event_of
from dunwell.store import audit
from tests.builders import an_invoice
from tests.stripe.desk import Desk
from tests.stripe.objects import (
    NOW,
    a_charge,
    a_dispute,
    a_portion,
    a_refund,
    a_session,
    an_event,
    an_intent,
    an_invoice_of,
    said,
)

PAID = said("payment_intent.succeeded", an_intent())


async def test_a_payment_reaches_the_invoice_that_it_names(each_desk: Desk) -> None:
    desk = each_desk
    desk.register()
    await desk.hear("stripe", PAID, PAID)
    await desk.hear("stripe", PAID)
    assert (desk.case().stage, desk.names()) == (Stage.PAID, ["payment_received"])
    assert desk.state("pi_1") is SubjectState.SETTLED
    (receipt,) = desk.case().money.receipts
    assert (receipt.payment_id, receipt.method) == ("pi_1", "card")


async def test_all_events_of_one_payment_count_once(desk: Desk) -> None:
    desk.register()
    await desk.hear(
        "stripe",
        said("checkout.session.completed", a_session()),
        PAID,
        said("charge.succeeded", a_charge()),
    )
    assert (desk.paid(), desk.names()) == ("1200.00", ["payment_received"])


async def test_a_checkout_that_is_not_paid_yet_pays_nothing(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", said("checkout.session.completed", a_session("unpaid")))
    assert desk.told == []
    await desk.hear("stripe", said("checkout.session.async_payment_succeeded", a_session()))
    assert desk.paid() == "1200.00"


async def test_a_refund_in_part_opens_what_went_back_whatever_the_order(desk: Desk) -> None:
    events = [
        PAID,
        said("refund.created", a_refund(30_000)),
        said("charge.refunded", a_charge(30_000)),
        said("refund.updated", a_refund(30_000)),
    ]
    for number, order in enumerate(permutations(events)):
        name = f"inv-{number}"
        desk.register(an_invoice(invoice_id=name, number=name))
        for event in order:
            assert event is not None
            apart = {"event_id": f"{event.event_id}/{number}", "subject": f"pi_{number}"}
            fact = event.fact.model_copy(update={"named": event.fact.named.model_copy(update={"invoice_id": name})})  # type: ignore[union-attr]
            await desk.hear("stripe", event.model_copy(update={**apart, "fact": fact}))
        assert (desk.paid(name), desk.open(name)) == ("900.00", "300.00"), order


async def test_cumulative_refunds_become_differences(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", PAID, said("charge.refunded", a_charge(20_000), created=NOW + 1))
    await desk.hear("stripe", said("charge.refunded", a_charge(50_000), created=NOW + 2))
    assert [content["amount"] for _, name, content in desk.told if name == "payment_reversed"] == ["200.00", "300.00"]
    assert desk.paid() == "700.00"


async def test_a_refund_that_failed_counts_as_paid_again(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", PAID, said("refund.created", a_refund(120_000, status="pending")))
    assert desk.open() == "1200.00"
    await desk.hear("stripe", said("refund.failed", a_refund(120_000, status="failed")))
    assert (desk.paid(), desk.case().stage) == ("1200.00", Stage.PAID)


async def test_a_dispute_takes_the_money_and_a_won_one_gives_it_back(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", PAID)
    await desk.hear("stripe", said("charge.dispute.created", a_dispute(120_000, "needs_response"), created=NOW + 1))
    assert desk.open() == "1200.00"
    await desk.hear("stripe", said("charge.dispute.closed", a_dispute(120_000, "won"), created=NOW + 2))
    assert (desk.paid(), desk.case().stage) == ("1200.00", Stage.PAID)
    assert {one.payment_id for one in desk.case().money.receipts} == {"pi_1", "dp_1"}


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed", "prevented"])
async def test_an_inquiry_takes_nothing(desk: Desk, status: str) -> None:
    desk.register()
    await desk.hear("stripe", PAID, said("charge.dispute.created", a_dispute(120_000, status)))
    assert desk.paid() == "1200.00"


async def test_a_dispute_is_won_before_its_case_has_written_down_that_it_took_the_money(each_desk: Desk) -> None:
    """What is news is reckoned from the ledger: it must not be while something told is missing in it."""
    desk = each_desk
    desk.register()
    await desk.hear("stripe", PAID)
    desk.slow = True
    await desk.hear("stripe", said("charge.dispute.created", a_dispute(120_000, "needs_response"), created=NOW + 1))
    await desk.hear("stripe", said("charge.dispute.closed", a_dispute(120_000, "won"), created=NOW + 2))
    assert (desk.state("pi_1"), len(desk.kept)) == (SubjectState.DUE, 1)
    await desk.catch_up()
    assert desk.open() == "1200.00"
    await desk.try_again()
    assert (desk.state("pi_1"), desk.open()) == (SubjectState.SETTLED, "0.00")
    assert desk.names() == ["payment_received", "payment_reversed", "payment_received"]


async def test_what_a_case_was_told_and_refused_silently_is_told_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal has no answer: a case that refuses it writes nothing into the ledger."""
    desk.register()
    desk.slow = True
    await desk.hear("stripe", PAID)
    desk.slow, desk.kept = False, []
    await desk.try_again()
    assert (desk.state("pi_1"), desk.names()) == (SubjectState.DUE, [])
    monkeypatch.setattr(billed_payments, "_TOLD_AGAIN", timedelta())
    await desk.try_again()
    assert (desk.state("pi_1"), desk.paid()) == (SubjectState.SETTLED, "1200.00")


async def test_a_dispute_that_was_lost_stays_open(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", PAID, said("charge.dispute.closed", a_dispute(120_000, "lost")))
    assert desk.open() == "1200.00"


# What waits -----------------------------------------------------------------------------------------------


async def test_a_payment_of_an_unknown_invoice_waits_and_counts_once_it_is_registered(each_desk: Desk) -> None:
    desk = each_desk
    await desk.hear("stripe", PAID)
    assert desk.waiting() == {"pi_1": "invoice: the invoice inv-1 is not registered"}
    await desk.work()
    assert desk.subject("pi_1").attempts == 1  # not before its time
    desk.register()
    await desk.try_again()
    assert (desk.case().stage, desk.waiting()) == (Stage.PAID, {})


async def test_a_reversal_before_its_payment_waits_for_it(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", said("refund.created", a_refund(30_000, metadata={"dunwell_invoice_id": "inv-1"})))
    assert desk.waiting() == {"pi_1": "payment: is taken back, and nobody has reported that it came in"}
    await desk.hear("stripe", PAID)
    assert (desk.paid(), desk.waiting()) == ("900.00", {})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"metadata": {}}, "invoice: it names no invoice", id="no name"),
        pytest.param(
            {"currency": "usd"}, "currency: the invoice is in EUR; convert the payment first", id="currency"
        ),
        pytest.param(
            {"metadata": {"dunwell_invoice_number": "twice"}},
            "invoice: an invoice twice may be any of inv-1, inv-2",
            id="two of a number",
        ),
    ],
)
async def test_what_no_case_can_take_is_kept_with_its_reason(desk: Desk, changes: dict[str, Any], why: str) -> None:
    desk.register(an_invoice(number="twice"))
    desk.register(an_invoice(invoice_id="inv-2", number="twice"))
    await desk.hear("stripe", said("payment_intent.succeeded", an_intent(**changes)))
    assert desk.waiting() == {"pi_1": why}
    assert (desk.paid(), desk.paid("inv-2")) == ("0.00", "0.00")


async def test_a_payment_finds_its_invoice_by_number(desk: Desk) -> None:
    desk.register(an_invoice(number="2027/0417"))
    intent = an_intent(metadata={"dunwell_invoice_number": "2027/0417"})
    await desk.hear("stripe", said("payment_intent.succeeded", intent))
    assert desk.paid() == "1200.00"


async def test_a_payment_finds_its_invoice_by_stripes_invoice_whichever_comes_first(desk: Desk) -> None:
    desk.register(an_invoice(number="ABCD-0001"))
    portion = said("invoice_payment.paid", a_portion())
    invoice = said("invoice.paid", an_invoice_of(status="paid", amount_paid=120_000))
    await desk.hear("stripe", portion)
    assert desk.waiting() == {"pi_1": "invoice: it pays in_1 of stripe, which has not been reported"}
    await desk.hear("stripe", invoice)
    assert (desk.paid(), desk.names(), desk.waiting()) == ("1200.00", ["payment_received"], {})
    await desk.hear("stripe", said("payment_intent.succeeded", an_intent(metadata={})))
    assert (desk.paid(), desk.names(), desk.waiting()) == ("1200.00", ["payment_received"], {})


async def test_a_server_that_is_away_delays_and_loses_nothing(desk: Desk) -> None:
    from dunwell.client.server import ServerAway

    desk.register()
    desk.away = ServerAway("away")
    await desk.hear("stripe", PAID)
    assert (desk.told, desk.state("pi_1"), desk.waiting()) == ([], SubjectState.DUE, {})
    desk.away = None
    await desk.try_again()
    assert desk.paid() == "1200.00"


async def test_one_that_cannot_be_applied_for_a_fault_of_ours_keeps_no_other_waiting(desk: Desk) -> None:
    desk.register()
    desk.register(an_invoice(invoice_id="inv-2", number="2"))
    tell = desk.tell

    async def faulty(invoice_id: str, *arguments: Any, **more: Any) -> TellResult:
        if invoice_id == "inv-2":
            raise ZeroDivisionError
        return await tell(invoice_id, *arguments, **more)

    desk.tell = faulty  # type: ignore[method-assign]
    other = an_intent("pi_2", metadata={"dunwell_invoice_id": "inv-2"})
    await desk.hear("stripe", said("payment_intent.succeeded", other), PAID)
    assert (desk.paid(), list(desk.waiting())) == ("1200.00", ["pi_2"])
    assert "ZeroDivisionError" in desk.waiting()["pi_2"]


async def test_the_audit_names_the_provider(desk: Desk) -> None:
    desk.register()
    await desk.hear("stripe", said("invoice.finalized", an_invoice_of("in_9")))
    with desk.deps.database.reading() as session:
        rows = [row for row in audit.read(session) if row.object == "invoice/ABCD-0001"]
    assert [(row.kind, row.principal, row.action) for row in rows] == [("provider", "stripe", "registered")]


# Stripe's own table of minor units ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "value", "amount"),
    [
        ("jpy", 5_000, "5000"),
        ("kwd", 5_120, "5.120"),
        ("isk", 500, "5.00"),
        ("ugx", 500, "5.00"),
        ("mga", 500, "500"),
        ("usd", 1, "0.01"),
    ],
)
def test_amounts_are_stripes_minor_units(currency: str, value: int, amount: str) -> None:
    event = said("payment_intent.succeeded", an_intent(value=value, currency=currency))
    assert event is not None
    assert str(event.fact.amount) == amount  # type: ignore[union-attr]


def test_a_currency_whose_minor_unit_is_unknown_is_not_guessed() -> None:
    assert said("payment_intent.succeeded", an_intent(currency="lyd")) is None


# Versions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2024-06-20", "2025-03-31.basil", "2027-04-01.fir", None])
async def test_an_event_of_another_version_waits_and_says_what_to_do(desk: Desk, version: str | None) -> None:
    desk.register()
    await desk.hear("stripe", event_of(an_event("payment_intent.succeeded", an_intent(), api_version=version)))
    assert desk.told == []
    assert "STRIPE_API_KEY" in desk.waiting()["pi_1"]


async def test_a_later_month_of_the_same_version_is_read(desk: Desk) -> None:
    desk.register()
    event = event_of(an_event("payment_intent.succeeded", an_intent(), api_version="2026-11-18.endive"))
    await desk.hear("stripe", event)
    assert desk.paid() == "1200.00"


@pytest.mark.parametrize("kind", ["plan.created", "customer.updated", "payment_intent.created"])
def test_events_that_concern_nothing_are_none(kind: str) -> None:
    found = an_intent(status="processing") if kind.startswith("payment") else {"id": "x", "object": "plan"}
    assert said(kind, found) is None

"""Stripe as the billing system: which invoices start a case, what is told of them, what ends them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain.billing_events import SubjectState
from dunwell.domain.terms import Stage
from dunwell.gateways import retry
from dunwell.gateways.stripe.objects import event_of
from tests.builders import an_invoice
from tests.gateways.fakes import Answer
from tests.stripe.desk import Desk
from tests.stripe.emulator import StripeEmulator
from tests.stripe.objects import (
    NOW,
    a_credit_note,
    a_portion,
    a_refund,
    an_event,
    an_intent,
    an_invoice_of,
    said,
)

ID = "ABCD-0001"


async def finalized(desk: Desk, at: int = NOW, **changes: Any) -> None:
    await desk.hear("stripe", said("invoice.finalized", an_invoice_of(**changes), created=at))


def later(kind: str, seconds: int = 60, **changes: Any) -> Any:
    return said(kind, an_invoice_of(**changes), created=NOW + seconds)


def started(desk: Desk) -> bool:
    return desk.subject("in_1").invoice_id is not None


# What starts a case ---------------------------------------------------------------------------------------


async def test_an_invoice_that_is_sent_starts_a_case_once(each_desk: Desk) -> None:
    desk = each_desk
    await finalized(desk)
    await desk.hear("stripe", later("invoice.sent"), later("invoice.updated", 90))
    case = desk.case(ID)
    assert (str(case.open_amount), case.currency, str(case.due_on)) == ("1200.00", "EUR", "2027-03-16")
    assert (desk.told, desk.state("in_1")) == ([], SubjectState.SETTLED)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"collection_method": "charge_automatically"}, "no attempt was made yet"),
        (
            {"collection_method": "charge_automatically", "attempted": True, "next_payment_attempt": NOW + 86_400},
            "the next attempt is on 2027-03-03",
        ),
        ({"amount_due": 0, "status": "paid"}, "it is paid"),
        ({"amount_due": 0}, "nothing is open of it"),
        ({"status": "void"}, "it is void"),
    ],
)
async def test_what_is_left_to_stripe(desk: Desk, changes: dict[str, Any], why: str) -> None:
    await finalized(desk, **changes)
    assert (started(desk), desk.waiting()) == (False, {})
    assert why in (desk.subject("in_1").reason or "")


async def test_one_charged_automatically_starts_when_stripes_own_attempts_have_ended(desk: Desk) -> None:
    automatic: dict[str, Any] = {"collection_method": "charge_automatically", "attempted": True, "attempt_count": 1}
    await finalized(desk, **automatic, next_payment_attempt=NOW + 86_400)
    assert not started(desk)
    await desk.hear("stripe", later("invoice.payment_failed", **automatic | {"attempt_count": 4}))
    assert desk.case(ID).stage is Stage.SCHEDULED or desk.case(ID).stage is Stage.CHASING


async def test_what_cannot_be_mapped_says_all_that_it_lacks(desk: Desk) -> None:
    nowhere = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}
    await finalized(desk, customer_address=nowhere, customer_name=None)
    why = desk.waiting()["in_1"]
    assert "customer.name: is missing" in why
    assert "customer.country: is missing" in why
    await desk.hear("stripe", later("invoice.updated"))
    assert (started(desk), desk.waiting()) == (True, {})


async def test_metadata_says_what_fields_do_not(desk: Desk) -> None:
    metadata = {
        "dunwell_invoice_id": "INV-9",
        "dunwell_policy": "friendly-small",
        "dunwell_language": "es",
        "dunwell_kind": "consumer",
        "dunwell_country": "ES",
        "dunwell_time_zone": "Europe/Madrid",
        "dunwell_customer_id": "C-9",
        "other": "of somebody else",
    }
    await finalized(desk, metadata=metadata)
    case = desk.case("INV-9")
    assert (case.customer_id, case.policy.name) == ("C-9", "friendly-small")


async def test_contacts_of_metadata_stand_beside_the_customer(desk: Desk) -> None:
    metadata = {"dunwell_manager_email": "boss@brightwater.example", "dunwell_manager_name": "Ada Berg"}
    await finalized(desk, metadata=metadata)
    from dunwell.store.tables import ContactRow

    with desk.deps.database.reading() as session:
        found = {(row.role.value, row.name, row.email) for row in session.query(ContactRow)}
    assert found == {
        ("accounts_payable", "Brightwater GmbH", "ap@brightwater.example"),
        ("manager", "Ada Berg", "boss@brightwater.example"),
    }


async def test_an_invoice_that_came_by_file_is_followed_and_not_started_again(desk: Desk) -> None:
    desk.register(an_invoice(number=ID))
    await finalized(desk)
    assert desk.subject("in_1").invoice_id == "inv-1"
    await desk.hear("stripe", later("invoice.voided", status="void"))
    assert desk.case().stage is Stage.CANCELLED


# What changes or ends it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "changes", "stage"),
    [
        ("invoice.voided", {"status": "void"}, Stage.CANCELLED),
        ("invoice.marked_uncollectible", {"status": "uncollectible"}, Stage.WRITTEN_OFF),
    ],
)
async def test_what_ends_at_stripe_ends_here(desk: Desk, kind: str, changes: dict[str, Any], stage: Stage) -> None:
    await finalized(desk)
    await desk.hear("stripe", later(kind, **changes), later("invoice.updated", 61, **changes))
    assert (desk.case(ID).stage, len(desk.told)) == (stage, 1)


async def test_an_older_event_that_comes_late_changes_nothing(desk: Desk) -> None:
    await finalized(desk)
    await desk.hear("stripe", later("invoice.updated", 60, amount_due=90_000))
    await desk.hear("stripe", later("invoice.updated", 30))
    assert (desk.open(ID), desk.names()) == ("900.00", ["invoice_amended"])


async def test_a_credit_note_before_payment_lowers_the_claim_and_one_for_all_ends_it(desk: Desk) -> None:
    await finalized(desk)
    await desk.hear("stripe", later("invoice.updated", amount_due=90_000))
    assert desk.open(ID) == "900.00"
    await desk.hear("stripe", later("invoice.updated", 90, amount_due=0))
    assert desk.case(ID).stage is Stage.CANCELLED


async def test_a_new_due_date_is_told(desk: Desk) -> None:
    await finalized(desk)
    await desk.hear("stripe", later("invoice.updated", due_date=NOW + 30 * 86_400))
    assert str(desk.case(ID).due_on) == "2027-04-01"


async def test_what_a_person_changed_here_is_not_undone_by_an_event_that_says_nothing_new(desk: Desk) -> None:
    await finalized(desk)
    await desk.tell(ID, "invoice_amended", {"amount": "1100.00", "by": "agent"})
    await desk.hear("stripe", later("invoice.updated"))
    assert desk.open(ID) == "1100.00"


# What pays it ---------------------------------------------------------------------------------------------

PAID = later("invoice.paid", status="paid", amount_paid=120_000)


async def test_a_payment_counts_once_whichever_event_comes_first(desk: Desk) -> None:
    just_now = int(datetime.now(UTC).timestamp())
    paid = said("invoice.paid", an_invoice_of(status="paid", amount_paid=120_000), created=just_now)
    intent = said("payment_intent.succeeded", an_intent(metadata={}))
    events = [paid, said("invoice_payment.paid", a_portion()), intent]
    for order in (events, events[::-1]):
        await finalized(desk, just_now - 60)
        for event in order:
            await desk.hear("stripe", event)
        desk.later += timedelta(minutes=3)
        await desk.work()
        assert (desk.case(ID).stage, desk.names(), desk.waiting()) == (Stage.PAID, ["payment_received"], {})


async def test_paid_outside_of_stripe_ends_the_case_after_a_while(desk: Desk) -> None:
    await finalized(desk)
    await desk.hear("stripe", PAID)
    (told,) = desk.told
    assert (told[2]["payment_id"], told[2]["method"], desk.case(ID).stage) == ("in_1", "outside", Stage.PAID)


async def test_its_payments_are_waited_for_before_it_counts_as_paid_outside(desk: Desk) -> None:
    just_now = int(datetime.now(UTC).timestamp())
    await finalized(desk, just_now - 60)
    paid = an_invoice_of(status="paid", amount_paid=120_000)
    await desk.hear("stripe", said("invoice.paid", paid, created=just_now))
    assert desk.told == []
    desk.later = timedelta(minutes=3)
    await desk.work()
    assert desk.names() == ["payment_received"]


async def test_a_payment_that_is_reported_late_takes_the_place_of_what_was_called_paid_outside(desk: Desk) -> None:
    await finalized(desk)
    await desk.hear("stripe", PAID)
    await desk.hear("stripe", said("invoice_payment.paid", a_portion()))
    assert (desk.paid(ID), desk.case(ID).stage) == ("1200.00", Stage.PAID)
    assert desk.names() == ["payment_received", "payment_received", "payment_reversed"]
    assert str(desk.case(ID).credit) in {"0", "0.00"}


async def test_what_the_bank_statement_paid_is_not_paid_again_by_marking_it_paid_at_stripe(desk: Desk) -> None:
    await finalized(desk)
    await desk.tell(ID, "payment_received", {"payment_id": "bank-1", "amount": "1200.00", "currency": "EUR"})
    await desk.hear("stripe", PAID)
    assert (desk.paid(ID), str(desk.case(ID).credit)) in {("1200.00", "0"), ("1200.00", "0.00")}


async def test_what_was_paid_before_the_case_is_in_force_when_it_starts(desk: Desk) -> None:
    await desk.hear(
        "stripe",
        said("invoice_payment.paid", a_portion(value=50_000)),
        said("invoice.updated", an_invoice_of(amount_paid=70_000, amount_remaining=50_000)),
    )
    assert (desk.open(ID), desk.told) == ("500.00", [])
    assert {one.payment_id for one in desk.case(ID).money.receipts} == {"pi_1", "in_1"}


async def test_what_was_paid_outside_before_the_case_stays_paid_when_the_invoice_is_looked_at_again(
    desk: Desk,
) -> None:
    for day in (1, 2):
        facts = an_invoice_of(amount_paid=70_000, amount_remaining=50_000)
        await desk.hear("stripe", said("invoice.updated", facts, created=NOW + day))
    assert (desk.open(ID), desk.told) == ("500.00", [])
    await desk.hear("stripe", said("invoice_payment.paid", a_portion(value=70_000)))
    assert desk.open(ID) == "500.00"
    assert desk.case(ID).money.reversals[-1].reason == "counted-twice"


async def test_a_refund_with_its_credit_note_leaves_a_paid_case_paid(desk: Desk) -> None:
    await finalized(desk)
    await desk.hear("stripe", said("invoice_payment.paid", a_portion()), PAID)
    note = said("credit_note.created", a_credit_note({"re_1": 30_000}))
    await desk.hear("stripe", note)
    await desk.hear("stripe", said("refund.created", a_refund(30_000)))
    assert (desk.case(ID).stage, desk.paid(ID)) == (Stage.PAID, "1200.00")
    await desk.hear("stripe", said("credit_note.voided", a_credit_note({"re_1": 30_000}, status="void")))
    assert desk.open(ID) == "300.00"


async def test_an_automatic_payment_of_an_invoice_without_a_case_is_nobodys_work(desk: Desk) -> None:
    automatic: dict[str, Any] = {"collection_method": "charge_automatically", "attempted": True}
    paid = later("invoice.paid", status="paid", amount_paid=120_000, **automatic)
    await desk.hear("stripe", said("payment_intent.succeeded", an_intent(metadata={})))
    assert list(desk.waiting()) == ["pi_1"]
    await desk.hear("stripe", said("invoice_payment.paid", a_portion()), paid)
    await desk.try_again()
    assert (desk.waiting(), desk.told) == ({}, [])


# Stripe is asked ------------------------------------------------------------------------------------------


async def test_what_stripe_says_now_counts_more_than_an_event(asking_desk: Desk, stripe: StripeEmulator) -> None:
    desk = asking_desk
    old = stripe.event("invoice.finalized", stripe.invoice())
    stripe.customer(1, metadata={"dunwell_policy": "friendly-small"})
    stripe.objects["in_1"]["amount_due"] = 90_000
    await desk.hear("stripe", event_of(old))
    case = desk.case("ABCD-0001")
    assert (desk.open(ID), case.policy.name) == ("900.00", "friendly-small")
    stripe.pay(1, 90_000)
    await desk.hear("stripe", event_of(stripe.event("invoice.paid", stripe.objects["in_1"])))
    assert [content["payment_id"][:5] for _, _, content in desk.told] == ["pi_1_"]


async def test_an_event_of_another_version_is_read_anew(asking_desk: Desk, stripe: StripeEmulator) -> None:
    desk = asking_desk
    desk.register()
    intent = stripe.put(an_intent())
    await desk.hear("stripe", event_of(an_event("payment_intent.succeeded", intent, api_version="2020-08-27")))
    assert (desk.paid(), desk.waiting()) == ("1200.00", {})
    stripe.invoice()
    await desk.hear(
        "stripe", event_of(an_event("invoice.paid", {"id": "in_1", "object": "invoice"}, api_version=None))
    )
    assert desk.open(ID) == "1200.00"


async def test_stripe_that_cannot_be_asked_delays(
    asking_desk: Desk, stripe: StripeEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PAUSES", (0.0,))
    stripe.next(Answer(503), Answer(503))
    event = event_of(stripe.event("invoice.finalized", stripe.invoice()))
    await asking_desk.hear("stripe", event)
    assert "cannot be read just now (status 503)" in asking_desk.waiting()["in_1"]
    await asking_desk.try_again()
    assert asking_desk.open(ID) == "1200.00"


@pytest.mark.parametrize(("status", "said"), [(401, "STRIPE_API_KEY"), (403, "right to"), (404, "STRIPE_API_URL")])
async def test_a_refusal_of_stripe_says_what_to_do(
    asking_desk: Desk, stripe: StripeEmulator, status: int, said: str
) -> None:
    stripe.next(Answer(status))
    await asking_desk.hear("stripe", event_of(stripe.event("invoice.finalized", stripe.invoice())))
    assert said in asking_desk.waiting()["in_1"]


async def test_too_many_requests_are_made_again_after_the_time_that_stripe_names(
    asking_desk: Desk, stripe: StripeEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0))
    stripe.next(Answer(429, headers={"Retry-After": "0"}), Answer(429))
    await asking_desk.hear("stripe", event_of(stripe.event("invoice.finalized", stripe.invoice())))
    assert asking_desk.open(ID) == "1200.00"

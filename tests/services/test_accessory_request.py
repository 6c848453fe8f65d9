"""What is left of interest and costs after the payment is asked for once, in one message, and then let go."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.events import DeliveryReport
from dunwell.domain.invoice import EarlierPayment, History
from dunwell.domain.policy import Policy
from dunwell.domain.terms import DebtorKind, Role, Stage
from dunwell.services import delivery_reports
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness
from tests.services.languages import spaced

ASKS_ONCE = """
name = "asks-once"
version = 1
jurisdictions = ["DE"]
pay_days = 10
accessory = "ask_once"
accessory_floor = "10.00"

[reactions]
paid = "thank-you"
restored = "restored"
accessory_left = "accessory-request"

[[step]]
id = "claim"
when = "due + 30 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-second"
interest = "statutory"
lump_sum = true
"""
LADDER = a_ladder(ASKS_ONCE)
CLAIM, PAID = "2026-04-01 08:00", "2026-04-07 08:00"
"""Paid on 7 April: 36 days at 10.27 per cent of 1,200.00 are 12.16, with the lump sum 52.16."""


@pytest.fixture
def harness(file_database: Database) -> Iterator[ServiceHarness]:
    deps = sample_deps(file_database)
    yield ServiceHarness(replace(deps, sender=replace(deps.sender, country="DE")))


def chased(
    harness: ServiceHarness, kind: DebtorKind | None = DebtorKind.BUSINESS, ladder: Policy = LADDER, **changes: Any
) -> None:
    customer = a_customer(kind=kind, contacts=(a_contact(**changes),))
    bill = an_invoice(customer=customer, issued_on=date(2026, 2, 1), due_on=date(2026, 3, 2))
    harness.open(bill, at("2026-02-20 12:00"), ladder)
    harness.carry_out("claim", CLAIM)


def asked(harness: ServiceHarness, when: str = "2026-04-07 09:00") -> str:
    """The text that leaves when the answer that is owed is carried out."""
    action = harness.case.next_action
    assert action is not None and action.step.startswith("accessory-request~")
    harness.carry_out(action.step, when)
    (row,) = harness.messages(action.step)
    return spaced(row.subject + "\n" + row.body)


def said(harness: ServiceHarness) -> list[str]:
    return [entry.reason for entry in harness.entries("accessory")]


def test_one_message_thanks_for_the_payment_and_asks_for_what_is_left(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay(PAID)
    assert (harness.case.stage, harness.case.open_amount, harness.access()) == (Stage.PAID, Decimal(0), "full")
    assert [owed.partition("~")[0] for owed in harness.case.outstanding.owed] == ["accessory-request"]
    text = asked(harness)
    assert "Thank you: invoice 2027-001 is paid; left for the delay: €52.16" in text
    assert "Interest on invoice 2027-001 since March 3, 2026, 10.27% a year · €12.16" in text
    assert "Fixed sum for late payment of invoice 2027-001 · €40.00" in text
    assert "Total, if paid by April 17, 2026 · €52.16" in text and "Together with" not in text
    assert "Legal basis: §§ 286, 288 Abs. 2 BGB, § 288 Abs. 5 BGB." in text
    assert "1,252" not in text and "We ask for this only once" in text


def test_after_that_it_is_let_go_and_nothing_more_happens(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay(PAID)
    asked(harness)
    assert said(harness) == [
        "52.16 EUR are left beside the principal (12.16 interest, 40.00 lump sum, 0.00 costs; confirmed): "
        "to be asked for once, by the ladder's rule",
        "52.16 EUR were asked for, by 2026-04-17; what does not come is waived",
    ]
    assert (harness.case.accessory_asked_on, harness.case.next_action) == (date(2026, 4, 7), None)
    assert harness.case.finished and harness.tasks() == [] and harness.case.holds == []
    assert len(harness.messages()) == 2


def test_what_comes_of_it_is_no_credit(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay(PAID)
    asked(harness)
    harness.pay("2026-04-15 08:00", "52.16", "p2")
    assert (harness.case.credit, harness.case.accessory, harness.case.finished) == (Decimal(0), None, True)
    assert "52.16 EUR of what was paid met interest, lump sum and costs: that is no credit" in said(harness)


@pytest.mark.parametrize("more", ["52.16", "45.00"], ids=["all of it", "so much that less than the floor is left"])
def test_nothing_is_asked_for_when_it_was_paid_before_the_message_left(harness: ServiceHarness, more: str) -> None:
    chased(harness)
    harness.pay(PAID)
    harness.pay("2026-04-07 08:30", more, "p2")
    assert (harness.case.finished, harness.case.next_action, harness.case.outstanding.owed) == (True, None, [])


def test_a_step_in_flight_finds_that_it_was_paid(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay(PAID)
    before = harness.case.model_copy(deep=True)
    action = before.next_action
    assert action is not None
    harness.pay("2026-04-07 08:30", "52.16", "p2")
    harness.carry_out(action.step, "2026-04-07 09:00", before)
    assert len(harness.messages()) == 1 and harness.case.finished


def test_a_payment_that_the_bank_takes_back_takes_the_question_with_it(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay(PAID)
    owed = harness.case.outstanding.owed[0]
    harness.record("payment_reversed", "2026-04-07 08:30", payment_id="p1", reason="R01")
    assert (harness.case.stage, harness.case.accessory, harness.case.outstanding.owed) == ("chasing", None, [])
    harness.carry_out(owed, "2026-04-07 09:00")
    assert len(harness.messages()) == 1


def test_it_is_asked_for_once_also_when_the_invoice_is_paid_twice(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay(PAID)
    asked(harness)
    harness.record("payment_reversed", "2026-04-20 08:30", payment_id="p1", reason="R01")
    harness.pay("2026-05-04 08:00", "1200.00", "p2")
    assert [owed.partition("~")[0] for owed in harness.case.outstanding.owed] == ["thank-you"]
    assert said(harness)[-1].endswith("waived, because it was asked for on 2026-04-07 already")


def test_below_the_floor_the_customer_is_thanked_and_nothing_else(harness: ServiceHarness) -> None:
    chased(harness, ladder=LADDER.model_copy(update={"accessory_floor": Decimal("52.17")}))
    harness.pay(PAID)
    assert [owed.partition("~")[0] for owed in harness.case.outstanding.owed] == ["thank-you"]
    assert said(harness)[0].endswith("waived, by less than the ladder's floor of 52.17")


def test_a_private_person_is_asked_only_for_what_a_law_names(harness: ServiceHarness) -> None:
    chased(harness, DebtorKind.CONSUMER, LADDER.model_copy(update={"accessory_floor": Decimal("1.00")}))
    harness.pay(PAID)
    text = asked(harness)
    assert "6.27%" in text and "§§ 286, 288 Abs. 1 BGB" in text and "Fixed sum" not in text


def test_nobody_can_be_reached_and_a_person_decides(harness: ServiceHarness) -> None:
    chased(harness)
    (row,) = harness.messages("claim")
    harness.report(row, "bounced", "2026-04-01 09:00", "550")
    harness.pay(PAID)
    action = harness.case.next_action
    assert action is not None
    harness.carry_out(action.step, "2026-04-07 09:00")
    assert said(harness)[-1] == "52.16 EUR are left to a person: no message about them arrived"
    assert harness.case.finished and harness.case.accessory is not None and harness.case.accessory.rule == "bill"
    (task,) = harness.tasks()
    assert (task.task_id, task.amount, task.outlives_case) == ("inv-1.accessory", Decimal("52.16"), True)
    assert "nobody could be reached in writing about them. Bill them and close this" in task.reason


BOTH = a_ladder(ASKS_ONCE.replace('by = ["email"]', 'by = ["email", "sms"]'))
BOUNCED = "2026-04-08 08:00"


def returned(harness: ServiceHarness) -> str:
    """The request leaves, and its latest message bounces the day after. The step that goes on."""
    asked(harness)
    step = harness.messages()[-1].step
    return bounced(harness, step)


def bounced(harness: ServiceHarness, step: str) -> str:
    row = harness.messages(step)[-1]
    harness.report(row, "bounced", BOUNCED, "550")
    return step


def go_on(harness: ServiceHarness, step: str) -> list[tuple[str, str]]:
    """Carry the step out where its time has come: to whom its messages went, and how."""
    action = harness.case.next_action
    assert action is not None and action.step == step and not harness.case.finished
    assert harness.case.accessory_asked_on is None
    harness.carry_out(step, f"{action.at:%Y-%m-%d %H:%M}")
    return [(row.contact_id, row.channel.value) for row in harness.messages(step)]


def test_a_request_that_bounces_goes_by_another_channel(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    person = "acme.accounts_payable.1"
    assert go_on(harness, returned(harness)) == [(person, "email"), (person, "sms")]
    assert "52.16 EUR were asked for" in said(harness)[-1]
    assert harness.case.finished and harness.tasks() == [] and harness.access() == "full"


def test_a_request_that_bounces_goes_to_another_person(harness: ServiceHarness) -> None:
    customer = a_customer(kind=DebtorKind.BUSINESS, contacts=(a_contact(), a_contact(Role.MANAGER)))
    harness.open(
        an_invoice(customer=customer, issued_on=date(2026, 2, 1), due_on=date(2026, 3, 2)),
        at("2026-02-20 12:00"),
        LADDER,
    )
    harness.carry_out("claim", CLAIM)
    harness.pay(PAID)
    assert [one for one, _ in go_on(harness, returned(harness))] == ["acme.accounts_payable.1", "acme.manager.1"]
    assert harness.case.finished and harness.tasks() == []


def test_a_request_that_bounces_everywhere_is_left_to_a_person_once(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    step = returned(harness)
    go_on(harness, step)
    bounced(harness, step)
    assert len(go_on(harness, step)) == 2
    (task,) = harness.tasks()
    assert task.amount == Decimal("52.16") and harness.case.finished
    harness.pay("2026-04-20 08:00", "12.16", "p2")
    (task,) = harness.tasks()
    assert (task.amount, harness.case.finished, len(harness.messages(step))) == (Decimal("40.00"), True, 2)


def test_what_came_before_the_bounce_is_not_asked_for_again(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    asked(harness)
    step = harness.messages()[-1].step
    harness.pay("2026-04-08 07:00", "52.16", "p2")
    bounced(harness, step)
    assert (harness.case.finished, harness.case.next_action, len(harness.messages(step))) == (True, None, 1)


def test_what_comes_after_the_bounce_ends_the_search(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    step = returned(harness)
    harness.pay("2026-04-08 09:00", "52.16", "p2")
    assert (harness.case.finished, harness.case.next_action, harness.tasks()) == (True, None, [])
    harness.carry_out(step, "2026-04-08 10:00")
    assert len(harness.messages(step)) == 1


def test_a_payment_that_is_taken_back_ends_the_search_too(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    step = returned(harness)
    harness.record("payment_reversed", "2026-04-08 09:00", payment_id="p1", reason="R01")
    assert (harness.case.stage, harness.case.accessory, harness.case.outstanding.again) == ("chasing", None, [])
    harness.carry_out(step, "2026-04-08 10:00")
    assert len(harness.messages(step)) == 1


def test_the_bounce_of_another_message_leaves_an_ended_case_as_it_is(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    asked(harness)
    harness.report(harness.messages("claim")[0], "bounced", BOUNCED, "550")
    assert (harness.case.finished, harness.case.outstanding.again, len(harness.messages())) == (True, [], 2)


def test_a_report_of_it_is_news_to_the_ended_case_only_when_it_did_not_arrive(harness: ServiceHarness) -> None:
    chased(harness, ladder=BOTH, phone="+4915112345678")
    harness.pay(PAID)
    asked(harness)
    claim, request = (row.message_id for row in harness.messages())
    with harness.deps.database.reading() as session:
        news = [
            (message_id == request, status)
            for message_id in (claim, request)
            for status in ("delivered", "bounced", "failed")
            if delivery_reports.asks_elsewhere(
                session,
                DeliveryReport.model_validate({"message_id": message_id, "status": status, "at": at(PAID)}),
                "inv-1",
            )
        ]
    assert news == [(True, "bounced"), (True, "failed")]


def test_it_waits_for_office_hours_and_the_caps_as_every_message_does(harness: ServiceHarness) -> None:
    chased(harness)
    harness.pay("2026-04-10 20:00")
    action = harness.case.next_action
    assert action is not None and (action.step, action.at) == ("accessory-request~2", at("2026-04-13 07:00"))


def test_a_text_message_asks_for_it_too(harness: ServiceHarness) -> None:
    sms = a_ladder(ASKS_ONCE.replace('by = ["email"]', 'by = ["sms"]'))
    chased(harness, ladder=sms, email=None, phone="+4915112345678")
    harness.pay(PAID)
    text = asked(harness)
    assert "invoice 2027-001 is paid. For the delay €52.16 is left" in text and "pay by Apr 17." in text
    assert harness.case.money.claimed == Decimal("52.16")


def test_an_invoice_that_was_paid_before_it_came_is_not_asked_about(harness: ServiceHarness) -> None:
    bill = an_invoice(
        customer=a_customer(kind=DebtorKind.BUSINESS),
        issued_on=date(2026, 2, 1),
        due_on=date(2026, 3, 2),
        history=History(
            paid=(EarlierPayment(payment_id="p0", amount=Decimal("1200.00"), received_at=at("2026-04-01 09:00")),)
        ),
    )
    harness.open(bill, at("2026-04-20 12:00"), LADDER)
    assert harness.case.outstanding.owed == []

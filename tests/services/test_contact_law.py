"""The limits of a country's law hold beside the ladder's: the stricter one wins, and the timeline names it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.contact_limits import ContactForm, ContactHours, ContactLimit, ContactRule, Weekday
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.legal_fact import Certainty
from dunwell.domain.policy import Policy
from dunwell.domain.terms import DebtorKind, Role
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, sample_deps
from tests.services.conftest import ServiceHarness

TWO_LETTERS = a_ladder("""
name = "two-letters"
version = 1
gap_days = 1
contacts_per_week = 20

[[step]]
id = "first"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"

[[step]]
id = "second"
when = "first + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-second"
""")
CALLS = a_ladder("""
name = "calls"
version = 1
calls_per_week = 7

[calls]
attempts = 3
retry = "2 hours"
rest_after_conversation_days = 0

[[step]]
id = "call"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["call"]
message = "reminder-first"

[[step]]
id = "again"
when = "call + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["call"]
message = "reminder-second"
""")
FIRST, SECOND = "2027-03-02 09:00", "2027-03-03 09:00"


def law_of(**limits: Any) -> Jurisdiction:
    """The law of a country that limits contacts with private persons."""
    rule = ContactRule(
        customers=(DebtorKind.CONSUMER,),
        valid_from=date(2020, 1, 1),
        source="https://law.example/1",
        checked_on=date(2026, 1, 1),
        certainty=Certainty.CONFIRMED,
        basis="Act 1",
        **limits,
    )
    return Jurisdiction(code="DE", name="Germany", currency="EUR", contact=(rule,))


def limit(*forms: ContactForm, at_most: int, days: int) -> ContactLimit:
    return ContactLimit(forms=forms, at_most=at_most, days=days)


WEEKLY = law_of(limits=(limit(ContactForm.MESSAGES, at_most=1, days=7),))


@pytest.fixture
def harness(file_database: Database) -> Iterator[ServiceHarness]:
    yield ServiceHarness(sample_deps(file_database))


def under(
    harness: ServiceHarness, law: Jurisdiction, kind: DebtorKind | None, ladder: Policy = TWO_LETTERS, **customer: Any
) -> ServiceHarness:
    """A case of a customer of this kind, under this law."""
    bound = ServiceHarness(replace(harness.deps, laws={law.code: law}))
    people = (a_contact(phone="+4930901820"),)
    bound.open(an_invoice(customer=a_customer(kind=kind, contacts=people, **customer)), ladder=ladder)
    return bound


@pytest.mark.parametrize(
    ("kind", "country", "status"),
    [
        pytest.param(DebtorKind.CONSUMER, "DE", "delayed", id="a private person"),
        pytest.param(None, "DE", "delayed", id="of unknown kind: counts as a private person"),
        pytest.param(DebtorKind.BUSINESS, "DE", "done", id="a company: the law does not speak of it"),
        pytest.param(DebtorKind.CONSUMER, "FR", "done", id="another country, without a law that is known"),
    ],
)
def test_a_law_on_messages_holds_beside_the_ladder(
    harness: ServiceHarness, kind: DebtorKind | None, country: str, status: str
) -> None:
    one = under(harness, WEEKLY, kind, country=country)
    one.carry_out("first", FIRST)
    found = one.carry_out("second", SECOND).outcome
    assert found is not None and found.status == status
    if status == "delayed":
        assert f"{found.until:%Y-%m-%d %H:%M}" == FIRST.replace("02 ", "09 ")
        assert [one.reason for one in one.entries("delayed")] == [
            "acme had 1 messages in 7 day(s), the most by Act 1 (until 2027-03-09 09:00 UTC)"
        ]


def test_it_counts_every_invoice_and_every_person_of_the_customer(harness: ServiceHarness) -> None:
    one = under(harness, WEEKLY, DebtorKind.CONSUMER)
    one.carry_out("first", FIRST)
    other = ServiceHarness(one.deps)
    customer = a_customer(kind=DebtorKind.CONSUMER, contacts=(a_contact(number=2),))
    other.open(an_invoice(invoice_id="inv-2", number="2", customer=customer), ladder=TWO_LETTERS)
    found = other.carry_out("first", SECOND).outcome
    assert found is not None and found.status == "delayed"


def test_days_between_two_messages(harness: ServiceHarness) -> None:
    one = under(harness, law_of(days_between=2), DebtorKind.CONSUMER)
    one.carry_out("first", FIRST)
    found = one.carry_out("second", SECOND).outcome
    assert found is not None and f"{found.until:%Y-%m-%d %H:%M}" == "2027-03-04 09:00"


@pytest.mark.parametrize("law", [WEEKLY, law_of(days_between=2)], ids=["a cap", "days between"])
def test_a_case_behind_another_is_not_held_by_contacts_of_its_future(
    harness: ServiceHarness, law: Jurisdiction
) -> None:
    """A rehearsed case may be months behind another one of its customer."""
    behind = under(harness, law, DebtorKind.CONSUMER)
    ahead = ServiceHarness(behind.deps)
    customer = a_customer(kind=DebtorKind.CONSUMER, contacts=(a_contact(number=2),))
    ahead.open(an_invoice(invoice_id="inv-2", number="2", customer=customer), ladder=TWO_LETTERS)
    assert (there := ahead.carry_out("first", "2027-09-07 10:00").outcome) and there.status == "done"
    assert (here := behind.carry_out("first", FIRST).outcome) and here.status == "done"


def test_a_message_waits_for_the_hours_of_the_law(harness: ServiceHarness) -> None:
    hours = ContactHours(days=tuple(Weekday)[:5], opens=time(11), closes=time(20))
    one = under(harness, law_of(hours=(hours,)), DebtorKind.CONSUMER)
    found = one.carry_out("first", FIRST).outcome
    assert found is not None and f"{found.until:%Y-%m-%d %H:%M}" == "2027-03-02 10:00"
    assert one.entries("delayed")[0].reason.startswith("outside the hours of Act 1: waits for the next open hour")
    assert one.case.next_action is not None and f"{one.case.next_action.at:%H:%M}" == "10:00"


def test_a_window_outside_the_hours_of_the_law_gives_way_to_them(harness: ServiceHarness) -> None:
    hours = ContactHours(days=tuple(Weekday)[:5], opens=time(18), closes=time(20))
    one = under(harness, law_of(hours=(hours,)), DebtorKind.CONSUMER)
    found = one.carry_out("first", FIRST).outcome
    assert found is not None and f"{found.until:%Y-%m-%d %H:%M}" == "2027-03-02 17:00"


HANDING_OVER = a_ladder("""
name = "handing-over"
version = 1
warnings_before_restriction = 1

[[step]]
id = "warning"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "formal-complaint"
announces = ["hand-over"]
late = "shift"

[[step]]
id = "hand-over"
when = "warning + 2 business days at 10:00"
needs = "1 delivered warnings, 1 day apart"
to = ["accounts_payable"]
by = ["email"]
message = "handover-notice"
ends = "handed_over"
late = "shift"
""")


def test_collection_waits_for_the_days_of_written_notice_that_the_law_gives(harness: ServiceHarness) -> None:
    law = law_of(notice_days=14)
    bound = ServiceHarness(replace(harness.deps, laws={law.code: law}))
    bound.open(an_invoice(customer=a_customer(kind=DebtorKind.CONSUMER)), ladder=HANDING_OVER)
    bound.carry_out("warning", FIRST)
    (row,) = bound.messages("warning")
    bound.report(row, "delivered", "2027-03-02 09:05")
    found = bound.carry_out("hand-over", "2027-03-05 09:00").outcome
    assert found is not None and found.status == "delayed"
    assert "the last warning arrived less than 14 days ago (Act 1)" in bound.entries("delayed")[-1].reason
    found = bound.carry_out("hand-over", "2027-03-17 09:00").outcome
    assert found is not None and found.status == "done"


def test_who_is_no_party_is_not_written_to_once_the_customer_is_known_to_be_a_private_person(
    harness: ServiceHarness,
) -> None:
    to_both = TWO_LETTERS.model_copy(
        update={
            "steps": tuple(
                step.model_copy(update={"to": (Role.ACCOUNTS_PAYABLE, Role.MANAGER)}) for step in TWO_LETTERS.steps
            )
        }
    )
    told = {}
    for kind in (DebtorKind.BUSINESS, DebtorKind.CONSUMER):
        one, name = ServiceHarness(harness.deps), f"inv-{kind}"
        people = tuple(
            a_contact(role, contact_id=f"c-{kind}.{role}.1", email=f"{role}@{kind}.example")
            for role in (Role.ACCOUNTS_PAYABLE, Role.MANAGER)
        )
        customer = a_customer(kind=kind, contacts=people, customer_id=f"c-{kind}")
        one.open(an_invoice(invoice_id=name, number=name, customer=customer), ladder=to_both)
        one.carry_out("first", FIRST)
        told[kind] = sorted(row.contact_id for row in one.messages("first"))
    assert [len(found) for found in told.values()] == [2, 1]


def calling(harness: ServiceHarness, law: Jurisdiction) -> ServiceHarness:
    bound = ServiceHarness(replace(harness.deps, laws={law.code: law}))
    customer = a_customer(kind=DebtorKind.CONSUMER, contacts=(a_contact(phone="+4930901820"),))
    bound.open(an_invoice(customer=customer), ladder=CALLS)
    return bound


def test_a_second_attempt_waits_for_the_law(harness: ServiceHarness) -> None:
    law = law_of(limits=(limit(ContactForm.CALLS, ContactForm.VISITS, at_most=1, days=7),))
    one = calling(harness, law)
    one.carry_out("call", FIRST)
    (task,) = one.tasks()
    one.record("call_outcome", "2027-03-02 10:00", task_id=task.task_id, outcome="no_answer", by="ana")
    (retry,) = one.tasks()
    assert f"{retry.due_at:%Y-%m-%d %H:%M}" == "2027-03-09 09:00"


def test_after_a_talk_nobody_is_called_for_the_days_of_the_law(harness: ServiceHarness) -> None:
    one = calling(harness, law_of(rest_days_after_talk=7))
    one.carry_out("call", FIRST)
    (task,) = one.tasks()
    one.record("call_outcome", "2027-03-02 10:00", task_id=task.task_id, outcome="refused", by="ana")
    found = one.carry_out("again", SECOND).outcome
    assert found is not None and f"{found.until:%Y-%m-%d %H:%M}" == "2027-03-09 10:00"
    assert "was talked with less than 7 day(s) ago (Act 1)" in one.entries("delayed")[-1].reason


def test_a_limit_on_talks_counts_conversations_and_not_attempts(harness: ServiceHarness) -> None:
    one = calling(harness, law_of(limits=(limit(ContactForm.TALKS, at_most=1, days=1),)))
    one.carry_out("call", FIRST)
    (task,) = one.tasks()
    one.record("call_outcome", "2027-03-02 10:00", task_id=task.task_id, outcome="no_answer", by="ana")
    (retry,) = one.tasks()
    assert f"{retry.due_at:%Y-%m-%d %H:%M}" == "2027-03-02 12:00"


# What each contact names ----------------------------------------------------------------------------------

NAMES = law_of(fields_to_name=("name", "phone"))


def test_nothing_is_sent_that_cannot_name_what_the_law_demands(harness: ServiceHarness) -> None:
    one = under(harness, NAMES, DebtorKind.CONSUMER)
    one.carry_out("first", FIRST)
    assert one.messages() == []
    assert one.entries("withheld")[0].reason.endswith("Act 1 has each contact name: phone; set SENDER_PHONE")


@pytest.mark.parametrize("by", [Channel.EMAIL, Channel.SMS])
def test_each_message_names_who_writes_and_a_phone_number(harness: ServiceHarness, by: Channel) -> None:
    harness.deps = replace(harness.deps, sender=replace(harness.deps.sender, phone="+7 495 123-45-67"))
    steps = tuple(step.model_copy(update={"by": (by,)}) for step in TWO_LETTERS.steps)
    one = under(harness, NAMES, DebtorKind.CONSUMER, ladder=TWO_LETTERS.model_copy(update={"steps": steps}))
    one.carry_out("first", FIRST)
    (row,) = one.messages()
    assert row.channel == by and "Ana Lopez" in row.body and "+7 495 123-45-67" in row.body


def test_a_company_is_written_to_without_that(harness: ServiceHarness) -> None:
    one = under(harness, NAMES, DebtorKind.BUSINESS)
    one.carry_out("first", FIRST)
    assert len(one.messages()) == 1

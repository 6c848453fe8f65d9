"""What one step does: whom it reaches, when it waits, when it is silent, and what it does to access."""

from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.events import parse_event
from dunwell.domain.terms import Role
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.product_access import NoProduct
from dunwell.services.access_publishing import publish
from dunwell.services.failures import ProviderFailed
from dunwell.store import cases
from tests.builders import a_contact, a_customer, an_invoice, at
from tests.gateways.fakes import Answer, FakeProduct, FakeSendGrid, FakeTwilio
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid, by_twilio, to_product

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-22 09:00"
STOPPED = "+15005550004"  # Twilio's test recipient that said STOP


def with_contacts(*contacts: Contact, **changes: Any) -> Any:
    return an_invoice(customer=a_customer(contacts=contacts), **changes)


def until_restricted(harness: ServiceHarness) -> None:
    harness.carry_out("first-reminder", FIRST)
    harness.carry_out("second-reminder", SECOND)


# Whom a step reaches -------------------------------------------------------------------------------------

AP, USER, MANAGER, OURS = Role.ACCOUNTS_PAYABLE, Role.USER, Role.MANAGER, Role.ACCOUNT_MANAGER


@pytest.mark.parametrize(
    ("contacts", "states", "called"),
    [
        # everybody the step names, and nobody else
        (
            [a_contact(AP), a_contact(USER), a_contact(MANAGER), a_contact(OURS)],
            {"accounts_payable email": "delivered", "user email": "delivered"},
            False,
        ),
        # two of a role
        ([a_contact(AP), a_contact(AP, 2)], {"accounts_payable email": "delivered"}, False),
        # no e-mail address: SMS
        ([a_contact(AP, email=None, phone="+34600123456")], {"accounts_payable sms": "delivered"}, False),
        # e-mail before SMS, and only one of them
        ([a_contact(AP, phone="+34600123456")], {"accounts_payable email": "delivered"}, False),
        # a bounce moves to SMS
        (
            [a_contact(AP, email="bounce@acme.example", phone="+34600123456")],
            {"accounts_payable email": "bounced", "accounts_payable sms": "delivered"},
            False,
        ),
        # one of two is enough: nobody else is drawn in
        (
            [a_contact(AP, email="bounce@acme.example"), a_contact(USER), a_contact(MANAGER)],
            {"accounts_payable email": "bounced", "user email": "delivered"},
            False,
        ),
        # nobody named is left: another of the debtor's people
        (
            [a_contact(AP, email="bounce@acme.example", phone=STOPPED), a_contact(MANAGER)],
            {"accounts_payable email": "bounced", "accounts_payable sms": "failed", "manager email": "delivered"},
            False,
        ),
        # nobody at all: a person calls; our own people are not the debtor's
        (
            [a_contact(AP, email="bounce@acme.example", phone="+15005550009"), a_contact(OURS)],
            {"accounts_payable email": "bounced", "accounts_payable sms": "failed"},
            True,
        ),
        # no address of any kind
        ([a_contact(AP, email=None), a_contact(OURS)], {}, True),
    ],
)
def test_whom_a_step_reaches(
    harness: ServiceHarness, contacts: list[Contact], states: dict[str, str], called: bool
) -> None:
    harness.open(with_contacts(*contacts))
    answer = harness.carry_out("first-reminder", FIRST)
    assert answer.outcome is not None
    assert answer.outcome.status == "done"
    assert harness.states() == states
    assert [task.kind for task in harness.tasks()] == (["call"] if called else [])
    assert all(entry.reason for entry in harness.entries())
    everybody = harness.messages(copies=True)
    assert len(harness.entries("sent")) == sum(row.state == "delivered" for row in everybody)


def test_a_step_carried_out_twice_reaches_nobody_twice(harness: ServiceHarness) -> None:
    case = harness.open().model_copy(deep=True)
    harness.carry_out("first-reminder", FIRST)
    written = harness.entries()
    answer = harness.carry_out("first-reminder", FIRST, case)  # its worker died before it could report
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert len(harness.messages()) == 2
    assert harness.entries() == written
    assert [done.step for done in harness.case.progress.steps] == ["first-reminder"]


def test_a_bounce_closes_the_address_for_every_later_step(harness: ServiceHarness) -> None:
    harness.open(with_contacts(a_contact(AP, email="bounce@acme.example", phone="+34600123456")))
    until_restricted(harness)
    assert harness.states("second-reminder") == {"accounts_payable sms": "delivered"}
    assert "the address bounced" in harness.entries("withheld")[0].reason


@pytest.mark.parametrize(
    ("status", "code"), [("bounced", "550"), ("failed", "dropped")], ids=["bounced", "failed for good"]
)
def test_a_message_reported_lost_is_followed_by_another_channel(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, twilio: FakeTwilio, status: str, code: str
) -> None:
    harness = make_harness(by_sendgrid(sendgrid), by_twilio(twilio))
    harness.open(with_contacts(a_contact(AP, phone="+34600123456")))
    harness.carry_out("first-reminder", FIRST)
    assert harness.states() == {"accounts_payable email": "accepted"}
    answer = harness.report(harness.messages()[0], status, "2027-03-02 09:05", code)
    assert answer.next_action is not None
    assert answer.next_action.step == "first-reminder"
    harness.carry_out("first-reminder", "2027-03-02 09:06")
    assert harness.states() == {"accounts_payable email": status, "accounts_payable sms": "accepted"}
    assert (len(sendgrid.mails), len(twilio.messages)) == (1, 1)
    assert harness.case.outstanding.again == []
    assert [done.step for done in harness.case.progress.steps] == ["first-reminder"]


@pytest.mark.parametrize(
    ("answer", "next_state"),
    [
        (Answer(400, message="no such recipient", wrong="personalizations.0.to.0.email"), "accepted"),
        (Answer(413), "accepted"),  # this mail never, by whatever route: SMS is another message
    ],
)
def test_a_permanent_error_moves_to_the_next_channel(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, twilio: FakeTwilio, answer: Answer, next_state: str
) -> None:
    harness = make_harness(by_sendgrid(sendgrid), by_twilio(twilio))
    harness.open(with_contacts(a_contact(AP, phone="+34600123456")))
    sendgrid.next(answer)
    harness.carry_out("first-reminder", FIRST)
    assert harness.states() == {"accounts_payable email": "failed", "accounts_payable sms": next_state}


def test_stop_is_honoured_at_once_and_for_good(make_harness: MakeHarness, twilio: FakeTwilio) -> None:
    harness = make_harness(sms=by_twilio(twilio))
    harness.open(with_contacts(a_contact(AP, email=None, phone="+34600123456")))
    twilio.next(Answer(400, code=21610))
    until_restricted(harness)
    assert len(twilio.requests) == 1
    assert [task.kind for task in harness.tasks()] == ["call", "call"]
    assert "the address stopped" in harness.entries("withheld")[0].reason


def test_a_call_is_a_task_with_its_script(harness: ServiceHarness) -> None:
    harness.open(an_invoice(policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    (task,) = harness.tasks()
    assert (task.kind, task.contact_id) == ("call", "acme.accounts_payable.1")
    assert "2027-001" in task.script
    assert harness.messages() == []


# When a step waits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "until", "reason"),
    [
        ("2027-03-02 07:59", "2027-03-02 08:00", "outside the contact window"),  # 08:59 in Berlin
        ("2027-03-02 16:00", "2027-03-03 08:00", "outside the contact window"),
        ("2027-03-06 10:00", "2027-03-08 08:00", "weekend"),
        ("2027-03-26 10:00", "2027-03-30 07:00", "Good Friday"),
    ],
)
def test_outside_the_window_a_step_waits_and_says_why(
    harness: ServiceHarness, when: str, until: str, reason: str
) -> None:
    harness.open()
    answer = harness.carry_out("first-reminder", when)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", at(until))
    assert reason in harness.entries("delayed")[0].reason
    assert harness.messages() == []


@pytest.mark.parametrize(
    ("policy", "done", "step", "when", "status", "shift", "sent"),
    [
        ("gentle-saas", [], "first-reminder", "2027-03-10 09:00", "done", 0, 2),  # late = send
        ("gentle-saas", [("first-reminder", FIRST)], "second-reminder", "2027-03-17 09:00", "done", 0, 2),  # a day
        ("gentle-saas", [("first-reminder", FIRST)], "second-reminder", "2027-03-22 09:00", "done", 6, 2),  # shift
        ("gradual-pressure", [], "early-call", "2027-03-03 09:00", "skipped", 0, 0),  # skip
    ],
)
def test_a_late_step_follows_its_own_rule(
    harness: ServiceHarness,
    policy: str,
    done: list[tuple[str, str]],
    step: str,
    when: str,
    status: str,
    shift: int,
    sent: int,
) -> None:
    harness.open(an_invoice(policy=policy))
    for earlier, moment in done:
        harness.carry_out(earlier, moment)
    answer = harness.carry_out(step, when)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.shift) == (status, shift * 86_400)
    assert len(harness.messages(step)) == sent
    assert not harness.tasks()


@pytest.mark.parametrize("step", ["second-reminder", "restrict", "hand-over"])
def test_no_step_is_done_before_its_turn(harness: ServiceHarness, step: str) -> None:
    harness.open()
    answer = harness.carry_out(step, "2027-04-20 09:00")
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert harness.messages() == []
    assert harness.access() == "full"


# No restriction without proof ----------------------------------------------------------------------------


def test_access_stays_until_two_warnings_have_arrived(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open()
    until_restricted(harness)
    first, second = harness.messages("first-reminder")[0], harness.messages("second-reminder")[0]
    harness.report(first, "delivered", "2027-03-02 09:05")

    answer = harness.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("blocked", at("2027-03-29 09:00"))
    assert (harness.access(), harness.messages("restrict")) == ("full", [])
    (task,) = harness.tasks()
    assert (task.kind, "2 delivered warnings are needed, 1 arrived" in task.reason) == ("decision", True)
    assert answer.next_action is not None
    assert answer.next_action.at == at("2027-03-30 07:00")  # the 29th is Easter Monday

    told = harness.report(second, "delivered", "2027-03-23 10:00")
    assert told.arrived
    assert told.next_action is not None
    assert (told.next_action.step, told.next_action.at) == ("restrict", at("2027-03-23 10:00"))
    answer = harness.carry_out("restrict", "2027-03-23 10:00")
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", at("2027-03-26 10:00"))  # 3 days later
    assert harness.access() == "full"

    harness.carry_out("restrict", "2027-03-30 08:00")
    assert harness.access() == "restricted"
    assert harness.states("restrict") == {
        "accounts_payable email": "accepted",
        "user email": "accepted",
    }


def test_two_deliveries_of_one_warning_are_one_warning(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open()
    until_restricted(harness)
    for row in harness.messages("first-reminder"):
        harness.report(row, "delivered", "2027-03-02 09:05")
    answer = harness.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert answer.outcome.status == "blocked"


def test_a_warning_to_an_address_that_closed_since_proves_nothing(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(with_contacts(a_contact(AP), a_contact(MANAGER)))
    until_restricted(harness)
    first, second = harness.messages("first-reminder")[0], harness.messages("second-reminder")[0]
    harness.report(first, "delivered", "2027-03-02 09:05")
    harness.report(second, "delivered", "2027-03-16 09:05")
    harness.report(second, "bounced", "2027-03-16 09:30")  # the mailbox took it and gave it back
    harness.carry_out("second-reminder", "2027-03-16 09:31")
    answer = harness.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert answer.outcome.status == "blocked"
    assert "0 arrived" in harness.entries("blocked")[0].reason


# Access --------------------------------------------------------------------------------------------------


def test_a_restriction_is_told_once_and_payment_brings_access_back_at_once(
    make_harness: MakeHarness, product: FakeProduct
) -> None:
    harness = make_harness(access=to_product(product.url))
    harness.open()
    until_restricted(harness)
    case = harness.case.model_copy(deep=True)
    answer = harness.carry_out("restrict", RESTRICT)
    harness.carry_out("restrict", RESTRICT, case)
    assert (answer.access, answer.unpublished) == ("restricted", False)
    assert [change["access"] for change in product.changes.values()] == ["restricted"]

    paid = harness.pay("2027-03-22 22:00")  # at night too
    assert (paid.access, paid.holds, paid.unpublished) == ("full", [], True)
    publish(harness.deps, "acme", at("2027-03-22 22:00"), rehearsal=False)
    assert [change["access"] for change in product.changes.values()] == ["restricted", "full"]
    assert len(product.requests) == 2
    assert paid.next_action is not None
    assert paid.next_action.step.startswith("restored~")


def test_a_product_that_is_down_holds_nothing_up_and_is_told_later(
    make_harness: MakeHarness, product: FakeProduct
) -> None:
    harness = make_harness(access=to_product(product.url))
    harness.open()
    until_restricted(harness)
    product.next(Answer(503))
    assert harness.carry_out("restrict", RESTRICT).unpublished
    assert harness.access() == "restricted"
    assert harness.states("restrict")["user email"] == "delivered"
    assert harness.pay("2027-03-22 10:00").unpublished
    assert harness.access() == "full"
    publish(harness.deps, "acme", at("2027-03-22 11:00"), rehearsal=False)
    assert [change["access"] for change in product.changes.values()] == ["restricted", "full"]  # in order


def test_f5_what_is_written_about_money_does_not_wait_for_the_product(
    make_harness: MakeHarness, product: FakeProduct
) -> None:
    harness = make_harness(access=to_product(product.url))
    harness.open()
    until_restricted(harness)
    harness.carry_out("restrict", RESTRICT)
    asked = len(product.requests)
    assert harness.pay("2027-03-22 10:00").unpublished  # an activity of its own tells the product
    assert (harness.access(), len(product.requests)) == ("full", asked)


def test_a_restriction_interrupted_half_way_goes_on_at_once(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open()
    until_restricted(harness)
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND)):
        harness.report(harness.messages(step)[0], "delivered", when)
    sendgrid.next(Answer(), Answer(429))
    with pytest.raises(ProviderFailed, match="SendGrid"):
        harness.carry_out("restrict", RESTRICT)
    taken = next(row for row in harness.messages("restrict") if row.state == "accepted")
    harness.report(taken, "delivered", RESTRICT)  # the news itself is no warning
    answer = harness.carry_out("restrict", "2027-03-22 09:01")
    assert answer.outcome is not None
    assert answer.outcome.status == "done"
    assert len(harness.messages("restrict")) == 2
    assert len(sendgrid.mails) == 9  # two letters to two people each, the news to them, and three copies


def test_an_unreachable_product_is_left_for_later(make_harness: MakeHarness, closed_url: str) -> None:
    harness = make_harness(access=to_product(closed_url))
    harness.open()
    until_restricted(harness)
    assert harness.carry_out("restrict", RESTRICT).unpublished


def test_another_invoices_hold_stays_when_one_is_paid(harness: ServiceHarness) -> None:
    other = ServiceHarness(harness.deps)
    both = ((harness, 1), (other, 2))
    for one, number in both:
        one.open(an_invoice(invoice_id=f"inv-{number}"))
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        for one, _ in both:
            one.carry_out(step, when)
    assert harness.pay("2027-03-22 10:00").access == "restricted"
    assert other.pay("2027-03-22 11:00").access == "full"


def test_after_a_reversal_the_restriction_is_announced_and_done_again(harness: ServiceHarness) -> None:
    harness.open()
    until_restricted(harness)
    harness.carry_out("restrict", RESTRICT)
    for number, day, later in ((1, "2027-03-23", "2027-03-31"), (2, "2027-04-06", "2027-04-12")):
        harness.pay(f"{day} 09:00", payment_id=f"p{number}")
        assert harness.access() == "full"
        harness.record("payment_reversed", f"{day} 09:30", payment_id=f"p{number}", reason="chargeback")
        harness.carry_out("second-reminder", f"{day} 10:00")
        assert len(harness.messages(f"second-reminder.again{number}")) == 2
        answer = harness.carry_out("restrict", f"{later} 10:00")
        assert answer.outcome is not None
        assert (answer.outcome.status, harness.access()) == ("done", "restricted")
        assert len(harness.messages(f"restrict.again{number}")) == 2
    assert len(harness.messages("restrict")) == 2


def test_money_that_comes_and_goes_beside_a_restriction_leaves_it_to_be_done_again(make_harness: MakeHarness) -> None:
    """The payment frees the account of the hold just placed: it is not done, and announced anew a day later."""

    class Interrupted(OutboxGateway):
        def send(self, envelope: Envelope) -> Receipt:
            if harness.access() == "restricted" and harness.case.reopened == 0:
                harness.pay(RESTRICT)
                harness.record("payment_reversed", RESTRICT, payment_id="p1", reason="chargeback")
            return super().send(envelope)

    harness = make_harness(Interrupted(Channel.EMAIL))
    harness.open()
    until_restricted(harness)
    answer = harness.carry_out("restrict", RESTRICT)
    assert (harness.access(), [done.step for done in harness.case.progress.steps]) == (
        "full",
        ["first-reminder"],
    )
    assert answer.next_action is not None
    assert (answer.next_action.step, answer.next_action.at) == ("second-reminder", at("2027-03-23 09:00"))
    harness.carry_out("second-reminder", "2027-03-23 09:00")
    again = harness.carry_out("restrict", "2027-03-31 09:00")
    assert (again.outcome and again.outcome.status, harness.access()) == ("done", "restricted")
    assert harness.case.progress.consequences == ["restrict"]
    assert len(harness.messages("restrict.again1")) == 2


# Silent after money --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dispute_opened", {"reason": "price", "opened_by": "user"}),
        ("pause", {"reason": "talks", "by": "agent-7"}),
        ("promise_to_pay", {"date": "2027-03-25", "promised_by": "user"}),
        ("payment_received", {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}),
    ],
)
def test_what_is_heard_as_the_step_begins_leaves_access_alone(
    harness: ServiceHarness, name: str, content: dict[str, Any]
) -> None:
    """The case knows of it; the database is only about to be told."""
    harness.open()
    until_restricted(harness)
    harness.case.apply(parse_event(name, [content]), at(RESTRICT))
    answer = harness.carry_out("restrict", RESTRICT)
    assert (answer.outcome and answer.outcome.status) == "stale"
    assert harness.access() == "full"


def test_a_payment_recorded_before_the_step_leaves_it_nothing_to_do(harness: ServiceHarness) -> None:
    before = harness.open().model_copy(deep=True)
    harness.pay("2027-03-02 08:59")
    answer = harness.carry_out("first-reminder", FIRST, before)
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert answer.newer is not None
    assert answer.newer.stage == "paid"
    assert harness.messages() == []


@pytest.mark.parametrize(
    ("event", "content"),
    [
        ("payment_received", {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}),
        ("dispute_opened", {"reason": "quality", "opened_by": "user"}),
        ("pause", {"reason": "hardship", "by": "agent-7"}),
        ("cancel", {"reason": "wrong", "by": "agent-7"}),
        ("promise_to_pay", {"date": "2027-03-10", "promised_by": "user"}),
    ],
)
def test_what_happens_between_two_contacts_silences_the_second(
    make_harness: MakeHarness, event: str, content: dict[str, Any]
) -> None:
    class Interrupted(OutboxGateway):
        def send(self, envelope: Envelope) -> Receipt:
            beside = ServiceHarness(harness.deps)
            beside.case = case.model_copy(deep=True)
            beside.record(event, FIRST, **content)
            return super().send(envelope)

    harness = make_harness(Interrupted(Channel.EMAIL))
    case = harness.open().model_copy(deep=True)
    answer = harness.carry_out("first-reminder", FIRST)
    assert len(harness.messages()) == 1
    assert "nothing may be asked for now" in harness.entries("withheld")[0].reason
    with harness.deps.database.reading() as session:
        stored = cases.get(session, "inv-1")
    assert stored is not None
    assert stored.resting  # the step's older copy of the case did not replace it
    assert [done.step for done in stored.progress.steps] == ["first-reminder"]
    assert answer.outcome is not None


def test_a_letter_asks_for_what_is_open_when_it_leaves(harness: ServiceHarness) -> None:
    before = harness.open()
    older = before.model_copy(deep=True)
    harness.pay("2027-03-01 09:00", "200.00")
    harness.carry_out("first-reminder", FIRST)
    assert {row.amount for row in harness.messages()} == {Decimal("1000.00")}
    assert all("1,000.00" in row.body for row in harness.messages())
    assert older.open_amount == Decimal("1200.00")


def test_a_rehearsal_reaches_the_outbox_only(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, product: FakeProduct
) -> None:
    harness = make_harness(by_sendgrid(sendgrid), access=to_product(product.url))
    harness.open(rehearsal=True)
    assert isinstance(harness.deps.rehearsal_product, NoProduct)
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when, rehearsal=True)
    assert harness.access() == "restricted"
    assert {row.provider for row in harness.messages()} == {"outbox"}
    assert (sendgrid.requests, product.requests) == ([], [])


def test_an_answer_that_may_not_be_given_any_more_does_not_hold_up_the_next(harness: ServiceHarness) -> None:
    """A part came in on Saturday, on Sunday a date for the rest: on Monday only the date is answered."""
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    harness.pay("2027-03-06 10:00", "100.00")
    harness.record("promise_to_pay", "2027-03-07 10:00", date="2027-03-12", promised_by="user")
    first = harness.carry_out("part-received~1", "2027-03-08 09:00")
    assert (first.next_action and first.next_action.step) == "promise-confirmed~2"
    assert harness.entries("withheld")[0].step == "part-received~1"
    second = harness.carry_out("promise-confirmed~2", "2027-03-08 09:00")
    assert (second.next_action and second.next_action.step) == "promise-due~2027-03-12"
    assert not harness.messages("part-received~1")


# What a note ahead of an agreed day asks for -------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "day", "asks"),
    [
        pytest.param([], "2027-03-20", "€400.00 by March 20, 2027", id="nothing came: the whole part"),
        pytest.param(["150.00"], "2027-03-20", "€250.00 by March 20, 2027", id="a part of it came: the rest of it"),
        pytest.param(["400.00"], "2027-04-20", "€800.00 by April 20, 2027", id="the first is met: the second"),
        pytest.param(["500.00"], "2027-04-20", "€700.00 by April 20, 2027", id="and some of the second: its rest"),
    ],
)
def test_the_next_instalment_is_asked_for_less_what_came_of_it(
    harness: ServiceHarness, came: list[str], day: str, asks: str
) -> None:
    harness.open()
    reactions = harness.case.rules.reactions.model_copy(update={"instalment_due": "instalment-due"})
    harness.case.rules = harness.case.rules.model_copy(update={"reactions": reactions})
    plan = [{"date": "2027-03-20", "amount": "400.00"}, {"date": "2027-04-20", "amount": "800.00"}]
    harness.record("payment_plan_agreed", FIRST, instalments=plan, by="agent-7")
    for number, amount in enumerate(came):
        harness.pay("2027-03-03 09:00", amount, f"p{number}")
    harness.carry_out(f"instalment-due~{day}", "2027-03-19 09:00")
    (message,) = harness.messages()
    assert asks in message.body


def test_the_reminder_of_an_instalment_asks_for_nothing_in_dispute(harness: ServiceHarness) -> None:
    harness.open()
    reactions = harness.case.rules.reactions.model_copy(update={"instalment_due": "instalment-due"})
    harness.case.rules = harness.case.rules.model_copy(update={"reactions": reactions})
    plan = [{"date": "2027-03-20", "amount": "400.00"}, {"date": "2027-04-20", "amount": "800.00"}]
    harness.record("payment_plan_agreed", FIRST, instalments=plan, by="agent-7")
    harness.pay("2027-03-03 09:00", "400.00", "p1")
    harness.record("dispute_opened", FIRST, reason="price", opened_by="agent-7", amount="200.00")
    harness.carry_out("instalment-due~2027-04-20", "2027-04-19 09:00")
    (message,) = harness.messages()
    assert "€600.00 by April 20, 2027" in message.body

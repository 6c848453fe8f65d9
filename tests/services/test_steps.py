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
from tests.services.conftest import MakeOffice, Office, by_sendgrid, by_twilio, to_product

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-22 09:00"
STOPPED = "+15005550004"  # Twilio's test recipient that said STOP


def with_contacts(*contacts: Contact, **changes: Any) -> Any:
    return an_invoice(customer=a_customer(contacts=contacts), **changes)


def until_restricted(office: Office) -> None:
    office.carry_out("first-reminder", FIRST)
    office.carry_out("second-reminder", SECOND)


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
def test_whom_a_step_reaches(office: Office, contacts: list[Contact], states: dict[str, str], called: bool) -> None:
    office.open(with_contacts(*contacts))
    answer = office.carry_out("first-reminder", FIRST)
    assert answer.outcome is not None
    assert answer.outcome.status == "done"
    assert office.states() == states
    assert [task.kind for task in office.tasks()] == (["call"] if called else [])
    assert all(entry.reason for entry in office.entries())
    everybody = office.messages(copies=True)
    assert len(office.entries("sent")) == sum(row.state == "delivered" for row in everybody)


def test_a_step_carried_out_twice_reaches_nobody_twice(office: Office) -> None:
    case = office.open().model_copy(deep=True)
    office.carry_out("first-reminder", FIRST)
    written = office.entries()
    answer = office.carry_out("first-reminder", FIRST, case)  # its worker died before it could report
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert len(office.messages()) == 2
    assert office.entries() == written
    assert [done.step for done in office.case.progress.steps] == ["first-reminder"]


def test_a_bounce_closes_the_address_for_every_later_step(office: Office) -> None:
    office.open(with_contacts(a_contact(AP, email="bounce@acme.example", phone="+34600123456")))
    until_restricted(office)
    assert office.states("second-reminder") == {"accounts_payable sms": "delivered"}
    assert "the address bounced" in office.entries("withheld")[0].reason


@pytest.mark.parametrize(
    ("status", "code"), [("bounced", "550"), ("failed", "dropped")], ids=["bounced", "failed for good"]
)
def test_a_message_reported_lost_is_followed_by_another_channel(
    make_office: MakeOffice, sendgrid: FakeSendGrid, twilio: FakeTwilio, status: str, code: str
) -> None:
    office = make_office(by_sendgrid(sendgrid), by_twilio(twilio))
    office.open(with_contacts(a_contact(AP, phone="+34600123456")))
    office.carry_out("first-reminder", FIRST)
    assert office.states() == {"accounts_payable email": "accepted"}
    answer = office.report(office.messages()[0], status, "2027-03-02 09:05", code)
    assert answer.next_action is not None
    assert answer.next_action.step == "first-reminder"
    office.carry_out("first-reminder", "2027-03-02 09:06")
    assert office.states() == {"accounts_payable email": status, "accounts_payable sms": "accepted"}
    assert (len(sendgrid.mails), len(twilio.messages)) == (1, 1)
    assert office.case.outstanding.again == []
    assert [done.step for done in office.case.progress.steps] == ["first-reminder"]


@pytest.mark.parametrize(
    ("answer", "next_state"),
    [
        (Answer(400, message="no such recipient", wrong="personalizations.0.to.0.email"), "accepted"),
        (Answer(413), "accepted"),  # this mail never, by whatever route: SMS is another message
    ],
)
def test_a_permanent_error_moves_to_the_next_channel(
    make_office: MakeOffice, sendgrid: FakeSendGrid, twilio: FakeTwilio, answer: Answer, next_state: str
) -> None:
    office = make_office(by_sendgrid(sendgrid), by_twilio(twilio))
    office.open(with_contacts(a_contact(AP, phone="+34600123456")))
    sendgrid.next(answer)
    office.carry_out("first-reminder", FIRST)
    assert office.states() == {"accounts_payable email": "failed", "accounts_payable sms": next_state}


def test_stop_is_honoured_at_once_and_for_good(make_office: MakeOffice, twilio: FakeTwilio) -> None:
    office = make_office(sms=by_twilio(twilio))
    office.open(with_contacts(a_contact(AP, email=None, phone="+34600123456")))
    twilio.next(Answer(400, code=21610))
    until_restricted(office)
    assert len(twilio.requests) == 1
    assert [task.kind for task in office.tasks()] == ["call", "call"]
    assert "the address stopped" in office.entries("withheld")[0].reason


def test_a_call_is_a_task_with_its_script(office: Office) -> None:
    office.open(an_invoice(policy="gradual-pressure"))
    office.carry_out("early-call", "2027-02-24 09:00")
    (task,) = office.tasks()
    assert (task.kind, task.contact_id) == ("call", "acme.accounts_payable.1")
    assert "2027-001" in task.script
    assert office.messages() == []


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
def test_outside_the_window_a_step_waits_and_says_why(office: Office, when: str, until: str, reason: str) -> None:
    office.open()
    answer = office.carry_out("first-reminder", when)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", at(until))
    assert reason in office.entries("delayed")[0].reason
    assert office.messages() == []


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
    office: Office,
    policy: str,
    done: list[tuple[str, str]],
    step: str,
    when: str,
    status: str,
    shift: int,
    sent: int,
) -> None:
    office.open(an_invoice(policy=policy))
    for earlier, moment in done:
        office.carry_out(earlier, moment)
    answer = office.carry_out(step, when)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.shift) == (status, shift * 86_400)
    assert len(office.messages(step)) == sent
    assert not office.tasks()


@pytest.mark.parametrize("step", ["second-reminder", "restrict", "hand-over"])
def test_no_step_is_done_before_its_turn(office: Office, step: str) -> None:
    office.open()
    answer = office.carry_out(step, "2027-04-20 09:00")
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert office.messages() == []
    assert office.access() == "full"


# No restriction without proof ----------------------------------------------------------------------------


def test_access_stays_until_two_warnings_have_arrived(make_office: MakeOffice, sendgrid: FakeSendGrid) -> None:
    office = make_office(by_sendgrid(sendgrid))
    office.open()
    until_restricted(office)
    first, second = office.messages("first-reminder")[0], office.messages("second-reminder")[0]
    office.report(first, "delivered", "2027-03-02 09:05")

    answer = office.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("blocked", at("2027-03-29 09:00"))
    assert (office.access(), office.messages("restrict")) == ("full", [])
    (task,) = office.tasks()
    assert (task.kind, "2 delivered warnings are needed, 1 arrived" in task.reason) == ("decision", True)
    assert answer.next_action is not None
    assert answer.next_action.at == at("2027-03-30 07:00")  # the 29th is Easter Monday

    told = office.report(second, "delivered", "2027-03-23 10:00")
    assert told.arrived
    assert told.next_action is not None
    assert (told.next_action.step, told.next_action.at) == ("restrict", at("2027-03-23 10:00"))
    answer = office.carry_out("restrict", "2027-03-23 10:00")
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", at("2027-03-26 10:00"))  # 3 days later
    assert office.access() == "full"

    office.carry_out("restrict", "2027-03-30 08:00")
    assert office.access() == "restricted"
    assert office.states("restrict") == {
        "accounts_payable email": "accepted",
        "user email": "accepted",
    }


def test_two_deliveries_of_one_warning_are_one_warning(make_office: MakeOffice, sendgrid: FakeSendGrid) -> None:
    office = make_office(by_sendgrid(sendgrid))
    office.open()
    until_restricted(office)
    for row in office.messages("first-reminder"):
        office.report(row, "delivered", "2027-03-02 09:05")
    answer = office.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert answer.outcome.status == "blocked"


def test_a_warning_to_an_address_that_closed_since_proves_nothing(
    make_office: MakeOffice, sendgrid: FakeSendGrid
) -> None:
    office = make_office(by_sendgrid(sendgrid))
    office.open(with_contacts(a_contact(AP), a_contact(MANAGER)))
    until_restricted(office)
    first, second = office.messages("first-reminder")[0], office.messages("second-reminder")[0]
    office.report(first, "delivered", "2027-03-02 09:05")
    office.report(second, "delivered", "2027-03-16 09:05")
    office.report(second, "bounced", "2027-03-16 09:30")  # the mailbox took it and gave it back
    office.carry_out("second-reminder", "2027-03-16 09:31")
    answer = office.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert answer.outcome.status == "blocked"
    assert "0 arrived" in office.entries("blocked")[0].reason


# Access --------------------------------------------------------------------------------------------------


def test_a_restriction_is_told_once_and_payment_brings_access_back_at_once(
    make_office: MakeOffice, product: FakeProduct
) -> None:
    office = make_office(access=to_product(product.url))
    office.open()
    until_restricted(office)
    case = office.case.model_copy(deep=True)
    answer = office.carry_out("restrict", RESTRICT)
    office.carry_out("restrict", RESTRICT, case)
    assert (answer.access, answer.unpublished) == ("restricted", False)
    assert [change["access"] for change in product.changes.values()] == ["restricted"]

    paid = office.pay("2027-03-22 22:00")  # at night too
    assert (paid.access, paid.holds, paid.unpublished) == ("full", [], True)
    publish(office.deps, "acme", at("2027-03-22 22:00"), rehearsal=False)
    assert [change["access"] for change in product.changes.values()] == ["restricted", "full"]
    assert len(product.requests) == 2
    assert paid.next_action is not None
    assert paid.next_action.step.startswith("restored~")


def test_a_product_that_is_down_holds_nothing_up_and_is_told_later(
    make_office: MakeOffice, product: FakeProduct
) -> None:
    office = make_office(access=to_product(product.url))
    office.open()
    until_restricted(office)
    product.next(Answer(503))
    assert office.carry_out("restrict", RESTRICT).unpublished
    assert office.access() == "restricted"
    assert office.states("restrict")["user email"] == "delivered"
    assert office.pay("2027-03-22 10:00").unpublished
    assert office.access() == "full"
    publish(office.deps, "acme", at("2027-03-22 11:00"), rehearsal=False)
    assert [change["access"] for change in product.changes.values()] == ["restricted", "full"]  # in order


def test_f5_what_is_written_about_money_does_not_wait_for_the_product(
    make_office: MakeOffice, product: FakeProduct
) -> None:
    office = make_office(access=to_product(product.url))
    office.open()
    until_restricted(office)
    office.carry_out("restrict", RESTRICT)
    asked = len(product.requests)
    assert office.pay("2027-03-22 10:00").unpublished  # an activity of its own tells the product
    assert (office.access(), len(product.requests)) == ("full", asked)


def test_a_restriction_interrupted_half_way_goes_on_at_once(make_office: MakeOffice, sendgrid: FakeSendGrid) -> None:
    office = make_office(by_sendgrid(sendgrid))
    office.open()
    until_restricted(office)
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND)):
        office.report(office.messages(step)[0], "delivered", when)
    sendgrid.next(Answer(), Answer(429))
    with pytest.raises(ProviderFailed, match="SendGrid"):
        office.carry_out("restrict", RESTRICT)
    taken = next(row for row in office.messages("restrict") if row.state == "accepted")
    office.report(taken, "delivered", RESTRICT)  # the news itself is no warning
    answer = office.carry_out("restrict", "2027-03-22 09:01")
    assert answer.outcome is not None
    assert answer.outcome.status == "done"
    assert len(office.messages("restrict")) == 2
    assert len(sendgrid.mails) == 9  # two letters to two people each, the news to them, and three copies


def test_an_unreachable_product_is_left_for_later(make_office: MakeOffice, closed_url: str) -> None:
    office = make_office(access=to_product(closed_url))
    office.open()
    until_restricted(office)
    assert office.carry_out("restrict", RESTRICT).unpublished


def test_another_invoices_hold_stays_when_one_is_paid(office: Office) -> None:
    other = Office(office.deps)
    both = ((office, 1), (other, 2))
    for one, number in both:
        one.open(an_invoice(invoice_id=f"inv-{number}"))
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        for one, _ in both:
            one.carry_out(step, when)
    assert office.pay("2027-03-22 10:00").access == "restricted"
    assert other.pay("2027-03-22 11:00").access == "full"


def test_after_a_reversal_the_restriction_is_done_and_told_again(office: Office) -> None:
    office.open()
    until_restricted(office)
    office.carry_out("restrict", RESTRICT)
    for number in (1, 2):
        office.pay(f"2027-03-{22 + number} 09:00", payment_id=f"p{number}")
        assert office.access() == "full"
        office.record(
            "payment_reversed", f"2027-03-{22 + number} 09:30", payment_id=f"p{number}", reason="chargeback"
        )
        answer = office.carry_out("restrict", f"2027-03-{22 + number} 10:00")
        assert answer.outcome is not None
        assert (answer.outcome.status, office.access()) == ("done", "restricted")
        assert len(office.messages(f"restrict.again{number}")) == 2
    assert len(office.messages("restrict")) == 2


def test_money_that_comes_and_goes_beside_a_restriction_leaves_it_to_be_done_again(make_office: MakeOffice) -> None:
    """The payment frees the account of the hold just placed: the step is not done, and comes again a day later."""

    class Interrupted(OutboxGateway):
        def send(self, envelope: Envelope) -> Receipt:
            if office.access() == "restricted" and office.case.reopened == 0:
                office.pay(RESTRICT)
                office.record("payment_reversed", RESTRICT, payment_id="p1", reason="chargeback")
            return super().send(envelope)

    office = make_office(Interrupted(Channel.EMAIL))
    office.open()
    until_restricted(office)
    answer = office.carry_out("restrict", RESTRICT)
    assert (office.access(), [done.step for done in office.case.progress.steps]) == (
        "full",
        ["first-reminder", "second-reminder"],
    )
    assert answer.next_action is not None
    assert (answer.next_action.step, answer.next_action.at) == ("restrict", at("2027-03-23 09:00"))
    again = office.carry_out("restrict", "2027-03-23 09:00")
    assert (again.outcome and again.outcome.status, office.access()) == ("done", "restricted")
    assert office.case.progress.consequences == ["restrict"]
    assert len(office.messages("restrict.again1")) == 2


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
    office: Office, name: str, content: dict[str, Any]
) -> None:
    """The case knows of it; the database is only about to be told."""
    office.open()
    until_restricted(office)
    office.case.apply(parse_event(name, [content]), at(RESTRICT))
    answer = office.carry_out("restrict", RESTRICT)
    assert (answer.outcome and answer.outcome.status) == "stale"
    assert office.access() == "full"


def test_a_payment_recorded_before_the_step_leaves_it_nothing_to_do(office: Office) -> None:
    before = office.open().model_copy(deep=True)
    office.pay("2027-03-02 08:59")
    answer = office.carry_out("first-reminder", FIRST, before)
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert answer.newer is not None
    assert answer.newer.stage == "paid"
    assert office.messages() == []


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
    make_office: MakeOffice, event: str, content: dict[str, Any]
) -> None:
    class Interrupted(OutboxGateway):
        def send(self, envelope: Envelope) -> Receipt:
            beside = Office(office.deps)
            beside.case = case.model_copy(deep=True)
            beside.record(event, FIRST, **content)
            return super().send(envelope)

    office = make_office(Interrupted(Channel.EMAIL))
    case = office.open().model_copy(deep=True)
    answer = office.carry_out("first-reminder", FIRST)
    assert len(office.messages()) == 1
    assert "nothing may be asked for now" in office.entries("withheld")[0].reason
    with office.deps.database.reading() as session:
        stored = cases.get(session, "inv-1")
    assert stored is not None
    assert stored.resting  # the step's older copy of the case did not replace it
    assert [done.step for done in stored.progress.steps] == ["first-reminder"]
    assert answer.outcome is not None


def test_a_letter_asks_for_what_is_open_when_it_leaves(office: Office) -> None:
    before = office.open()
    older = before.model_copy(deep=True)
    office.pay("2027-03-01 09:00", "200.00")
    office.carry_out("first-reminder", FIRST)
    assert {row.amount for row in office.messages()} == {Decimal("1000.00")}
    assert all("1,000.00" in row.body for row in office.messages())
    assert older.open_amount == Decimal("1200.00")


def test_a_rehearsal_reaches_the_outbox_only(
    make_office: MakeOffice, sendgrid: FakeSendGrid, product: FakeProduct
) -> None:
    office = make_office(by_sendgrid(sendgrid), access=to_product(product.url))
    office.open(rehearsal=True)
    assert isinstance(office.deps.rehearsal_product, NoProduct)
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        office.carry_out(step, when, rehearsal=True)
    assert office.access() == "restricted"
    assert {row.provider for row in office.messages()} == {"outbox"}
    assert (sendgrid.requests, product.requests) == ([], [])


def test_an_answer_that_may_not_be_given_any_more_does_not_hold_up_the_next(office: Office) -> None:
    """A part came in on Saturday, on Sunday a date for the rest: on Monday only the date is answered."""
    office.open()
    office.carry_out("first-reminder", FIRST)
    office.pay("2027-03-06 10:00", "100.00")
    office.record("promise_to_pay", "2027-03-07 10:00", date="2027-03-12", promised_by="user")
    first = office.carry_out("part-received~1", "2027-03-08 09:00")
    assert (first.next_action and first.next_action.step) == "promise-confirmed~2"
    assert office.entries("withheld")[0].step == "part-received~1"
    second = office.carry_out("promise-confirmed~2", "2027-03-08 09:00")
    assert (second.next_action and second.next_action.step) == "promise-due~2027-03-12"
    assert not office.messages("part-received~1")


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
    office: Office, came: list[str], day: str, asks: str
) -> None:
    office.open()
    reactions = office.case.rules.reactions.model_copy(update={"instalment_due": "instalment-due"})
    office.case.rules = office.case.rules.model_copy(update={"reactions": reactions})
    plan = [{"date": "2027-03-20", "amount": "400.00"}, {"date": "2027-04-20", "amount": "800.00"}]
    office.record("payment_plan_agreed", FIRST, instalments=plan, by="agent-7")
    for number, amount in enumerate(came):
        office.pay("2027-03-03 09:00", amount, f"p{number}")
    office.carry_out(f"instalment-due~{day}", "2027-03-19 09:00")
    (message,) = office.messages()
    assert asks in message.body

"""One customer, one message: steps of several invoices that fall into one window, and what keeps them apart (G5)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.terms import DebtorKind, Role
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.services.failures import ProviderFailed
from dunwell.store import accounts, outbox
from dunwell.store.database import Database
from dunwell.store.tables import MessageRow
from tests.builders import a_contact, a_customer, a_ladder, an_invoice
from tests.gateways.fakes import Answer, FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-22 09:00"
PAYER = a_customer(contacts=(a_contact(phone="+15005550006"),))


def ten(harness: ServiceHarness, count: int = 10, **changes: object) -> list[ServiceHarness]:
    """Harnesses for invoices inv-0, inv-1, ... of one customer, 100.00, 101.00, ... EUR each."""
    harnesses = []
    for number in range(count):
        one = ServiceHarness(harness.deps)
        amount = Decimal(100 + number).quantize(Decimal("0.01"))
        facts = {"invoice_id": f"inv-{number}", "number": f"N{number}", "amount": amount, "customer": PAYER}
        one.open(an_invoice(**facts | changes))
        harnesses.append(one)
    return harnesses


def letters(harness: ServiceHarness) -> list[tuple[str, list[str], str]]:
    with harness.deps.database.reading() as session:
        return [(row.message, invoices, row.state) for row, invoices, _ in outbox.rows(session)]


def test_ten_invoices_make_one_letter_with_all_amounts(harness: ServiceHarness) -> None:
    harnesses = ten(harness)
    for one in harnesses:
        one.carry_out("first-reminder", FIRST)
    [(message, invoices, state)] = letters(harness)
    assert (message, len(invoices), state) == ("reminder-first", 10, "delivered")
    body = harnesses[0].messages()[0].body
    assert all(f"N{number}" in body and f"{100 + number}.00" in body for number in range(10))
    assert "€1,045.00" in body
    for one in harnesses:
        assert [done.step for done in one.case.progress.steps] == ["first-reminder"]
        assert "about 10 invoices" in one.entries("sent")[0].reason


def test_an_invoice_paid_a_second_before_is_not_in_the_table(harness: ServiceHarness) -> None:
    harnesses = ten(harness, 3)
    harnesses[1].pay("2027-03-02 08:59", amount="101.00")
    harnesses[0].carry_out("first-reminder", FIRST)
    body = harnesses[0].messages()[0].body
    assert "N2" in body
    assert "N1" not in body


def test_the_firmest_step_leads(harness: ServiceHarness) -> None:
    """One invoice has come to its last warning on the day another is first asked for: one letter, the warning."""
    old = ServiceHarness(harness.deps)
    old.open(an_invoice(invoice_id="old", number="OLD", customer=PAYER))
    old.carry_out("first-reminder", FIRST)
    new = ServiceHarness(harness.deps)
    new.open(an_invoice(invoice_id="new", number="NEW", customer=PAYER, due_on=date(2027, 3, 15)))
    new.carry_out("first-reminder", SECOND)
    old.carry_out("second-reminder", SECOND)
    assert [(message, invoices) for message, invoices, _ in letters(harness)] == [
        ("reminder-first", ["old"]),
        ("final-warning", ["new", "old"]),
    ]
    body = new.messages()[0].body
    assert "OLD" in body
    assert "NEW" in body
    with harness.deps.database.reading() as session:
        steps = [step for step, _ in outbox.delivered_warnings(session, "old")]
        assert steps == ["first-reminder", "second-reminder"]
        assert [step for step, _ in outbox.delivered_warnings(session, "new")] == ["first-reminder"]


def test_restrictions_of_one_day_are_told_together_each_with_its_own_proof(harness: ServiceHarness) -> None:
    harnesses = ten(harness, 3)
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        for one in harnesses:
            one.carry_out(step, when)
    assert [(message, len(invoices)) for message, invoices, _ in letters(harness)] == [
        ("reminder-first", 3),
        ("final-warning", 3),
        ("restricted", 3),
    ]
    with harness.deps.database.reading() as session:
        assert [hold.invoice_id for hold in accounts.open_holds(session, "acme")] == ["inv-0", "inv-1", "inv-2"]
    assert harnesses[0].pay("2027-03-22 10:00", amount="100.00").access == "restricted"


def test_a_bounced_letter_about_all_goes_on_by_sms_about_all(make_harness: MakeHarness) -> None:
    harness = make_harness()
    bouncing = a_customer(contacts=(a_contact(email="bounce@acme.example", phone="+15005550006"),))
    harnesses = ten(harness, 3, customer=bouncing)
    for one in harnesses:
        one.carry_out("first-reminder", FIRST)
    assert [(len(invoices), state) for _, invoices, state in letters(harness)] == [(3, "bounced"), (3, "delivered")]


def test_a_letter_taken_over_by_another_invoice_leaves_the_first_its_own(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    """The provider was away, the first invoice was paused, the second one's turn came: later the first goes on."""
    first, second = ten(make_harness(by_sendgrid(sendgrid)), 2)
    sendgrid.next(Answer(status=503))
    with pytest.raises(ProviderFailed):
        first.carry_out("first-reminder", FIRST)
    first.record("pause", "2027-03-02 09:01", reason="talks", by="agent-7")
    second.carry_out("first-reminder", "2027-03-02 09:02")
    first.record("resume", "2027-03-03 12:00", by="agent-7")
    answer = first.carry_out("first-reminder", "2027-03-03 12:00")
    assert (answer.outcome and answer.outcome.status) == "done"
    assert [invoices for _, invoices, _ in letters(first)] == [["inv-1"], ["inv-0"]]
    assert len(sendgrid.mails) == 2


def test_a_letter_taken_over_still_speaks_of_both(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    first, second = ten(make_harness(by_sendgrid(sendgrid)), 2)
    sendgrid.next(Answer(status=503))
    with pytest.raises(ProviderFailed):
        first.carry_out("first-reminder", FIRST)
    second.carry_out("first-reminder", FIRST)
    first.carry_out("first-reminder", "2027-03-02 09:02")
    assert [invoices for _, invoices, _ in letters(first)] == [["inv-0", "inv-1"]]
    assert len(sendgrid.mails) == 1


@pytest.mark.parametrize(
    ("changes", "letters_sent"),
    [
        # another currency is another letter
        ({"currency": "USD"}, 2),
        # another customer, with people of its own, is another letter
        ({"customer": a_customer(customer_id="b", contacts=(a_contact(contact_id="b.1", email="b@b.example"),))}, 2),
        # not yet due: not in the letter, and not asked for
        ({"due_on": date(2027, 3, 20)}, 1),
        # another ladder, whose step today is a call: not in the letter
        ({"policy": "gradual-pressure", "due_on": date(2027, 3, 2)}, 1),
    ],
)
def test_what_does_not_go_together(harness: ServiceHarness, changes: dict[str, object], letters_sent: int) -> None:
    [one] = ten(harness, 1)
    other = ServiceHarness(harness.deps)
    other.open(an_invoice(**{"invoice_id": "other", "number": "OTHER", "customer": PAYER} | changes))
    one.carry_out("first-reminder", FIRST)
    if "due_on" not in changes:
        other.carry_out("first-reminder", "2027-03-03 10:00")
    assert len(letters(harness)) == letters_sent
    assert "OTHER" not in one.messages()[0].body


def test_a_day_between_two_requests_whatever_the_invoice(harness: ServiceHarness) -> None:
    """The second invoice came in after the first one's letter had left: it waits, and says why."""
    [one] = ten(harness, 1)
    one.carry_out("first-reminder", FIRST)
    late = ServiceHarness(harness.deps)
    late.open(an_invoice(invoice_id="late", customer=PAYER))
    answer = late.carry_out("first-reminder", "2027-03-02 11:00")
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", datetime(2027, 3, 3, 9, tzinfo=UTC))
    assert "was asked less than 1 day(s) ago" in late.entries("delayed")[0].reason
    late.carry_out("first-reminder", "2027-03-03 09:00")
    assert len(letters(harness)) == 2


def test_no_more_than_the_policys_number_a_week(harness: ServiceHarness) -> None:
    """Four letters in a week are the most; the fifth waits until the first is a week old."""
    for day in range(5):
        one = ServiceHarness(harness.deps)
        one.open(an_invoice(invoice_id=f"inv-{day}", customer=PAYER))
        # each is opened after the one before was sent, so that they are not told together
        answer = one.carry_out("first-reminder", f"2027-03-0{day + 2} 09:0{day}" if day < 4 else "2027-03-08 10:00")
        outcome = answer.outcome
        assert outcome is not None
        assert outcome.status == ("done" if day < 4 else "delayed")
    assert outcome is not None
    assert outcome.until == datetime(2027, 3, 2, 9, 0, tzinfo=UTC) + timedelta(days=7)
    assert "had 4 messages in 7 days" in one.entries("delayed")[0].reason


def test_a_joint_letter_that_bounces_later_goes_on_as_one_sms(harness: ServiceHarness) -> None:
    """Each case hears of the bounce and reaches further; the customer gets one text about all of them."""
    harnesses = ten(harness, 3)
    for one in harnesses:
        one.carry_out("first-reminder", FIRST)
    for one in harnesses:
        one.report(one.messages()[0], "bounced", "2027-03-02 09:10")
    for one in harnesses:
        one.carry_out("first-reminder", "2027-03-02 09:11")
    assert [(len(invoices), state) for _, invoices, state in letters(harness)] == [(3, "bounced"), (3, "delivered")]


def test_a_stand_in_who_has_had_the_weeks_messages_is_spared(harness: ServiceHarness) -> None:
    """The payer's address is dead, so each answer goes to the manager, who is not named: four a week, no more."""
    people = (a_contact(email="bounce@acme.example"), a_contact(Role.MANAGER))
    both = a_customer(contacts=people)
    for number in range(6):
        one = ServiceHarness(harness.deps)
        one.open(an_invoice(invoice_id=f"inv-{number}", customer=both))
        one.record("promise_to_pay", "2027-03-02 09:00", date="2027-03-10", promised_by="accounts_payable")
        one.carry_out("promise-confirmed~1", f"2027-03-02 09:1{number}")
    reached = [row for row, _, _ in _rows(harness) if row.contact_id == "acme.manager.1" and row.state == "delivered"]
    assert len(reached) == 4
    assert "had 4 messages in 7 days" in one.entries("withheld")[-1].reason


def test_where_only_the_named_are_contacted_a_person_is_asked_instead(harness: ServiceHarness) -> None:
    """A private customer's dead address: the registered neighbour hears nothing."""
    people = (a_contact(email="bounce@acme.example"), a_contact(Role.MANAGER))
    harness.open(an_invoice(policy="consumer", customer=a_customer(contacts=people)))
    harness.carry_out("first-reminder", "2027-03-04 09:00")
    assert harness.states() == {"accounts_payable email": "bounced"}
    assert [task.kind for task in harness.tasks()] == ["call"]


class RivalGateway(OutboxGateway):
    """While the first letter leaves, another case uses up what the user may get this week."""

    def __init__(self, database: Database) -> None:
        super().__init__(Channel.EMAIL)
        self.database, self.rivals = database, 4

    def send(self, envelope: Envelope) -> Receipt:
        with self.database.writing("acme") as session:
            own = outbox.get(session, envelope.message_id)
            assert own is not None
            facts = {column.key: getattr(own, column.key) for column in MessageRow.__table__.columns}
            while self.rivals:
                self.rivals -= 1
                rival = {"message_id": f"rival-{self.rivals}", "contact_id": "acme.user.1", "state": "accepted"}
                outbox.add(session, MessageRow(**facts | rival))
        return super().send(envelope)


def test_whoever_is_faster_gets_the_weeks_last_message(make_harness: MakeHarness, file_database: Database) -> None:
    """The user's four came between the judgement of the step and its second letter: the step waits for the rest."""
    one = make_harness(email=RivalGateway(file_database))
    one.open()
    answer = one.carry_out("first-reminder", FIRST)
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == ("delayed", datetime(2027, 3, 9, 9, tzinfo=UTC))
    assert one.states("first-reminder") == {"accounts_payable email": "delivered"}
    assert "had 4 messages in 7 days" in one.entries("delayed")[0].reason
    one.carry_out("first-reminder", "2027-03-09 09:00")
    assert one.states("first-reminder") == {"accounts_payable email": "delivered", "user email": "delivered"}


def _rows(harness: ServiceHarness) -> Sequence[tuple[MessageRow, list[str], str]]:
    with harness.deps.database.reading() as session:
        return outbox.rows(session)


# One consequence a message -------------------------------------------------------------------------------


def words_about(one: ServiceHarness, step: str) -> str:
    (row,) = one.messages(step)
    return " ".join(f"{row.subject} {row.body}".split())


def test_two_firms_of_a_group_are_each_told_of_their_own_consequence(harness: ServiceHarness) -> None:
    """One mailbox, one day, and still one warning each: no firm is restricted that was not told so (G2, G6)."""
    firms = []
    for number in (1, 2):
        one = ServiceHarness(harness.deps)
        payer = a_customer(
            customer_id=f"gc{number}",
            name=f"Gruppe {number}",
            group="vogel",
            kind=DebtorKind.BUSINESS,
            contacts=(a_contact(contact_id=f"gc{number}.accounts_payable.1"),),
        )
        one.open(an_invoice(invoice_id=f"g{number}", number=f"G/{number}", customer=payer))
        firms.append(one)
    for one in firms:
        one.carry_out("first-reminder", FIRST)
    assert letters(harness) == [("reminder-first", ["g1", "g2"], "delivered")]
    for number, one in enumerate(firms):
        one.carry_out("second-reminder", f"2027-03-{16 + number} 09:00")
    for number, one in enumerate(firms, start=1):
        said = words_about(one, "second-reminder")
        assert f"will be limited for Gruppe {number}, until the invoice is paid" in said
        assert f"G/{3 - number}" not in said
        with harness.deps.database.reading() as session:
            steps = [step for step, _ in outbox.delivered_warnings(session, f"g{number}")]
            assert steps == ["first-reminder", "second-reminder"]


def test_announcements_for_two_days_are_two_messages(harness: ServiceHarness) -> None:
    """The second invoice's ladder restricts two days later, which the first one's mail does not say."""
    text = Path("policies/gentle-saas.toml").read_text().replace('"gentle-saas"', '"slower"')
    slower = a_ladder(text.replace("second-reminder + 4 business days", "second-reminder + 6 business days"))
    first, second = ten(harness, 1)[0], ServiceHarness(harness.deps)
    second.open(an_invoice(invoice_id="slow", number="SLOW", customer=PAYER), ladder=slower)
    for one in (first, second):
        one.carry_out("first-reminder", FIRST)
    first.carry_out("second-reminder", SECOND)
    second.carry_out("second-reminder", "2027-03-17 09:00")
    assert [(message, invoices) for message, invoices, _ in letters(harness)] == [
        ("reminder-first", ["inv-0", "slow"]),
        ("final-warning", ["inv-0"]),
        ("final-warning", ["slow"]),
    ]


def test_a_joint_warning_and_a_joint_restriction_name_all_their_invoices(harness: ServiceHarness) -> None:
    harnesses = ten(harness, 3)
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        for one in harnesses:
            one.carry_out(step, when)
    warned, restricted = words_about(harnesses[1], "second-reminder"), words_about(harnesses[1], "restrict")
    assert "limited for Acme GmbH, until invoices N0, N1, and N2 are paid." in warned
    assert "because invoices N0, N1, and N2 are still open." in restricted
    assert "come back automatically as soon as invoices N0, N1, and N2 are paid." in restricted

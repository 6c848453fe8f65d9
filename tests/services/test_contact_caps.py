"""One address is one person: what it gets in a week, whatever the invoice, customer, role and spelling (G5)."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from dunwell.client.registration import Registrar
from dunwell.domain.channels import Channel
from dunwell.domain.clock import Clock
from dunwell.domain.contact import Contact
from dunwell.domain.contact_limits import ContactForm, ContactLimit
from dunwell.domain.invoice import Customer
from dunwell.domain.policy import Policy
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import DebtorKind, Role
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.services.failures import ProviderFailed
from dunwell.store import outbox
from dunwell.store.database import Database
from dunwell.store.tables import MessageRow, WaitRow
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, at, sample_deps, the_ladders
from tests.gateways.fakes import Answer, FakeSendGrid
from tests.services.conftest import REGISTERED, MakeHarness, ServiceHarness, by_sendgrid
from tests.services.test_contact_law import law_of

BOOKKEEPER = "office@books.example"
SHARED = ["one@books.example", "Two@books.example", "three@books.example"]
FIRST = "2027-03-02 09:00"
WEEK = timedelta(days=7)
COPYING = a_ladder("""
name = "reading-along"
version = 1
copies = ["account_manager"]

[[step]]
id = "reminder"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"
""")
NOTICING = a_ladder("""
name = "noticing"
version = 1

[[step]]
id = "notice"
when = "due - 2 business days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "before-due"

[[step]]
id = "reminder"
when = "due + 5 business days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"
""")
PAYER = a_customer(contacts=(a_contact(),))


def client_of(customer_id: str, email: str = BOOKKEEPER, **changes: Any) -> Customer:
    """A customer whose accounts somebody else keeps."""
    people = (a_contact(contact_id=f"{customer_id}.accounts_payable.1", email=email),)
    return a_customer(**{"customer_id": customer_id, "name": customer_id, "contacts": people} | changes)


def begin(
    harness: ServiceHarness, customer: Customer, invoice_id: str, ladder: Policy | None = None, **changes: object
) -> ServiceHarness:
    """Another case at the same desk."""
    one = ServiceHarness(harness.deps)
    facts = {"invoice_id": invoice_id, "number": invoice_id, "customer": customer}
    one.open(an_invoice(**facts | changes), ladder=ladder)
    return one


def outcome(harness: ServiceHarness, step: str, when: str) -> StepOutcome:
    found = harness.carry_out(step, when).outcome
    assert found is not None
    return found


def sent(harness: ServiceHarness) -> list[MessageRow]:
    """What left, about whatever invoice."""
    with harness.deps.database.reading() as session:
        return [row for row, _, _ in outbox.rows(session) if row.state == "delivered"]


def live_through(harnesses: Sequence[ServiceHarness], step: str, when: str, rounds: int = 60) -> None:
    """Carry the step out in every case, each at the moment that its answer named, until all have done it."""
    due = {one.case.invoice_id: (at(when), one) for one in harnesses}
    for _ in range(rounds):
        if not due:
            return
        name, (moment, one) = min(due.items(), key=lambda item: (item[1][0], item[0]))
        found = outcome(one, step, f"{moment:%Y-%m-%d %H:%M}")
        if found.status == "delayed" and found.until:
            due[name] = found.until, one
        else:
            del due[name]
    raise AssertionError(f"{sorted(due)} still wait")


# Whatever lets a message leave asks the caps -----------------------------------------------------------------


def test_b12_a_claim_that_is_made_anew_asks_the_cap_again(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    """The provider was out. Meanwhile the week's messages came from elsewhere: the retry waits."""
    harness = make_harness(by_sendgrid(sendgrid))
    first = begin(harness, PAYER, "inv-0")
    sendgrid.next(Answer(status=503))
    with pytest.raises(ProviderFailed):
        first.carry_out("first-reminder", FIRST)
    others = [begin(harness, PAYER, f"usd-{number}", currency="USD") for number in range(1)]
    others += [begin(harness, PAYER, "inv-chf", currency="CHF"), begin(harness, PAYER, "inv-jpy", currency="GBP")]
    others.append(begin(harness, PAYER, "inv-sek", currency="SEK"))
    for day, one in enumerate(others, 2):
        assert outcome(one, "first-reminder", f"2027-03-0{day} 10:00").status == "done"
    found = outcome(first, "first-reminder", "2027-03-05 12:00")
    assert (found.status, found.until) == ("delayed", at("2027-03-09 10:00"))
    assert outcome(first, "first-reminder", "2027-03-09 10:00").status == "done"
    assert len(sendgrid.mails) == 5


def test_b12_what_was_refused_takes_nobodys_place_and_leaves_at_its_new_time(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    """A refused message has not left: it counts for nobody, and from when it does leave the days count anew."""
    harness = make_harness(by_sendgrid(sendgrid))
    first, second = begin(harness, PAYER, "inv-0"), begin(harness, PAYER, "inv-1", currency="USD")
    sendgrid.next(Answer(status=503))
    with pytest.raises(ProviderFailed):
        first.carry_out("first-reminder", FIRST)
    assert outcome(second, "first-reminder", "2027-03-02 09:05").status == "done"
    assert outcome(first, "first-reminder", "2027-03-02 09:10").until == at("2027-03-03 09:05")
    assert outcome(first, "first-reminder", "2027-03-03 09:05").status == "done"
    assert [row.claimed_at for row in first.messages()] == [at("2027-03-03 09:05")]


def test_b12_an_invoice_that_takes_over_a_joint_message_asks_the_cap(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    """The row was claimed for two invoices and refused; a third one's message came before the second's turn."""
    harness = make_harness(by_sendgrid(sendgrid))
    first, second = begin(harness, PAYER, "inv-0"), begin(harness, PAYER, "inv-1")
    other = begin(harness, PAYER, "inv-2", currency="USD")
    sendgrid.next(Answer(status=503))
    with pytest.raises(ProviderFailed):
        first.carry_out("first-reminder", FIRST)
    assert outcome(other, "first-reminder", "2027-03-02 09:05").status == "done"
    assert outcome(second, "first-reminder", "2027-03-02 09:06").status == "delayed"
    assert len(sendgrid.mails) == 1


def test_a_case_behind_others_is_not_held_by_messages_of_its_future(make_harness: MakeHarness) -> None:
    """A rehearsed case may be months behind another one of its customer."""
    harness = make_harness()
    behind = begin(harness, PAYER, "inv-0")
    ahead = [begin(harness, PAYER, f"inv-{unit}", currency=unit) for unit in ("USD", "CHF", "GBP", "SEK")]
    for day, one in enumerate(ahead, 6):
        assert outcome(one, "first-reminder", f"2027-09-0{day} 10:00").status == "done"
    assert outcome(behind, "first-reminder", FIRST).status == "done"


# Within a customer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["ada@acme.example", "Ada@Acme.Example"])
@pytest.mark.parametrize("role", [Role.USER, Role.ACCOUNTS_PAYABLE])
def test_b3_one_address_in_two_contacts_gets_one_message(harness: ServiceHarness, other: str, role: Role) -> None:
    """gentle-saas writes to accounts payable and to the user; here both are one person."""
    people = (a_contact(email="ada@acme.example"), a_contact(role, 2, email=other))
    harness.open(an_invoice(customer=a_customer(contacts=people)))
    assert outcome(harness, "first-reminder", FIRST).status == "done"
    assert [row.contact_id for row in sent(harness)] == ["acme.accounts_payable.1"]


def test_b3_two_contacts_at_one_dead_address_go_on_by_the_number_of_either(harness: ServiceHarness) -> None:
    people = (
        a_contact(email="bounce@acme.example"),
        a_contact(Role.USER, email="Bounce@acme.example", phone="+15005550006"),
    )
    harness.open(an_invoice(customer=a_customer(contacts=people)))
    harness.carry_out("first-reminder", FIRST)
    assert [(row.channel, row.state) for row in harness.messages()] == [("email", "bounced"), ("sms", "delivered")]


def test_b3_a_step_for_two_roles_of_one_person_is_not_held_back_by_its_own_message(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    """The worker died after the first of three people had their message: the second is the same person."""
    people = (a_contact(email="ada@acme.example"), a_contact(Role.USER, email="Ada@acme.example"))
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=a_customer(contacts=(*people, a_contact(Role.USER, 2)))))
    sendgrid.next(Answer(), Answer(status=503))
    with pytest.raises(ProviderFailed):
        harness.carry_out("first-reminder", FIRST)
    assert outcome(harness, "first-reminder", "2027-03-02 09:02").status == "done"
    assert len({mail["personalizations"][0]["to"][0]["email"].lower() for mail in sendgrid.mails}) == 2


def test_b3_a_message_carries_the_step_that_speaks_to_the_same_person_in_another_role(
    harness: ServiceHarness,
) -> None:
    """One invoice is for accounts payable, the other for the user, who is the same Ada: one message about both."""
    ada = "ada@acme.example"
    both = a_customer(contacts=(a_contact(email=ada), a_contact(Role.USER, email=ada.upper())))
    first, second = begin(harness, both, "inv-0"), begin(harness, both, "inv-1")
    for one in (first, second):
        assert outcome(one, "first-reminder", FIRST).status == "done"
    assert [(row.message_id) for row in first.messages()] == [row.message_id for row in second.messages()]
    assert len(sent(harness)) == 1


# Across customers ----------------------------------------------------------------------------------------


def test_b10_eight_customers_of_one_bookkeeper_are_spaced_over_days(harness: ServiceHarness) -> None:
    """No mail about two customers, one a day, four in seven days, and everybody's turn comes in order."""
    harnesses = [begin(harness, client_of(f"c{number}"), f"inv-{number}") for number in range(8)]
    live_through(harnesses, "first-reminder", FIRST)
    mails = sent(harness)
    assert [row.customer_id for row in mails] == [f"c{number}" for number in range(8)]
    times = [row.claimed_at for row in mails]
    assert all(later - earlier >= timedelta(days=1) for earlier, later in pairwise(times))
    assert max(sum(end - WEEK < one <= end for one in times) for end in times) == 4
    with harness.deps.database.reading() as session:
        assert max(Counter(row.message_id for row in mails).values()) == 1
        assert all(len(outbox.links(session, row.message_id)) == 1 for row in mails)
        assert session.query(WaitRow).count() == 0


def test_b10_nobody_is_woken_again_and_again_to_be_told_to_wait(harness: ServiceHarness) -> None:
    """Each knows its turn at once."""
    harnesses = [begin(harness, client_of(f"c{number}"), f"inv-{number}") for number in range(8)]
    live_through(harnesses, "first-reminder", FIRST)
    assert max(len(one.entries("delayed")) for one in harnesses) == 1
    assert "same address" in harnesses[3].entries("delayed")[0].reason


def test_b10_warnings_go_before_notices_that_wait_longer(harness: ServiceHarness) -> None:
    """A notice waits at the address; a warning about another customer that comes later goes."""
    warned = [begin(harness, client_of(f"w{number}"), f"w-{number}") for number in range(2)]
    notice = begin(harness, client_of("n"), "n", ladder=NOTICING, due_on=date(2027, 3, 4))
    assert outcome(warned[0], "first-reminder", FIRST).status == "done"
    assert outcome(notice, "notice", "2027-03-02 09:05").until == at("2027-03-03 09:05")  # w-1 is due today
    assert outcome(warned[1], "first-reminder", "2027-03-02 09:10").until == at("2027-03-03 09:00")
    assert outcome(warned[1], "first-reminder", "2027-03-03 09:00").status == "done"
    assert outcome(notice, "notice", "2027-03-03 09:05").until == at("2027-03-04 09:00")
    assert outcome(notice, "notice", "2027-03-04 09:00").status == "done"


def test_b10_a_warning_takes_the_turn_that_a_notice_was_told(harness: ServiceHarness) -> None:
    first, second = (
        begin(harness, client_of("a"), "a"),
        begin(harness, client_of("n"), "n", ladder=NOTICING, due_on=date(2027, 3, 4)),
    )
    assert outcome(first, "first-reminder", FIRST).status == "done"
    assert outcome(second, "notice", "2027-03-02 09:05").until == at("2027-03-03 09:00")
    late = begin(harness, client_of("w"), "w")
    assert outcome(late, "first-reminder", "2027-03-02 09:10").until == at("2027-03-03 09:00")
    assert outcome(second, "notice", "2027-03-03 09:00").until == at("2027-03-04 09:00")
    assert outcome(late, "first-reminder", "2027-03-03 09:00").status == "done"


@pytest.mark.parametrize("spelling", [BOOKKEEPER, BOOKKEEPER.upper()])
def test_b3_caps_count_the_address_in_every_spelling_across_customers(harness: ServiceHarness, spelling: str) -> None:
    first, second = begin(harness, client_of("a"), "inv-a"), begin(harness, client_of("b", spelling), "inv-b")
    assert outcome(first, "first-reminder", FIRST).status == "done"
    held = outcome(second, "first-reminder", "2027-03-02 09:01")
    assert (held.status, held.until) == ("delayed", at("2027-03-03 09:00"))
    assert "asked about another customer less than 1 day(s) ago" in second.entries("delayed")[0].reason


def test_b3_our_own_account_manager_stands_with_many_customers_and_holds_nobody_up(harness: ServiceHarness) -> None:
    def customer(name: str) -> Customer:
        ours = a_contact(Role.ACCOUNT_MANAGER, contact_id=f"{name}.account_manager.1", email="ana@dunwell.example")
        payer = a_contact(contact_id=f"{name}.accounts_payable.1", email=f"ap@{name}.example")
        return a_customer(customer_id=name, contacts=(payer, ours))

    harnesses = [begin(harness, customer(f"c{number}"), f"inv-{number}", ladder=COPYING) for number in range(6)]
    assert [outcome(one, "reminder", FIRST).status for one in harnesses] == ["done"] * 6
    assert len(sent(harness)) == 12


def test_b3_who_waits_in_vain_holds_nobody_up(harness: ServiceHarness) -> None:
    """The first in the line is paid, the second lost its worker for days: the third goes when its turn is."""
    harnesses = [begin(harness, client_of(f"c{number}"), f"inv-{number}") for number in range(4)]
    turns = [outcome(one, "first-reminder", FIRST).until for one in harnesses]
    assert turns == [None, at("2027-03-03 09:00"), at("2027-03-04 09:00"), at("2027-03-05 09:00")]
    harnesses[1].pay("2027-03-02 12:00")
    # After the third, whose worker may still come:
    assert outcome(harnesses[3], "first-reminder", "2027-03-05 08:30").until == at("2027-03-08 08:00")
    assert outcome(harnesses[3], "first-reminder", "2027-03-08 08:00").status == "done"


def test_b3_a_rehearsal_takes_nobodys_place(harness: ServiceHarness) -> None:
    real = begin(harness, client_of("a"), "inv-a")
    played, clock = (
        ServiceHarness(harness.deps),
        Clock(rehearsal=True, speed=86_400, real=REGISTERED, case=REGISTERED),
    )
    invoice = an_invoice(invoice_id="inv-b", customer=client_of("b"))
    played.case = Registrar(harness.deps, the_ladders()).register(invoice, REGISTERED, clock).opening.case
    assert outcome(real, "first-reminder", FIRST).status == "done"
    answer = played.carry_out("first-reminder", FIRST, rehearsal=True)
    assert answer.outcome is not None and answer.outcome.status == "done"


# Customers of one group ----------------------------------------------------------------------------------

COMPANY: dict[str, Any] = {"kind": DebtorKind.BUSINESS, "group": "vogel"}


def test_b10_customers_of_one_declared_group_get_one_mail(harness: ServiceHarness) -> None:
    """Three companies of a holding, one bookkeeper: one mail, which says whose invoice each is."""
    kinds = (DebtorKind.BUSINESS, DebtorKind.PUBLIC, DebtorKind.BUSINESS)
    harnesses = [
        begin(harness, client_of(f"c{number}", name=f"Firm {number}", group="vogel", kind=kind), f"inv-{number}")
        for number, kind in enumerate(kinds)
    ]
    for one in harnesses:
        assert outcome(one, "first-reminder", FIRST).status == "done"
    (mail,) = sent(harness)
    assert all(f"inv-{number}" in mail.body for number in range(3))
    assert "inv-1 (Firm 1)" in mail.body and "inv-2 (Firm 2)" in mail.body
    words = " ".join(mail.body.split())
    assert "Issued to: Firm 0, Firm 1, and Firm 2" in words
    assert "a contact for invoices to Firm 0, Firm 1, and Firm 2." in words
    with harness.deps.database.reading() as session:
        assert [link.invoice_id for link in outbox.links(session, mail.message_id)] == ["inv-0", "inv-1", "inv-2"]
        for number in range(3):
            assert [step for step, _ in outbox.delivered_warnings(session, f"inv-{number}")] == ["first-reminder"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(COMPANY, {"kind": DebtorKind.BUSINESS}, id="only one declares the group"),
        pytest.param(COMPANY, {**COMPANY, "group": "falke"}, id="two groups"),
        pytest.param(COMPANY, {**COMPANY, "kind": DebtorKind.CONSUMER}, id="a consumer"),
        pytest.param({**COMPANY, "kind": None}, COMPANY, id="nobody says what kind"),
        pytest.param(COMPANY, {**COMPANY, "language": "es"}, id="two languages"),
        pytest.param({"kind": DebtorKind.BUSINESS}, {"kind": DebtorKind.BUSINESS}, id="no group"),
    ],
)
def test_b3_never_one_mail_about_two_customers_otherwise(
    harness: ServiceHarness, one: dict[str, Any], other: dict[str, Any]
) -> None:
    first = begin(harness, client_of("a", name="Firm A", **one), "inv-a")
    second = begin(harness, client_of("b", name="Firm B", **other), "inv-b")
    assert outcome(first, "first-reminder", FIRST).status == "done"
    assert outcome(second, "first-reminder", FIRST).status == "delayed"
    (mail,) = sent(harness)
    assert "inv-b" not in mail.body and "Firm B" not in mail.body


def test_b10_a_member_of_the_group_that_has_paid_is_not_in_the_mail(harness: ServiceHarness) -> None:
    harnesses = [begin(harness, client_of(f"c{number}", **COMPANY), f"inv-{number}") for number in range(3)]
    harnesses[1].pay("2027-03-02 08:59")
    outcome(harnesses[0], "first-reminder", FIRST)
    (mail,) = sent(harness)
    assert "inv-2 (c2)" in mail.body and "(c1)" not in mail.body


def test_b10_who_writes_about_one_member_of_a_group_holds_the_locks_of_all(database: Database) -> None:
    """G1: the payment of another member's invoice is ordered against the claim of a mail that asks for it."""
    deps = sample_deps(database)
    for name in ("a", "b"):
        ServiceHarness(deps).open(an_invoice(invoice_id=f"inv-{name}", customer=client_of(name, **COMPANY)))
    order: list[str] = []
    entered = threading.Event()

    def claim() -> None:
        with database.writing("b"):
            entered.set()
            time.sleep(0.3)
            order.append("claimed")

    def pay() -> None:
        entered.wait(10)
        with database.writing("a"):
            order.append("paid")

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(claim), pool.submit(pay)]:
            work.result()
    assert order == ["claimed", "paid"]


class Crowd(OutboxGateway):
    """Notes which mails were at the provider's."""

    def __init__(self) -> None:
        super().__init__(Channel.EMAIL)
        self.to: list[str] = []
        self._lock = threading.Lock()

    def send(self, envelope: Envelope) -> Receipt:
        with self._lock:
            self.to.append(envelope.to)
        return super().send(envelope)


def test_b3_customers_who_are_claimed_at_the_same_moment_share_one_cap(database: Database) -> None:
    """Each holds its own customer's lock only; the lock of the addresses orders them. Nobody waits for ever."""
    crowd = Crowd()
    deps = sample_deps(database, email=crowd)

    def people(name: str, number: int) -> tuple[Contact, ...]:
        mine = SHARED[number % 3 :] + SHARED[: number % 3]  # everybody names them in another order
        return tuple(
            a_contact(contact_id=f"{name}.accounts_payable.{place}", email=email)
            for place, email in enumerate(mine, 1)
        )

    harnesses = []
    for number in range(9):
        one = ServiceHarness(deps)
        customer = a_customer(customer_id=f"c{number}", contacts=people(f"c{number}", number))
        one.open(an_invoice(invoice_id=f"inv-{number}", number=f"N{number}", customer=customer))
        harnesses.append(one)
    start = threading.Barrier(len(harnesses))

    def work(one: ServiceHarness) -> str:
        start.wait()
        return outcome(one, "first-reminder", FIRST).status

    with ThreadPoolExecutor(len(harnesses)) as pool:
        statuses = list(pool.map(work, harnesses))
    assert Counter(statuses) == {"done": 1, "delayed": 8}
    assert sorted(address.lower() for address in crowd.to) == sorted(address.lower() for address in SHARED)


CONFIRMING = a_ladder("""
name = "confirming"
version = 1
contacts_per_week = 1

[promises]
limit = 3

[reactions]
promise_made = "promise-confirmed"
promise_broken = "promise-broken"

[[step]]
id = "reminder"
when = "due + 5 business days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"
""")


def test_what_they_did_themselves_is_confirmed_although_their_week_is_full(harness: ServiceHarness) -> None:
    """It counts as a message all the same, so that everything else waits for a free place."""
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(),))), ladder=CONFIRMING)
    for day, promised in (("02", "08"), ("03", "09"), ("04", "10")):
        when = f"2027-03-{day} 10:00"
        harness.record("promise_to_pay", when, date=f"2027-03-{promised}", promised_by="user")
        (step,) = harness.case.outstanding.owed
        harness.carry_out(step, when)
    assert [row.message for row in sent(harness)] == ["promise-confirmed"] * 3
    harness.case.promise_due(at("2027-03-10 10:00"))
    (step,) = harness.case.outstanding.owed
    answer = harness.carry_out(step, "2027-03-10 10:00")
    assert answer.outcome is not None and answer.outcome.status == "delayed"


def test_the_law_limits_confirmations_too(harness: ServiceHarness) -> None:
    rule = ContactLimit(forms=(ContactForm.MESSAGES,), at_most=1, days=7)
    law = law_of(limits=(rule,))
    bound = ServiceHarness(replace(harness.deps, laws={law.code: law}))
    payer = a_customer(country=law.code, kind=DebtorKind.CONSUMER, contacts=(a_contact(),))
    bound.open(an_invoice(customer=payer), ladder=CONFIRMING)
    for day, status in (("02", "done"), ("03", "delayed")):
        when = f"2027-03-{day} 10:00"
        bound.record("promise_to_pay", when, date="2027-03-08", promised_by=f"user{day}", amount=f"{day}.00")
        (step,) = bound.case.outstanding.owed
        outcome = bound.carry_out(step, when).outcome
        assert outcome is not None and outcome.status == status

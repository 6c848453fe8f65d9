"""Money that came in: booked by what we issued, proposed with reasons, decided by people, taken back again."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import BankEntry, Direction, EntryState, identify
from dunwell.domain.incoming import Incoming, ProposalState, Source, of_bank_entry
from dunwell.domain.matching import Match, Part, Proposal, Rule
from dunwell.domain.money import QuestionedPayment
from dunwell.domain.payment_reference import reference_for
from dunwell.domain.principals import SYSTEM, NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import StepOutcome
from dunwell.services.dispatch import Dispatch
from dunwell.services.incoming_payments import IncomingPayments, Taken
from dunwell.services.step_judge import StepJudge
from dunwell.store import accounts, bank_entries, cases, incoming_payments
from dunwell.store.database import Database
from dunwell.store.tables import AuditRow, IncomingPaymentRow, PayerAccountRow, StatementRow, UserRow
from dunwell.views.task_queue import queued_tasks
from dunwell.views.unmatched import lately_decided, unmatched
from dunwell.views.work_list import open_work
from tests.builders import a_contact, a_customer, an_invoice, another_customer, at, sample_deps
from tests.services.conftest import ServiceHarness

CAME = at("2027-03-03 09:00")
FIRST = "2027-03-02 09:00"
ADA = Principal(PrincipalKind.PERSON, "ada", "Ada", Role.AGENT)
ONE = a_customer(contacts=(a_contact(),))
BETA = another_customer("beta", contacts=(a_contact(contact_id="b.1", email="a@beta.example"),)).model_copy(
    update={"name": "Beta Ltd"}
)
IBAN = "DE89370400440532013000"


def a_harness(database: Database, invoice_id: str, amount: str = "300.00", **changes: Any) -> ServiceHarness:
    harness = ServiceHarness(sample_deps(database))
    facts = {"customer": ONE, "invoice_id": invoice_id, "number": f"INV-{invoice_id}", "amount": Decimal(amount)}
    harness.open(an_invoice(**facts | changes))
    return harness


def came(amount: str, text: str = "", identity: str = "1", **changes: Any) -> Incoming:
    facts: dict[str, Any] = {
        "source": Source.BANK,
        "identity": identity,
        "amount": Decimal(amount),
        "currency": "EUR",
        "received_at": CAME,
        "texts": (text,),
    }
    return Incoming(**facts | changes)


def a_desk(database: Database) -> IncomingPayments:
    """Two invoices of Acme over 300.00, and one of Beta."""
    a_harness(database, "A")
    a_harness(database, "B", due_on=at("2027-04-01 00:00").date())
    a_harness(database, "X", customer=BETA)
    return IncomingPayments(database, unmatched_days=3)


@pytest.fixture
def desk(file_database: Database) -> IncomingPayments:
    return a_desk(file_database)


def take(desk: IncomingPayments, payment: Incoming) -> Taken:
    (taken,) = desk.take([payment], SYSTEM, CAME)
    return taken


def booked(database: Database, entry_id: str) -> dict[str, Decimal]:
    with database.reading() as session:
        found = incoming_payments.bookings(session, entry_id)
        return {one.invoice_id: one.amount for one in found if one.undone_at is None}


def state_of(database: Database, entry_id: str) -> EntryState:
    with database.reading() as session:
        row = incoming_payments.get(session, entry_id)
        assert row is not None
        return row.state


def pay_whole(database: Database, payment_id: str = "pay_1", method: str | None = None) -> ServiceHarness:
    """Invoice C over 300.00, which is paid."""
    harness = a_harness(database, "C", number="INV-2027/9")
    harness.pay("2027-03-01 08:00", amount="300.00", payment_id=payment_id)
    return harness


@pytest.mark.parametrize(
    "text", ["INV-2027/9", "inv2027 9", "Rg. Inv-2027-9, danke", f"thanks {reference_for(['C'])}"]
)
def test_money_that_names_a_paid_invoice_says_how_it_was_paid(desk: IncomingPayments, text: str) -> None:
    pay_whole(desk._database)
    why = take(desk, came("300.00", text)).why
    assert "it names invoice INV-2027/9, which is paid: 300.00 EUR came on 2027-03-01, recorded as pay_1" in why
    assert "It may be the payment of 2027-03-01, recorded as pay_1, told once more" in why


def test_our_reference_is_booked_once(database: Database) -> None:
    desk = a_desk(database)
    payment = came("300.00", f"Thanks! {reference_for(['A'])}")
    first, again = take(desk, payment), take(desk, payment)
    assert (first.new, first.state, again.new) == (True, EntryState.BOOKED, False)
    assert booked(database, first.entry_id) == {"A": Decimal("300.00")}
    with database.reading() as session:
        assert [row.action for row in session.scalars(select(AuditRow).where(AuditRow.object.like("payment/%")))] == [
            "payment_matched"
        ]


def test_what_is_on_its_way_to_a_case_is_not_open_any_more(desk: IncomingPayments, file_database: Database) -> None:
    """Two payments in one file: the case has not been told of the first when the second is matched."""
    text = reference_for(["A"])
    taken = desk.take([came("300.00", text, "1"), came("300.00", text, "2")], SYSTEM, CAME)
    assert [one.state for one in taken] == [EntryState.BOOKED, EntryState.PROPOSED]


def test_a_preview_changes_nothing(desk: IncomingPayments, file_database: Database) -> None:
    (found,) = desk.preview([came("300.00", "INV-A")])
    assert not isinstance(found, Taken) and found.rule is Rule.NUMBER
    with file_database.reading() as session:
        assert incoming_payments.waiting(session) == []


def test_a_preview_counts_what_the_payments_before_pay(desk: IncomingPayments) -> None:
    """Both would be shown as paying the same open sum."""
    found = [came(amount, reference_for(["A"]), identity) for identity, amount in (("1", "300.00"), ("2", "300.00"))]
    previewed = desk.preview(found)
    taken = desk.take(found, SYSTEM, CAME)
    assert [isinstance(one, Match) and one.booked is not None for one in previewed] == [True, False]
    assert [one.why for one in previewed] == [one.why for one in taken]
    parts = [came(amount, reference_for(["B"]), f"b{amount}") for amount in ("100.00", "200.00", "1.00")]
    assert [isinstance(one, Match) and one.booked is not None for one in desk.preview(parts)] == [True, True, False]


def test_a_rehearsal_never_gets_real_money(file_database: Database) -> None:
    harness = ServiceHarness(sample_deps(file_database))
    harness.open(an_invoice(invoice_id="R", number="INV-R"), rehearsal=True)
    taken = take(IncomingPayments(file_database, 3), came("1200.00", f"INV-R {reference_for(['R'])}"))
    assert taken.state is EntryState.UNMATCHED


def test_a_confirmed_proposal_is_booked_and_its_account_is_learned(database: Database) -> None:
    desk = a_desk(database)
    taken = take(desk, came("300.00", "March", payer_name="ACME", payer_iban=IBAN))
    assert taken.state is EntryState.PROPOSED
    desk.confirm(taken.entry_id, 1, ADA, CAME)
    assert state_of(database, taken.entry_id) is EntryState.BOOKED
    assert sum(booked(database, taken.entry_id).values()) == Decimal("300.00")
    with database.reading() as session:
        assert incoming_payments.customers_paying_from(session, IBAN) == ["acme"]
        assert {one.state for one in incoming_payments.proposals(session, taken.entry_id)} == {
            ProposalState.CONFIRMED,
            ProposalState.LAPSED,
        }
    (found,) = desk.preview([came("300.00", "April", "2", payer_iban=IBAN)])
    assert not isinstance(found, Taken)
    assert "account that paid" in found.proposals[0].reasons[0]


def test_a_rejected_proposal_is_not_made_again(desk: IncomingPayments, file_database: Database) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    desk.reject(taken.entry_id, 1, ADA, CAME)
    assert state_of(file_database, taken.entry_id) is EntryState.UNMATCHED
    assert desk.try_again(SYSTEM, CAME) == 0
    with pytest.raises(Refused, match="rejected"):
        desk.confirm(taken.entry_id, 1, ADA, CAME)


def test_a_payment_that_came_before_its_invoice_is_matched_when_it_is_there(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("80.00", "INV-LATE"))
    assert taken.state is EntryState.UNMATCHED
    a_harness(file_database, "LATE", "80.00")
    assert desk.try_again(SYSTEM, CAME + timedelta(hours=1)) == 1
    assert booked(file_database, taken.entry_id) == {"LATE": Decimal("80.00")}


def test_a_person_splits_a_payment_and_undoes_it(database: Database) -> None:
    desk = a_desk(database)
    taken = take(desk, came("500.00", "three invoices", payer_iban=IBAN))
    desk.assign(taken.entry_id, [("A", Decimal("300.00")), ("B", None)], ADA, CAME)
    assert booked(database, taken.entry_id) == {"A": Decimal("300.00"), "B": Decimal("200.00")}
    desk.undo(taken.entry_id, ADA, CAME)
    assert booked(database, taken.entry_id) == {}
    assert desk.try_again(SYSTEM, CAME) == 0  # a person decides now
    desk.assign(taken.entry_id, [("X", None)], ADA, CAME)
    with database.reading() as session:
        ids = [one.payment_id for one in incoming_payments.bookings(session, taken.entry_id)]
        assert session.get(PayerAccountRow, (IBAN, "acme")) is None
    assert ids == ["bank-1", "bank-1", "bank-1.2"]  # an id that was taken back never returns


def test_money_that_went_back_to_the_payer_is_moved_to_no_other_invoice(
    desk: IncomingPayments, file_database: Database
) -> None:
    """Undone and matched again, it counted once more."""
    case = a_harness(file_database, "C", customer=BETA)
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    desk.assign(taken.entry_id, [("C", None)], ADA, CAME)
    paid_again(case, "bank-1", "300.00", "returned")
    with pytest.raises(Refused, match="went back to the payer on 2027-03-04"):
        desk.undo(taken.entry_id, ADA, CAME)
    with pytest.raises(Refused, match="went back to the payer on 2027-03-04"):
        desk.assign(taken.entry_id, [("A", None)], ADA, CAME)
    assert booked(file_database, taken.entry_id) == {"C": Decimal("300.00")}
    with file_database.reading() as session:
        (shown,) = lately_decided(session, EntryState.BOOKED, CAME)
    assert (shown["taken_back"], str(shown["returned_on"])) == (True, "2027-03-04")


def undone(desk: IncomingPayments, entry_id: str, now: datetime) -> None:
    """A person undoes the booking, and its cases are told."""
    desk.undo(entry_id, ADA, now)
    for one in desk.to_tell(now, timedelta(hours=1), [entry_id]):
        desk.told(one, now)
    desk.propose_again(entry_id, now)


def test_what_a_person_undid_is_proposed_anew_and_never_booked_by_itself(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("300.00", reference_for(["A"])))
    assert taken.state is EntryState.BOOKED
    undone(desk, taken.entry_id, CAME)
    assert desk.try_again(SYSTEM, CAME + timedelta(hours=1)) == 0
    with file_database.reading() as session:
        (found,) = unmatched(session, CAME)
    assert found["state"] is EntryState.PROPOSED
    (proposal,) = found["proposals"]
    assert [part["invoice_id"] for part in proposal["parts"]] == ["A"]
    assert "it was booked on A before, which was undone on 2027-03-03" in proposal["reasons"]


def test_a_proposal_that_was_confirmed_and_undone_is_shown_again_until_it_is_rejected(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    desk.confirm(taken.entry_id, 1, ADA, CAME)
    undone(desk, taken.entry_id, CAME)
    assert state_of(file_database, taken.entry_id) is EntryState.PROPOSED
    desk.reject(taken.entry_id, 2, ADA, CAME + timedelta(hours=1))
    assert desk.try_again(SYSTEM, CAME + timedelta(hours=2)) == 0
    assert state_of(file_database, taken.entry_id) is EntryState.UNMATCHED


def test_what_was_undone_while_its_case_could_not_be_told_is_proposed_by_the_sweep(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    desk.confirm(taken.entry_id, 1, ADA, CAME)
    desk.undo(taken.entry_id, ADA, CAME)
    desk.propose_again(taken.entry_id, CAME)
    assert desk.try_again(SYSTEM, CAME) == 0
    for one in desk.to_tell(CAME, timedelta(hours=1)):
        desk.told(one, CAME)
    assert desk.try_again(SYSTEM, CAME + timedelta(hours=1)) == 1
    assert state_of(file_database, taken.entry_id) is EntryState.PROPOSED


def test_a_case_rests_for_money_that_waits_again_as_for_money_that_came_just_now(file_database: Database) -> None:
    harness, desk = a_harness(file_database, "A"), IncomingPayments(file_database, 3)
    (taken,) = desk.take([came("200.00", "INV-A")], SYSTEM, at("2027-02-22 09:00"))
    desk.confirm(taken.entry_id, 1, ADA, at("2027-02-22 10:00"))
    undone(desk, taken.entry_id, at("2027-03-01 15:00"))
    outcome = harness.carry_out("first-reminder", FIRST).outcome
    assert outcome is not None and outcome.status == "delayed"
    assert "waits until a person decides, until 2027-03-03" in harness.entries("delayed")[-1].reason
    assert harness.messages() == []


def test_a_split_takes_the_number_that_is_printed_on_one_invoice(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("500.00"))
    with pytest.raises(Refused, match="name each invoice once"):  # by its id and by its number
        desk.assign(taken.entry_id, [("INV-A", Decimal("300.00")), ("A", None)], ADA, CAME)
    desk.assign(taken.entry_id, [("INV-A", Decimal("300.00")), ("B", None)], ADA, CAME)
    assert booked(file_database, taken.entry_id) == {"A": Decimal("300.00"), "B": Decimal("200.00")}
    for invoice_id in ("N1", "N2"):
        a_harness(file_database, invoice_id, number="2026/7")
    again = take(desk, came("20.00", identity="2"))
    with pytest.raises(Refused, match="number '2026/7': name one of the ids N1, N2"):
        desk.assign(again.entry_id, [("2026/7", None)], ADA, CAME)


def test_who_decided_is_named_when_a_payment_is_decided_again(
    desk: IncomingPayments, file_database: Database
) -> None:
    with file_database.writing("acme") as session:
        facts = {"email": "ada@x.example", "name": "Ada Byron", "role": Role.MANAGER, "created_at": CAME}
        session.add(UserRow(user_id="user-abc", **facts))
    taken, ada = take(desk, came("300.00")), Principal(PrincipalKind.PERSON, "user-abc", "Ada Byron", Role.MANAGER)
    desk.assign(taken.entry_id, [("A", None)], ada, CAME)
    with pytest.raises(Refused, match=r"is booked \(matched by Ada Byron\)"):
        desk.set_aside(taken.entry_id, "bank-interest", ada, CAME)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_two_clerks_who_match_a_payment_at_once_book_it_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one has read the payment when it waited, and gets the lock when it is booked.

    Not so on SQLite, where one transaction writes at a time, from its first statement.
    """
    desk = a_desk(database)
    entry_id = take(desk, came("100.00")).entry_id
    locked, first = accounts.lock, [True]

    def lock_after_the_other(session: Session, customer_ids: Collection[str]) -> None:
        if first.pop() if first else False:
            desk.assign(entry_id, [("A", None)], SYSTEM, CAME)
        locked(session, customer_ids)

    monkeypatch.setattr(accounts, "lock", lock_after_the_other)
    with pytest.raises(Refused, match="is booked"):
        desk.assign(entry_id, [("B", None)], ADA, CAME)
    assert booked(database, entry_id) == {"A": Decimal("100.00")}


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([], "name each invoice once"),
        ([("A", None), ("A", None)], "name each invoice once"),
        ([("A", None), ("B", None)], "each but one"),
        ([("A", Decimal("100.00"))], "and 500.00 EUR came"),
        ([("A", Decimal("500.00")), ("B", None)], "each share is above zero"),
        ([("A", Decimal("0.001")), ("B", None)], "in steps of 0.01"),
        ([("nobody", None)], "is not known"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(
    desk: IncomingPayments, shares: list[tuple[str, Decimal | None]], said: str
) -> None:
    taken = take(desk, came("500.00"))
    with pytest.raises(Refused, match=said):
        desk.assign(taken.entry_id, shares, ADA, CAME)


def test_a_proposal_whose_invoice_was_paid_meanwhile_is_not_confirmed(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    take(desk, came("300.00", reference_for(["A"]), "2"))
    with pytest.raises(Refused, match="split it by hand, or reject it"):
        desk.confirm(taken.entry_id, 1, ADA, CAME)
    with file_database.reading() as session:
        (one,) = unmatched(session, CAME)
    assert one["proposals"][0]["stale"] == "would put 200.00 on A, of which 0.00 are owed by now"
    desk.try_again(SYSTEM, CAME)
    assert state_of(file_database, taken.entry_id) is EntryState.UNMATCHED


def test_why_a_payment_waits_is_said_as_its_invoices_stand_now(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    take(desk, came("50.00", reference_for(["A"]), "2"))
    with file_database.reading() as session:
        (one,) = unmatched(session, CAME)
    assert "200.00 EUR came, and 250.00 EUR are open of invoice INV-A" in one["why"]
    assert "200.00 EUR came, and 250.00 EUR are open of invoice INV-A" in one["proposals"][0]["reasons"]
    take(desk, came("250.00", reference_for(["A"]), "3"))
    with file_database.reading() as session:
        (one,) = unmatched(session, CAME)
    assert one["why"].startswith("it names invoice INV-A, which is paid: 50.00 EUR came on 2027-03-03")
    assert one["proposals"][0]["reasons"] == [] and one["proposals"][0]["stale"]
    assert desk.ask_people(at("2027-03-20 09:00")) == 1
    with file_database.reading() as session:
        (task,) = open_work(session, kind="decision")
    assert "it names invoice INV-A, which is paid" in task["reason"]
    desk.try_again(SYSTEM, CAME)
    with file_database.reading() as session:
        row = session.get_one(IncomingPaymentRow, taken.entry_id)
    assert (row.state, row.why) == (EntryState.UNMATCHED, one["why"])


def test_what_is_open_again_is_proposed_again(desk: IncomingPayments, file_database: Database) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    paid = take(desk, came("300.00", reference_for(["A"]), "2"))
    desk.try_again(SYSTEM, CAME)
    assert state_of(file_database, taken.entry_id) is EntryState.UNMATCHED
    desk.undo(paid.entry_id, ADA, CAME)
    desk.try_again(SYSTEM, CAME)
    assert state_of(file_database, taken.entry_id) is EntryState.PROPOSED
    desk.confirm(taken.entry_id, 2, ADA, CAME)
    assert booked(file_database, taken.entry_id) == {"A": Decimal("200.00")}


def test_a_cent_too_much_is_confirmed_as_credit(desk: IncomingPayments, file_database: Database) -> None:
    taken = take(desk, came("300.01", "INV-A"))
    desk.confirm(taken.entry_id, 1, ADA, CAME)
    assert booked(file_database, taken.entry_id) == {"A": Decimal("300.01")}


def test_money_from_before_the_import_is_said_to_be_asked_about(file_database: Database) -> None:
    harness = a_harness(file_database, "A")
    with file_database.writing("acme") as session:
        case = cases.get(session, "A")
        assert case is not None
        case.money.imported_at = CAME + timedelta(hours=1)
        case.money.questioned["bank-1"] = QuestionedPayment(
            payment_id="bank-1", amount=Decimal("300.00"), received_at=CAME, since=CAME
        )
        row = cases.get_row(session, "A")
        assert row is not None
        row.state = case.model_dump(mode="json")
    payment = came("300.00", reference_for(["A"]))
    desk = IncomingPayments(harness.deps.database, unmatched_days=3)
    (preview,) = desk.preview([payment])
    assert "older than the import of A: not counted until a person confirms" in preview.why
    taken = take(desk, payment)
    with file_database.reading() as session:
        (one,) = lately_decided(session, EntryState.BOOKED, CAME)
    assert (one["entry_id"], one["bookings"][0]["not_counted"]) == (taken.entry_id, True)
    assert one["why"] == preview.why


def test_what_is_for_no_invoice_is_set_aside(desk: IncomingPayments, file_database: Database) -> None:
    taken = take(desk, came("0.37", "INTEREST OF THE BANK"))
    desk.set_aside(taken.entry_id, "bank-interest", ADA, CAME)
    assert state_of(file_database, taken.entry_id) is EntryState.SET_ASIDE
    with pytest.raises(Refused, match="set aside"):
        desk.assign(taken.entry_id, [("A", None)], ADA, CAME)


def test_what_was_set_aside_is_taken_up_again_with_its_proposals_and_its_task(
    desk: IncomingPayments, file_database: Database
) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    late = CAME + timedelta(days=5)
    assert desk.ask_people(late) == 1
    desk.set_aside(taken.entry_id, "wrong-account", ADA, late)
    with file_database.reading() as session:
        (aside,) = lately_decided(session, EntryState.SET_ASIDE, late)
    assert (aside["why"], aside["overdue"]) == ("for no invoice (wrong-account), says ada", False)
    desk.undo(taken.entry_id, ADA, late)
    with file_database.reading() as session:
        (one,) = unmatched(session, late)
    assert (one["state"], [each["number"] for each in one["proposals"]], one["overdue"]) == ("proposed", [1], False)
    assert "wrong-account" in one["why"] and "which ada undid" in one["why"]
    assert [desk.ask_people(late + timedelta(days=day)) for day in (2, 3, 4)] == [0, 1, 0]
    with file_database.reading() as session:
        assert len(open_work(session)) == 1
    desk.confirm(taken.entry_id, 1, ADA, late)
    assert booked(file_database, taken.entry_id) == {"A": Decimal("200.00")}


def test_nobody_without_the_right_decides(desk: IncomingPayments) -> None:
    taken = take(desk, came("200.00", "INV-A"))
    reader = Principal(PrincipalKind.PERSON, "rita", "Rita", Role.AUDITOR)
    for act in (
        lambda: desk.confirm(taken.entry_id, 1, reader, CAME),
        lambda: desk.reject(taken.entry_id, 1, reader, CAME),
        lambda: desk.assign(taken.entry_id, [("A", None)], reader, CAME),
        lambda: desk.undo(taken.entry_id, reader, CAME),
        lambda: desk.set_aside(taken.entry_id, "x", reader, CAME),
        lambda: desk.take([came("1.00")], reader, CAME),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_an_entry_of_the_bank_has_the_state_of_its_payment(desk: IncomingPayments, file_database: Database) -> None:
    (entry,) = identify(
        [
            BankEntry(
                account="DE02120300000000202051",
                booked_on=CAME.date(),
                amount=Decimal("300.00"),
                currency="EUR",
                direction=Direction.IN,
                references=(reference_for(["A"]),),
            )
        ]
    )
    with file_database.writing_beside_customers() as session:
        row = StatementRow(
            statement_id="s", name="s.xml", format="camt.053", entries=1, problems=[], by="ada", at=CAME
        )
        bank_entries.add_statement(session, row, [entry])
    taken = take(desk, of_bank_entry(entry))
    with file_database.reading() as session:
        assert bank_entries.find(session, entry.identity).state is EntryState.BOOKED
        (booking,) = incoming_payments.bookings(session, taken.entry_id)
    assert booking.payment_id == of_bank_entry(entry).payment_id()


def test_money_that_waits_for_too_long_is_a_person_s_task(desk: IncomingPayments, file_database: Database) -> None:
    taken = take(desk, came("77.00", "who knows"))
    proposed = take(desk, came("200.00", "INV-A", "2"))
    assert desk.ask_people(CAME + timedelta(days=1)) == 0
    assert desk.ask_people(CAME + timedelta(days=3)) == 2
    assert desk.ask_people(CAME + timedelta(days=4)) == 0
    with file_database.reading() as session:
        found = {one["task_id"]: one for one in open_work(session)}
        assert {one["invoice_id"] for one in found.values()} == {"", "A"}
        task = found[f"{taken.entry_id}.unmatched.0"]
        assert "77.00 EUR came in on 2027-03-03" in task["reason"]
        assert {one.task_id for one in queued_tasks(session, CAME)} == set(found)
    desk.set_aside(taken.entry_id, "wrong-account", ADA, CAME + timedelta(days=4))
    desk.confirm(proposed.entry_id, 1, ADA, CAME + timedelta(days=4))
    with file_database.reading() as session:
        assert open_work(session) == []


# While a proposal is open ----------------------------------------------------------------------------------


def test_no_reminder_leaves_while_a_proposal_is_open(file_database: Database) -> None:
    """G1 for money that is not booked yet: two business days, then chasing goes on, and both are said."""
    harness = a_harness(file_database, "A")
    desk = IncomingPayments(file_database, 3)
    desk.take([came("200.00", "INV-A")], SYSTEM, at("2027-03-01 15:00"))
    waits = harness.carry_out("first-reminder", FIRST).outcome
    assert waits is not None and waits.status == "delayed" and waits.until is not None
    assert waits.until.date() == at("2027-03-03 00:00").date()  # looked at again the next morning
    assert harness.messages() == []
    assert "waits until a person decides" in harness.entries("delayed")[-1].reason
    goes_on = harness.carry_out("first-reminder", "2027-03-03 15:00").outcome
    assert goes_on is not None and goes_on.status == "done"
    assert harness.messages() != []
    assert "chasing goes on" in harness.entries("match")[-1].reason


def test_chasing_goes_on_once_the_proposal_is_rejected(file_database: Database) -> None:
    harness, desk = a_harness(file_database, "A"), IncomingPayments(file_database, 3)
    (taken,) = desk.take([came("200.00", "INV-A")], SYSTEM, at("2027-03-01 15:00"))
    desk.reject(taken.entry_id, 1, ADA, at("2027-03-01 16:00"))
    outcome = harness.carry_out("first-reminder", FIRST).outcome
    assert outcome is not None and outcome.status == "done"


def test_no_reminder_leaves_while_a_booking_is_on_its_way(file_database: Database) -> None:
    harness, desk = a_harness(file_database, "A"), IncomingPayments(file_database, 3)
    desk.take([came("300.00", reference_for(["A"]))], SYSTEM, at("2027-03-02 08:00"))
    outcome = harness.carry_out("first-reminder", FIRST).outcome
    assert outcome is not None and outcome.status == "delayed"
    assert "is on its way" in harness.entries("delayed")[-1].reason


def test_a_proposal_that_comes_after_the_step_was_judged_stops_its_message(
    file_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim looks in its own transaction: the judge saw nothing, and the money was proposed after that."""
    harness = a_harness(file_database, "A")
    judged = StepJudge.judge

    def judge_and_then_money_comes(self: StepJudge, session: Session, dispatch: Dispatch) -> StepOutcome:
        outcome = judged(self, session, dispatch)
        row = incoming_payments.add(session, came("200.00", "INV-A"), dispatch.now, dispatch.now)
        proposal = Proposal(
            parts=(Part(invoice_id="A", customer_id="acme", amount=Decimal("200.00")),), reasons=("a test",)
        )
        incoming_payments.propose(session, row.entry_id, [proposal])
        return outcome

    monkeypatch.setattr(StepJudge, "judge", judge_and_then_money_comes)
    outcome = harness.carry_out("first-reminder", FIRST).outcome
    assert outcome is not None and outcome.status == "delayed"
    assert harness.messages() == []


def test_the_answer_to_a_promise_does_not_wait(file_database: Database) -> None:
    """It asks for nothing."""
    harness, desk = a_harness(file_database, "A"), IncomingPayments(file_database, 3)
    desk.take([came("200.00", "INV-A")], SYSTEM, at("2027-03-01 15:00"))
    harness.record("promise_to_pay", FIRST, date="2027-03-09", promised_by="ada")
    action = harness.case.next_action
    assert action is not None
    outcome = harness.carry_out(action.step, FIRST).outcome
    assert outcome is not None and outcome.status == "done"


@pytest.mark.parametrize("seed", range(6))
def test_no_message_that_asks_is_claimed_while_money_is_in_question(file_database: Database, seed: int) -> None:
    """Random days: payments are proposed, rejected, confirmed and undone between the steps of two invoices."""
    chance = Random(seed)
    desk, harnesses = IncomingPayments(file_database, 3), [a_harness(file_database, one) for one in ("A", "B")]
    in_question: dict[str, datetime] = {}
    day = at("2027-03-01 08:00")
    for number in range(14):
        day += timedelta(days=1, hours=chance.choice((0, 1)))
        match chance.choice(("propose", "reject", "confirm", "nothing")):
            case "propose":
                (taken,) = desk.take([came("200.00", "INV-A", str(number))], SYSTEM, day)
                if taken.state is EntryState.PROPOSED:
                    in_question[taken.entry_id] = day
            case "reject" if in_question:
                entry_id = chance.choice(sorted(in_question))
                desk.reject(entry_id, 1, ADA, day)
                del in_question[entry_id]
            case "confirm" if in_question:
                entry_id = chance.choice(sorted(in_question))
                with suppress(Refused):  # less is open by now
                    desk.confirm(entry_id, 1, ADA, day)
                    desk.undo(entry_id, ADA, day)
                    del in_question[entry_id]
        before = {one.case.invoice_id: len(one.messages()) for one in harnesses}
        for one in harnesses:
            action = one.case.next_action
            if action is not None and action.at <= day:
                one.carry_out(action.step, f"{day:%Y-%m-%d %H:%M}")
        asked = any(len(one.messages()) > before[one.case.invoice_id] for one in harnesses)
        waits = any(day < two_business_days_after(since) for since in in_question.values())
        assert not (asked and waits), (day, in_question)


def two_business_days_after(moment: datetime) -> datetime:
    left = 2
    while left:
        moment += timedelta(days=1)
        left -= moment.weekday() < 5  # no holiday of Germany is in these weeks
    return moment


# The database was restored from an older copy -------------------------------------------------------------


def paid_again(harness: ServiceHarness, payment_id: str, amount: str, reason: str = "") -> None:
    """The case writes again what it had been paid, and what was taken back of that."""
    harness.pay("2027-03-04 09:00", amount, payment_id)
    if reason:
        harness.record("payment_reversed", "2027-03-04 10:00", payment_id=payment_id, reason=reason)


def test_what_was_booked_before_a_restore_is_booked_when_it_is_told_again(
    file_database: Database, desk: IncomingPayments
) -> None:
    """It would wait for a person, and be booked on a second invoice."""
    paid_again(a_harness(file_database, "C", customer=BETA), "bank-1", "300.00")
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    assert (taken.state, taken.why) == (
        EntryState.BOOKED,
        "it was booked before the database was restored from an older copy",
    )
    assert desk.to_tell(CAME, timedelta(hours=1)) == []
    with pytest.raises(Refused, match="is booked"):
        desk.assign(taken.entry_id, [("B", None)], ADA, CAME)


def test_a_booking_that_was_undone_before_a_restore_has_used_its_payment_id(
    file_database: Database, desk: IncomingPayments
) -> None:
    """A case that had it taken back would take the same id for what it knows, and the money would be lost."""
    paid_again(a_harness(file_database, "C", customer=BETA), "bank-1", "300.00", "wrongly-matched")
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    assert taken.state is EntryState.UNMATCHED
    desk.assign(taken.entry_id, [("C", None)], ADA, CAME)
    (booking,) = desk.to_tell(CAME, timedelta(hours=1))
    assert booking.payment_id == "bank-1.2"


def test_what_went_back_to_the_payer_before_a_restore_stays_booked(
    file_database: Database, desk: IncomingPayments
) -> None:
    paid_again(a_harness(file_database, "C", customer=BETA), "bank-1", "300.00", "returned")
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    assert taken.state is EntryState.BOOKED


def test_a_statement_that_comes_before_the_cases_have_written_their_payments_again(
    file_database: Database, desk: IncomingPayments
) -> None:
    case = a_harness(file_database, "C", customer=BETA)
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    assert taken.state is EntryState.UNMATCHED
    paid_again(case, "bank-1", "300.00")
    with pytest.raises(Refused, match="was booked on C before the database was restored"):
        desk.assign(taken.entry_id, [("B", None)], ADA, CAME)
    assert desk.recall(SYSTEM, CAME) == 1
    with file_database.reading() as session:
        row = incoming_payments.get(session, taken.entry_id)
        assert row is not None and row.state is EntryState.BOOKED


def test_a_person_is_asked_when_a_part_alone_is_on_an_invoice_after_a_restore(
    file_database: Database, desk: IncomingPayments
) -> None:
    paid_again(a_harness(file_database, "C", customer=BETA), "bank-1", "100.00")
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    assert taken.why == "since the database was restored, 100 EUR of it are on an invoice alone"
    with file_database.reading() as session:
        (task,) = [one for one in queued_tasks(session, CAME) if taken.entry_id in one.task_id]
    assert "100 EUR of it are on an invoice alone" in task.reason


def booked_under_another_reference(database: Database, *invoices: tuple[str, str], reason: str = "") -> None:
    """A file with the bank's references told it before the restore; the cases write their payments again."""
    for invoice_id, amount in invoices:
        paid_again(a_harness(database, invoice_id, customer=BETA), "bank-with-reference", amount, reason)


@pytest.mark.parametrize("invoices", [(("C", "200.00"),), (("C", "150.00"), ("D", "50.00"))])
def test_money_that_may_be_booked_under_another_reference_is_booked_only_as_other_money(
    file_database: Database, desk: IncomingPayments, invoices: tuple[tuple[str, str], ...]
) -> None:
    booked_under_another_reference(file_database, *invoices)
    taken = take(desk, came("200.00", "INV-A", received_at=at("2027-03-05 12:00")))
    assert taken.state is EntryState.PROPOSED and "is booked on C" in taken.why
    with file_database.reading() as session:
        (one,) = unmatched(session, CAME)
    assert one["same_as"] is not None and "under another reference of the bank" in one["same_as"]
    with pytest.raises(Refused, match="set it aside if it is that money, or say that it is other money") as refused:
        desk.confirm(taken.entry_id, 1, ADA, CAME)
    assert refused.value.field == "other_money"
    with pytest.raises(Refused, match="the same sum of 2027-03-04 is booked on C"):
        desk.assign(taken.entry_id, [("A", None)], ADA, CAME)
    assert booked(file_database, taken.entry_id) == {}
    desk.confirm(taken.entry_id, 1, ADA, CAME, other_money=True)
    assert booked(file_database, taken.entry_id) == {"A": Decimal("200.00")}


def test_money_that_may_be_booked_under_another_reference_is_never_booked_by_itself(
    file_database: Database, desk: IncomingPayments
) -> None:
    booked_under_another_reference(file_database, ("C", "300.00"))
    taken = take(desk, came("300.00", reference_for(["A"])))
    assert taken.state is EntryState.PROPOSED
    desk.assign(taken.entry_id, [("A", None)], ADA, CAME, other_money=True)
    assert booked(file_database, taken.entry_id) == {"A": Decimal("300.00")}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": Decimal("299.99")}, ""),
        ({"received_at": at("2027-03-20 12:00")}, ""),
        ({}, "wrongly-matched"),
    ],
    ids=["another sum", "another day", "taken back from its invoice"],
)
def test_other_money_is_not_taken_for_what_is_booked(
    file_database: Database, desk: IncomingPayments, changes: dict[str, Any], reason: str
) -> None:
    booked_under_another_reference(file_database, ("C", "300.00"), reason=reason)
    taken = take(desk, came("300.00", "thanks").model_copy(update=changes))
    with file_database.reading() as session:
        (one,) = unmatched(session, CAME)
    assert one["same_as"] is None
    desk.assign(taken.entry_id, [("A", None)], ADA, CAME)


def test_what_repeats_a_booked_entry_is_booked_only_as_other_money(
    file_database: Database, desk: IncomingPayments
) -> None:
    first = take(desk, came("300.00", reference_for(["B"])))
    again = take(desk, came("300.00", "INV-A", "2", may_repeat=first.entry_id))
    with pytest.raises(Refused, match=f"it may be the same money as {first.entry_id}, which is booked on B"):
        desk.confirm(again.entry_id, 1, ADA, CAME)
    desk.undo(first.entry_id, ADA, CAME)
    desk.confirm(again.entry_id, 1, ADA, CAME)
    assert booked(file_database, again.entry_id) == {"A": Decimal("300.00")}


def test_what_was_undone_before_a_restore_waits_again(file_database: Database, desk: IncomingPayments) -> None:
    """The older copy has it as booked, and its case took it back: it would count nowhere, and nobody would know."""
    case = a_harness(file_database, "C", customer=BETA)
    taken = take(desk, came("300.00", "thanks", payer_name="Nobody"))
    desk.assign(taken.entry_id, [("C", None)], ADA, CAME)
    paid_again(case, "bank-1", "300.00", "wrongly-matched")
    assert desk.recall(SYSTEM, CAME) == 0
    with file_database.reading() as session:
        row = incoming_payments.get(session, taken.entry_id)
        assert row is not None and (row.state, row.ask_at) == (EntryState.UNMATCHED, CAME)
        assert "was undone before the database was restored" in row.why
    assert desk.to_tell(CAME, timedelta(hours=1)) == []
    desk.assign(taken.entry_id, [("A", None)], ADA, CAME)
    assert [one.payment_id for one in desk.to_tell(CAME, timedelta(hours=1))] == ["bank-1.2"]

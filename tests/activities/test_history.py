"""What happened before an invoice came to us is in force before the first message, and nothing is counted twice."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from activities import proof
from domain.invoice import EarlierPayment, EarlierReminder, History
from domain.refusal import Refused
from intake.registrar import Registrar
from store import ledger
from tests.activities.conftest import Office
from tests.builders import an_invoice, at, the_ladders

IMPORTED = "2027-03-10 12:00"
OLD, NEW = at("2027-03-02 00:00").isoformat(), at("2027-03-11 00:00").isoformat()


def _import(office: Office, *paid: EarlierPayment, **reminded: date) -> None:
    steps = tuple(EarlierReminder(step=step.replace("_", "-"), on=day) for step, day in reminded.items())
    office.open(an_invoice(history=History(paid=paid, reminded=steps)), now=at(IMPORTED))


def _pay(office: Office, payment_id: str, received_at: str, **more: Any) -> None:
    facts = {"payment_id": payment_id, "amount": "300.00", "currency": "EUR", "received_at": received_at}
    office.record("payment_received", "2027-03-12 09:00", **facts, **more)


def _in_books(office: Office) -> Decimal:
    with office.desk.database.reading() as session:
        return ledger.paid(session, "inv-1")


def test_a14_what_was_paid_before_is_not_asked_for(office: Office) -> None:
    _import(office, EarlierPayment(amount=Decimal("300.00")))
    assert (office.case.open_amount, _in_books(office)) == (Decimal("900.00"), Decimal("300.00"))
    office.carry_out("first-reminder", "2027-03-11 09:00")
    assert all("900.00" in row.body and "1,200.00" not in row.subject for row in office.messages())


def test_a14_an_invoice_paid_in_full_is_over_before_it_begins(office: Office) -> None:
    _import(office, EarlierPayment(payment_id="p1", amount=Decimal("1200.00")))
    assert (office.case.stage, office.case.owed, office.case.finished) == ("paid", [], True)


def test_a14_the_ladder_goes_on_behind_what_was_done_elsewhere(office: Office) -> None:
    _import(office, first_reminder=date(2027, 3, 2))
    action = office.case.next_action
    assert action is not None
    assert (action.step, action.at.date()) == ("second-reminder", date(2027, 3, 16))


def test_a14_a_reminder_from_elsewhere_is_no_delivered_warning(office: Office) -> None:
    _import(office, second_reminder=date(2027, 3, 2))
    assert [(done.step, done.outcome) for done in office.case.steps] == [
        ("first-reminder", "skipped"),
        ("second-reminder", "done"),
    ]
    answer = office.carry_out("restrict", "2027-03-11 09:00")
    assert answer.outcome is not None and answer.outcome.status == "blocked"
    assert [task.task_id for task in office.tasks()] == ["inv-1.restrict.proof"]
    assert office.access() == "full" and proof.LOOK_AGAIN


def test_a14_a_step_that_the_ladder_does_not_have_is_refused(office: Office) -> None:
    history = History(reminded=(EarlierReminder(step="letter-nine", on=date(2027, 3, 2)),))
    with pytest.raises(Refused, match="'letter-nine' is no step of the ladder gentle-saas; it has first-reminder"):
        Registrar(office.desk, the_ladders()).register(an_invoice(history=history), at(IMPORTED))


def test_a14_news_of_an_older_payment_asks_a_person_first(office: Office) -> None:
    _import(office, EarlierPayment(amount=Decimal("300.00")))
    _pay(office, "bank-7", OLD)
    assert (office.case.open_amount, _in_books(office)) == (Decimal("900.00"), Decimal("300.00"))
    (task,) = office.tasks()
    assert "starter.py pay inv-1 300.00 --payment-id bank-7 --confirm" in task.reason
    _pay(office, "bank-7", OLD)  # told again
    assert len(office.tasks()) == 1


def test_a14_a_confirmed_one_counts_and_its_task_goes(office: Office) -> None:
    _import(office, EarlierPayment(amount=Decimal("300.00")))
    _pay(office, "bank-7", OLD)
    _pay(office, "bank-7", OLD, confirm=True)
    assert (office.case.open_amount, _in_books(office)) == (Decimal("600.00"), Decimal("600.00"))
    assert office.tasks() == []


def test_a14_closing_its_task_leaves_it_uncounted(office: Office) -> None:
    _import(office, EarlierPayment(amount=Decimal("300.00")))
    _pay(office, "bank-7", OLD)
    office.record("call_outcome", "2027-03-12 10:00", task_id="inv-1.payment.bank-7", outcome="done", by="clerk")
    assert (office.case.open_amount, office.tasks(), office.case.questioned) == (Decimal("900.00"), [], {})


@pytest.mark.parametrize(("payment_id", "when", "counted"), [("old-1", OLD, "300.00"), ("bank-8", NEW, "600.00")])
def test_a14_the_same_id_is_the_same_payment_and_a_later_one_is_new(
    office: Office, payment_id: str, when: str, counted: str
) -> None:
    _import(office, EarlierPayment(payment_id="old-1", amount=Decimal("300.00"), received_at=at("2027-03-02 00:00")))
    _pay(office, payment_id, when)
    assert (_in_books(office), office.tasks()) == (Decimal(counted), [])

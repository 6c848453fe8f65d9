"""What happened before an invoice came to us is in force before the first message, and nothing is counted twice."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.client.registration import Registrar
from dunwell.domain.invoice import EarlierPayment, EarlierReminder, History
from dunwell.domain.refusal import Refused
from dunwell.services import warning_proof
from dunwell.store import payments
from tests.builders import an_invoice, at, the_ladders
from tests.services.conftest import ServiceHarness

IMPORTED = "2027-03-10 12:00"
OLD, NEW = at("2027-03-02 00:00").isoformat(), at("2027-03-11 00:00").isoformat()


def _import(harness: ServiceHarness, *paid: EarlierPayment, **reminded: date) -> None:
    steps = tuple(EarlierReminder(step=step.replace("_", "-"), on=day) for step, day in reminded.items())
    harness.open(an_invoice(history=History(paid=paid, reminded=steps)), now=at(IMPORTED))


def _pay(harness: ServiceHarness, payment_id: str, received_at: str, **more: Any) -> None:
    facts = {"payment_id": payment_id, "amount": "300.00", "currency": "EUR", "received_at": received_at}
    harness.record("payment_received", "2027-03-12 09:00", **facts, **more)


def _in_books(harness: ServiceHarness) -> Decimal:
    with harness.deps.database.reading() as session:
        return payments.paid(session, "inv-1")


def test_a14_what_was_paid_before_is_not_asked_for(harness: ServiceHarness) -> None:
    _import(harness, EarlierPayment(amount=Decimal("300.00")))
    assert (harness.case.open_amount, _in_books(harness)) == (Decimal("900.00"), Decimal("300.00"))
    harness.carry_out("first-reminder", "2027-03-11 09:00")
    assert all("900.00" in row.body and "1,200.00" not in row.subject for row in harness.messages())


def test_a14_an_invoice_paid_in_full_is_over_before_it_begins(harness: ServiceHarness) -> None:
    _import(harness, EarlierPayment(payment_id="p1", amount=Decimal("1200.00")))
    assert (harness.case.stage, harness.case.outstanding.owed, harness.case.finished) == ("paid", [], True)


def test_a14_the_ladder_goes_on_behind_what_was_done_elsewhere(harness: ServiceHarness) -> None:
    _import(harness, first_reminder=date(2027, 3, 2))
    action = harness.case.next_action
    assert action is not None
    assert (action.step, action.at.date()) == ("second-reminder", date(2027, 3, 16))


def test_a14_a_reminder_from_elsewhere_is_no_delivered_warning(harness: ServiceHarness) -> None:
    _import(harness, second_reminder=date(2027, 3, 2))
    assert [(done.step, done.outcome) for done in harness.case.progress.steps] == [
        ("first-reminder", "skipped"),
        ("second-reminder", "done"),
    ]
    answer = harness.carry_out("restrict", "2027-03-11 09:00")
    assert answer.outcome is not None and answer.outcome.status == "blocked"
    assert [task.task_id for task in harness.tasks()] == ["inv-1.restrict.proof"]
    assert harness.access() == "full" and warning_proof.LOOK_AGAIN


def test_a14_a_step_that_the_ladder_does_not_have_is_refused(harness: ServiceHarness) -> None:
    history = History(reminded=(EarlierReminder(step="letter-nine", on=date(2027, 3, 2)),))
    with pytest.raises(Refused, match="'letter-nine' is no step of the ladder gentle-saas; it has first-reminder"):
        Registrar(harness.deps, the_ladders()).register(an_invoice(history=history), at(IMPORTED))


def test_a14_news_of_an_older_payment_asks_a_person_first(harness: ServiceHarness) -> None:
    _import(harness, EarlierPayment(amount=Decimal("300.00")))
    _pay(harness, "bank-7", OLD)
    assert (harness.case.open_amount, _in_books(harness)) == (Decimal("900.00"), Decimal("300.00"))
    (task,) = harness.tasks()
    assert "starter.py pay inv-1 300.00 --payment-id bank-7 --confirm" in task.reason
    _pay(harness, "bank-7", OLD)  # told again
    assert len(harness.tasks()) == 1


def test_a14_a_confirmed_one_counts_and_its_task_goes(harness: ServiceHarness) -> None:
    _import(harness, EarlierPayment(amount=Decimal("300.00")))
    _pay(harness, "bank-7", OLD)
    _pay(harness, "bank-7", OLD, confirm=True)
    assert (harness.case.open_amount, _in_books(harness)) == (Decimal("600.00"), Decimal("600.00"))
    assert harness.tasks() == []


def test_a14_closing_its_task_leaves_it_uncounted(harness: ServiceHarness) -> None:
    _import(harness, EarlierPayment(amount=Decimal("300.00")))
    _pay(harness, "bank-7", OLD)
    harness.record("call_outcome", "2027-03-12 10:00", task_id="inv-1.payment.bank-7", outcome="done", by="clerk")
    assert (harness.case.open_amount, harness.tasks(), harness.case.money.questioned) == (Decimal("900.00"), [], {})


@pytest.mark.parametrize(("payment_id", "when", "counted"), [("old-1", OLD, "300.00"), ("bank-8", NEW, "600.00")])
def test_a14_the_same_id_is_the_same_payment_and_a_later_one_is_new(
    harness: ServiceHarness, payment_id: str, when: str, counted: str
) -> None:
    _import(harness, EarlierPayment(payment_id="old-1", amount=Decimal("300.00"), received_at=at("2027-03-02 00:00")))
    _pay(harness, payment_id, when)
    assert (_in_books(harness), harness.tasks()) == (Decimal(counted), [])


# What the first message about an old invoice says

AGO = {"issued_on": date(2026, 1, 5), "due_on": date(2026, 2, 3)}  # 400 days before the import


def _first_words(harness: ServiceHarness, step: str) -> str:
    harness.carry_out(step, "2027-03-11 09:00")
    return next(f"{row.subject}\n{row.body}" for row in harness.messages(step))


def _import_old(harness: ServiceHarness, policy: str = "gentle-saas", **reminded: date) -> None:
    steps = tuple(EarlierReminder(step=step.replace("_", "-"), on=day) for step, day in reminded.items())
    harness.open(an_invoice(**AGO, policy=policy, history=History(reminded=steps)), now=at(IMPORTED))


def test_c10_an_invoice_imported_long_after_its_day_is_named_with_its_age(harness: ServiceHarness) -> None:
    _import_old(harness)
    text = _first_words(harness, "first-reminder")
    assert text.startswith("Invoice 2027-001: overdue for 401 days\n")
    assert "was due on February 3, 2026 and has now been overdue for 401 days. The payment" in text
    assert "friendly" not in text
    assert "overlooked" not in text


def test_c10_the_first_message_names_the_reminders_from_elsewhere(harness: ServiceHarness) -> None:
    _import_old(harness, first_reminder=date(2026, 4, 15))
    assert "We reminded you on April 15, 2026." in _first_words(harness, "second-reminder")


def test_c10_a_first_reminder_that_comes_again_names_them_too(harness: ServiceHarness) -> None:
    _import_old(harness, "friendly-small", first_reminder=date(2026, 4, 15))
    harness.carry_out("call", "2027-03-11 09:00")
    (task,) = harness.tasks()
    assert "overdue for 401 days; we wrote to you about it on April 15, 2026." in str(task.script)


def test_c10_a_call_made_elsewhere_is_no_letter(harness: ServiceHarness) -> None:
    _import_old(harness, "key-account", courtesy_call=date(2026, 4, 15))
    text = _first_words(harness, "first-reminder")
    assert "overdue for 401 days" in text
    assert "We wrote" not in text


def test_c10_a_due_date_amended_into_the_past_counts(harness: ServiceHarness) -> None:
    harness.open(now=at("2027-03-01 08:00"))
    harness.record("invoice_amended", "2027-03-01 09:00", due_on="2027-02-02", by="billing")
    harness.carry_out("first-reminder", "2027-03-11 09:00")
    assert all("overdue for 37 days" in row.body for row in harness.messages() if row.channel == "email")


def test_c10_reminders_of_an_older_due_date_are_not_named(harness: ServiceHarness) -> None:
    _import_old(harness, first_reminder=date(2026, 4, 15))
    harness.record("invoice_amended", "2027-03-11 09:00", due_on="2027-06-01", by="billing")
    harness.carry_out("first-reminder", "2027-07-15 09:00")
    bodies = [row.body for row in harness.messages() if row.channel == "email"]
    assert bodies and all("overdue for 44 days" in body and "We wrote" not in body for body in bodies)

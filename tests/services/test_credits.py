"""Credit: what it holds back, where it goes, and what happens when the money behind it is taken back."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.case import Case
from dunwell.domain.events import CreditApplied
from dunwell.domain.refusal import Refused
from dunwell.services import credits, person_tasks
from dunwell.store import cases, payments, tasks
from dunwell.store import credits as kept_credits
from dunwell.store.database import Database
from dunwell.store.tables import CreditUseRow, PaymentRow, TaskRow, TimelineRow
from dunwell.views.work_list import open_work
from tests.builders import a_contact, a_customer, an_invoice, another_customer, at, sample_deps
from tests.services.conftest import ServiceHarness

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-22 09:00"
THREE = Decimal("300.00")
ONE = a_customer(contacts=(a_contact(),))
BETA = another_customer("beta", contacts=(a_contact(contact_id="beta.accounts_payable.1", email="a@beta.example"),))


def a_harness(database: Database, invoice_id: str, amount: str = "300.00", **changes: Any) -> ServiceHarness:
    """A case beside the others of the same desk; nothing is paid of it."""
    harness = ServiceHarness(sample_deps(database))
    facts = {"customer": ONE, "invoice_id": invoice_id, "number": invoice_id, "amount": Decimal(amount)}
    harness.open(an_invoice(**facts | changes))
    return harness


@pytest.fixture
def paid_too_much(file_database: Database) -> ServiceHarness:
    """1200.00 were owed, and 1500.00 came."""
    harness = a_harness(file_database, "A", "1200.00")
    harness.pay("2027-02-25 09:00", "1500.00")
    return harness


@pytest.fixture
def other(file_database: Database, paid_too_much: ServiceHarness) -> ServiceHarness:
    return a_harness(file_database, "B")


def credit_task(database: Database, invoice_id: str = "A") -> TaskRow:
    with database.reading() as session:
        task = tasks.get(session, f"{invoice_id}.credit")
    assert task is not None
    return task


def stored(database: Database, invoice_id: str) -> Case:
    with database.reading() as session:
        case = cases.get(session, invoice_id)
    assert case is not None
    return case


def applied(
    harness: ServiceHarness, when: str, amount: str = "300.00", credit_id: str = "c1", giver: str = "A"
) -> None:
    harness.record(
        "credit_applied", when, credit_id=credit_id, from_invoice=giver, amount=amount, currency="EUR", by="agent-7"
    )


# What it holds back --------------------------------------------------------------------------------------


def test_a11_credit_raises_a_task_that_says_what_to_do(paid_too_much: ServiceHarness) -> None:
    task = credit_task(paid_too_much.deps.database)
    assert (task.state, task.kind, task.amount, task.outlives_case) == ("open", "decision", THREE, True)
    assert task.reason.startswith("credit to apply or return: 300.00 EUR")
    assert "starter.py apply-credit A " in task.reason
    assert "starter.py return-credit A" in task.reason


def test_credit_within_the_tolerance_is_kept_and_shown_and_asks_nobody(file_database: Database) -> None:
    for invoice_id, paid, asks in (("C", "300.01", False), ("D", "300.50", False), ("E", "300.51", True)):
        harness = a_harness(file_database, invoice_id)
        harness.pay("2027-02-25 09:00", paid)
        assert stored(file_database, invoice_id).credit == Decimal(paid) - THREE
        assert any("recorded as credit" in entry.reason for entry in harness.entries("credit"))
        assert bool(harness.tasks()) == asks


def test_the_task_goes_when_what_is_left_of_the_credit_is_within_the_tolerance(
    file_database: Database, paid_too_much: ServiceHarness
) -> None:
    other = a_harness(file_database, "B")
    applied(other, FIRST, "299.60")
    assert stored(file_database, "A").credit == Decimal("0.40")
    assert credit_task(file_database).state == "withdrawn"


def test_a11_a_restriction_that_credit_covers_is_asked_about_at_once(file_database: Database) -> None:
    earlier = a_harness(file_database, "B0", due_on=date(2027, 2, 20))
    restricted = a_harness(file_database, "B")
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        restricted.carry_out(step, when)
    assert restricted.access() == "restricted"
    giver = a_harness(file_database, "A", "1200.00")
    giver.pay("2027-03-23 09:00", "1500.00")
    with file_database.reading() as session:
        (shown,) = [one for one in open_work(session) if one["task_id"] == "A.credit"]
    assert "starter.py apply-credit A B (ends its hold on the account)" in shown["reason"]
    assert "B0" not in shown["reason"], "the restricted one comes first, and the credit pays no other beside it"
    assert shown["due_at"] <= at("2027-03-23 09:00")
    applied(restricted, "2027-03-23 10:00")
    assert (restricted.access(), earlier.case.stage) == ("full", "scheduled")
    assert credit_task(file_database).state == "withdrawn"


def test_a11_the_task_names_what_the_credit_can_pay_as_a_whole(file_database: Database) -> None:
    for number, amount in (("B", "200.00"), ("C", "250.00"), ("D", "100.00")):
        a_harness(file_database, number, amount)
    giver = a_harness(file_database, "A", "1200.00")
    giver.pay("2027-03-23 09:00", "1500.00")
    reason = credit_task(file_database).reason
    assert "starter.py apply-credit A B (pays it); starter.py apply-credit A D (pays it)." in reason


def test_a11_no_reminder_while_credit_covers_what_is_asked_for(other: ServiceHarness) -> None:
    answer = other.carry_out("first-reminder", FIRST)
    assert answer.outcome is not None
    assert (answer.outcome.status, other.messages(), other.case.progress.steps) == ("blocked", [], [])
    action = answer.next_action
    assert action is not None
    assert action.step == "first-reminder"
    assert "300.00 EUR of this customer's credit cover" in action.why
    assert "A.credit" in action.why
    other.carry_out("first-reminder", "2027-03-03 09:00")
    assert len(other.entries("blocked")) == 1  # looked at every day, and said once


def test_a11_no_consequence_while_credit_covers_what_is_asked_for(file_database: Database) -> None:
    other = a_harness(file_database, "B")
    other.carry_out("first-reminder", FIRST)
    other.carry_out("second-reminder", SECOND)
    giver = a_harness(file_database, "A", "1200.00")
    giver.pay("2027-03-20 09:00", "1500.00")
    answer = other.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert (answer.outcome.status, other.access(), len(other.messages("restrict"))) == ("blocked", "full", 0)


@pytest.mark.parametrize("amount", ["300.01", "1200.00"])
def test_a11_credit_that_does_not_reach_holds_nothing_back(
    file_database: Database, paid_too_much: ServiceHarness, amount: str
) -> None:
    other = a_harness(file_database, "B", amount)
    other.carry_out("first-reminder", FIRST)
    assert len(other.messages("first-reminder")) == 1


def test_a11_credit_in_another_currency_or_of_another_customer_holds_nothing_back(
    file_database: Database, paid_too_much: ServiceHarness
) -> None:
    abroad = a_harness(file_database, "C", currency="CHF")
    abroad.carry_out("first-reminder", FIRST)
    stranger = a_harness(file_database, "D", customer=BETA)
    stranger.carry_out("first-reminder", "2027-03-08 09:00")
    assert [len(harness.messages()) for harness in (abroad, stranger)] == [1, 1]


def test_a11_credit_covers_what_is_due_first_and_no_more_than_it_could_pay(file_database: Database) -> None:
    later = a_harness(file_database, "B")
    sooner = a_harness(file_database, "C", due_on=date(2027, 2, 26))
    a_harness(file_database, "A", "1200.00").pay("2027-02-25 09:00", "1500.00")
    for harness in (later, sooner):
        harness.carry_out("first-reminder", FIRST)
    assert (len(later.messages()), len(sooner.messages())) == (1, 0)


def test_a11_a_joint_message_leaves_out_what_credit_covers(file_database: Database) -> None:
    a_harness(file_database, "B", due_on=date(2027, 3, 1))
    larger = a_harness(file_database, "C", "500.00")
    a_harness(file_database, "A", "1200.00").pay("2027-02-25 09:00", "1500.00")
    larger.carry_out("first-reminder", FIRST)
    (message,) = larger.messages()
    assert message.amount == Decimal("500.00")


def test_a11_who_closes_the_task_has_decided_and_the_steps_go_on(other: ServiceHarness) -> None:
    other.carry_out("first-reminder", FIRST)
    with other.deps.database.writing("acme") as session:
        task, case = tasks.get(session, "A.credit"), cases.get(session, "A")
        assert task is not None
        assert case is not None
        person_tasks.close(session, case, task, "agent-7", at(FIRST))
    other.carry_out("first-reminder", "2027-03-03 09:00")
    assert len(other.messages()) == 1


def test_a11_whoever_is_to_call_reads_that_credit_covers_it(other: ServiceHarness) -> None:
    """A call that was asked for before the credit came."""
    call = TaskRow(
        task_id="B.call",
        invoice_id="B",
        step="call",
        kind="call",
        contact_id=ONE.contacts[0].contact_id,
        due_at=at(FIRST),
        reason="r",
        script="s",
    )
    with other.deps.database.writing("acme") as session:
        tasks.add(session, call)
        shown = {one["task_id"]: one["covered"] for one in open_work(session)}
    assert shown["A.credit"] is None
    assert shown["B.call"].startswith("300.00 EUR of this customer's credit cover")
    applied(other, FIRST)
    with other.deps.database.reading() as session:
        assert open_work(session) == []


# Where it goes -------------------------------------------------------------------------------------------


def test_a11_applied_credit_pays_one_invoice_and_is_gone_from_the_other(other: ServiceHarness) -> None:
    database = other.deps.database
    applied(other, FIRST)
    assert (other.case.stage, str(other.case.open_amount)) == ("paid", "0.00")
    giver = stored(database, "A")
    assert (giver.money.given, str(giver.credit), giver.stage) == (THREE, "0.00", "paid")
    assert credit_task(database).state == "withdrawn"
    with database.reading() as session:
        assert (payments.paid(session, "A"), payments.paid(session, "B")) == (Decimal("1500.00"), THREE)
        assert kept_credits.of_customer(session, "acme") == []
    assert "300.00 EUR paid by credit c1 of invoice A, applied by agent-7" in [one.reason for one in other.entries()]


def test_a11_a_part_of_the_credit_may_be_applied(other: ServiceHarness) -> None:
    applied(other, FIRST, "100.00")
    task = credit_task(other.deps.database)
    assert (str(other.case.open_amount), task.state, task.amount) == ("200.00", "open", Decimal("200.00"))


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"amount": Decimal("300.01")}, "amount", "is more than the 300.00 EUR of credit on A"),
        ({"from_invoice": "B"}, "from_invoice", "B has no credit"),
        ({"from_invoice": "nobody"}, "from_invoice", "'nobody' is not registered"),
        ({"from_invoice": "D"}, "from_invoice", "belongs to customer beta, not to acme"),
        ({"from_invoice": "E"}, "from_invoice", "is in CHF, and B in EUR"),
        ({"amount": Decimal("0.005")}, "amount", "has 2 decimal places"),
    ],
)
def test_a11_credit_that_is_not_there_is_refused(
    other: ServiceHarness, changes: dict[str, Any], field: str, reason: str
) -> None:
    database = other.deps.database
    a_harness(database, "D", customer=BETA)
    a_harness(database, "E", currency="CHF")
    facts = {"credit_id": "c1", "from_invoice": "A", "amount": THREE, "currency": "EUR", "by": "agent-7"}
    event = CreditApplied.model_validate(facts | changes)
    with database.writing("acme") as session, pytest.raises(Refused, match=reason) as refused:
        credits.apply(session, "B", event, at(FIRST))
    assert refused.value.field == field
    assert stored(database, "A").money.given == 0


def test_a11_the_same_credit_is_never_spent_twice(database: Database) -> None:
    """On either kind of database."""
    a_harness(database, "A", "1200.00").pay("2027-02-25 09:00", "1500.00")
    a_harness(database, "B")
    third = a_harness(database, "C")
    event = CreditApplied(credit_id="c1", from_invoice="A", amount=THREE, currency="EUR", by="agent-7")
    with database.writing("acme") as session:
        for _ in range(2):
            credits.apply(session, "B", event, at(FIRST))
        with pytest.raises(Refused, match="credit_id: is known already"):
            credits.apply(session, third.case.invoice_id, event, at(FIRST))
        again = event.model_copy(update={"credit_id": "c2"})
        with pytest.raises(Refused, match="A has no credit"):
            credits.apply(session, third.case.invoice_id, again, at(FIRST))
        assert (payments.paid(session, "B"), payments.paid(session, "C")) == (THREE, Decimal(0))


def test_a11_a_case_that_still_runs_hears_what_it_gave(other: ServiceHarness, paid_too_much: ServiceHarness) -> None:
    applied(other, FIRST)
    assert paid_too_much.case.money.given == 0  # what its workflow knows
    answer = paid_too_much.pay("2027-03-03 09:00", "10.00", "p2")
    assert answer.given == THREE
    assert str(stored(other.deps.database, "A").credit) == "10.00"


def test_a11_credit_taken_back_is_credit_again(other: ServiceHarness) -> None:
    applied(other, FIRST)
    other.record("payment_reversed", "2027-03-03 09:00", payment_id="c1", reason="credit-withdrawn")
    assert (str(other.case.open_amount), other.case.ended) == ("300.00", None)
    assert str(stored(other.deps.database, "A").credit) == "300.00"
    assert credit_task(other.deps.database).state == "open"


def test_a_part_of_the_credit_taken_back_is_credit_again(
    other: ServiceHarness, paid_too_much: ServiceHarness
) -> None:
    database = other.deps.database
    applied(other, FIRST)
    for reversal_id, amount in (("r1", "100.00"), ("r1", "100.00"), ("r2", "50.00")):
        part = {"payment_id": "c1", "reason": "credit-withdrawn", "amount": amount, "reversal_id": reversal_id}
        other.record("payment_reversed", "2027-03-03 09:00", **part)
    assert (str(other.case.open_amount), other.case.ended) == ("150.00", None)
    giver = stored(database, "A")
    assert (str(giver.credit), str(giver.money.given)) == ("150.00", "150.00")
    assert [entry.reason for entry in paid_too_much.entries("credit")[-2:]] == [
        "100.00 EUR came back from invoice B: credit again",
        "50.00 EUR came back from invoice B: credit again",
    ]
    other.record("payment_reversed", "2027-03-04 09:00", payment_id="c1", reason="credit-withdrawn")
    assert (str(other.case.open_amount), str(stored(database, "A").credit)) == ("300.00", "300.00")


def test_a_part_of_the_credit_was_taken_back_and_then_its_cover(
    other: ServiceHarness, paid_too_much: ServiceHarness
) -> None:
    applied(other, FIRST)
    part = {"payment_id": "c1", "reason": "credit-withdrawn", "amount": "100.00"}
    other.record("payment_reversed", "2027-03-03 09:00", **part)
    paid_too_much.record("payment_reversed", "2027-03-03 10:00", payment_id="p1", reason="R01", amount="250.00")
    giver = stored(other.deps.database, "A")
    assert (str(giver.open_amount), str(giver.credit), str(giver.uncovered)) == ("0.00", "0.00", "150.00")
    (task,) = [task for task in paid_too_much.tasks() if task.task_id == "A.uncovered"]
    assert "150.00 EUR of this invoice's credit" in task.reason and "had gone: 200.00 to B" in task.reason


def test_a11_returned_credit_counts_once_and_holds_nothing_back(other: ServiceHarness) -> None:
    database = other.deps.database
    with database.writing("acme") as session:
        for _ in range(2):
            credits.give_back(session, "A", "r1", THREE, "EUR", "agent-7", at(FIRST))
        with pytest.raises(Refused, match="A has no credit"):
            credits.give_back(session, "A", "r2", THREE, "EUR", "agent-7", at(FIRST))
    assert (str(stored(database, "A").credit), credit_task(database).state) == ("0.00", "withdrawn")
    other.carry_out("first-reminder", FIRST)
    assert len(other.messages()) == 1


# When the money behind it is taken back ------------------------------------------------------------------


def test_a11_a_payment_reversed_after_its_credit_was_applied(
    other: ServiceHarness, paid_too_much: ServiceHarness
) -> None:
    """The invoice that was paid by credit stays paid until a person decides; the other asks for its own sum only."""
    database = other.deps.database
    applied(other, FIRST)
    paid_too_much.record("payment_reversed", "2027-03-03 09:00", payment_id="p1", reason="R01")
    giver = stored(database, "A")
    assert (str(giver.open_amount), str(giver.credit), str(giver.uncovered)) == ("1200.00", "0.00", "300.00")
    assert (stored(database, "B").stage, stored(database, "A").stage) == ("paid", "scheduled")
    with database.reading() as session:
        task = tasks.get(session, "A.uncovered")
    assert task is not None
    assert (task.state, task.amount) == ("open", THREE)
    assert "starter.py reverse-payment B 'c1'" in task.reason

    other.record("payment_reversed", "2027-03-04 09:00", payment_id="c1", reason="credit-withdrawn")
    assert (str(other.case.open_amount), str(stored(database, "A").uncovered)) == ("300.00", "0.00")
    with database.reading() as session:
        task = tasks.get(session, "A.uncovered")
        assert kept_credits.of_customer(session, "acme") == []
    assert task is not None
    assert task.state == "withdrawn"


def test_a11_money_that_comes_again_covers_the_credit_again(
    other: ServiceHarness, paid_too_much: ServiceHarness
) -> None:
    applied(other, FIRST)
    paid_too_much.record("payment_reversed", "2027-03-03 09:00", payment_id="p1", reason="R01")
    paid_too_much.pay("2027-03-04 09:00", "1500.00", "p2")
    giver = stored(other.deps.database, "A")
    assert (giver.stage, str(giver.open_amount), str(giver.credit), str(giver.uncovered)) == (
        "paid",
        "0.00",
        "0.00",
        "0.00",
    )


# Payments to check ---------------------------------------------------------------------------------------


def test_a17_a_doubtful_payment_raises_a_task_and_counts(file_database: Database) -> None:
    harness = a_harness(file_database, "A", "1200.00")
    harness.pay(FIRST, "120000.00", "bank 7/31")
    assert harness.case.stage == "paid"
    (task,) = [task for task in harness.tasks() if ".check." in task.task_id]
    assert task.reason.startswith("check this payment: bank 7/31 of 120000.00 EUR is more than twice the 1200.00 EUR")
    assert "reverse-payment A 'bank 7/31'" in task.reason
    assert task.outlives_case
    harness.record("payment_reversed", "2027-03-03 09:00", payment_id="bank 7/31", reason="wrong")
    assert [task for task in harness.tasks() if ".check." in task.task_id] == []


def test_a17_what_a_provider_dates_far_ahead_counts_and_is_checked(file_database: Database) -> None:
    harness = a_harness(file_database, "A", "1200.00")
    facts = {"payment_id": "p1", "amount": "10.00", "currency": "EUR", "received_at": "2030-01-01T00:00:00Z"}
    harness.record("payment_received", FIRST, **facts, from_provider=True)
    assert str(harness.case.open_amount) == "1190.00"
    assert [
        task.task_id.partition(".check.")[0] for task in harness.tasks() if "dated 2030-01-01" in task.reason
    ] == ["A"]


def test_a12_money_for_a_cancelled_invoice_raises_the_task_of_its_credit(file_database: Database) -> None:
    harness = a_harness(file_database, "A", "1200.00")
    harness.pay(FIRST, "200.00")
    harness.record("cancel", "2027-03-03 09:00", reason="wrong", by="billing")
    harness.pay("2027-03-04 09:00", "300.00", "p2")
    task = credit_task(file_database)
    assert (task.state, task.amount) == ("open", Decimal("500.00"))
    assert "were paid for a cancelled invoice" in task.reason


# When one side was restored from an older copy -----------------------------------------------------------


def test_a11_a_database_restored_from_before_the_credit_was_applied(other: ServiceHarness) -> None:
    database = other.deps.database
    applied(other, FIRST)
    with database.writing("acme") as session:
        for row in (*session.query(CreditUseRow), *session.query(PaymentRow).filter_by(payment_id="c1")):
            session.delete(row)
    other.record("payment_received", "2027-03-03 09:00", payment_id="p9", amount="1.00", currency="EUR")
    with database.reading() as session:
        (use,) = kept_credits.uses(session, "A")
        assert (use.to_invoice, use.amount, payments.paid(session, "B")) == ("B", THREE, Decimal("301.00"))
    assert str(stored(database, "A").credit) == "0.00"


def test_whoever_applied_credit_is_still_named_after_a_restore(
    other: ServiceHarness, paid_too_much: ServiceHarness
) -> None:
    """The case that was paid writes first, and knows neither who applied it nor when."""
    event = CreditApplied(credit_id="c1", from_invoice="A", amount=THREE, currency="EUR", by="agent-7")
    with other.deps.database.writing("acme") as session:
        credits.apply(session, "B", event, at(FIRST))
    applied(other, FIRST)
    told = [entry for entry in paid_too_much.entries("credit") if entry.key == "credit.c1"]
    assert "applied to invoice B by agent-7" in told[0].reason
    with other.deps.database.writing("acme") as session:
        for row in (*session.query(CreditUseRow), *session.query(PaymentRow).filter_by(payment_id="c1")):
            session.delete(row)
        session.query(TimelineRow).filter_by(key="credit.c1").delete()
    other.pay("2027-03-03 09:00", "1.00", "p9")
    assert "had been applied to invoice B" in paid_too_much.entries("credit")[-1].reason
    content = {"reason": "r", "by": "a"}
    request = paid_too_much.request("pause", "2027-03-04 09:00", content, told).model_copy(update={"seen": 99})
    paid_too_much.write(request, "2027-03-04 09:00")
    assert [entry for entry in paid_too_much.entries("credit") if entry.key == "credit.c1"] == told


def test_a11_a_case_that_never_heard_of_its_credit_learns_it_from_the_ledger(other: ServiceHarness) -> None:
    """The database took it, and the worker ended before the case counted it."""
    event = CreditApplied(credit_id="c1", from_invoice="A", amount=THREE, currency="EUR", by="agent-7")
    with other.deps.database.writing("acme") as session:
        credits.apply(session, "B", event, at(FIRST))
    answer = other.record("pause", "2027-03-03 09:00", reason="r", by="a")
    assert answer.newer is not None
    assert (answer.newer.stage, answer.newer.money.receipts[-1].from_invoice) == ("paid", "A")


def test_credit_counts_from_when_its_case_counts_it(other: ServiceHarness) -> None:
    """Taken before midnight and heard after it: a restored database would date it anew, and its interest with it."""
    event = CreditApplied(credit_id="c1", from_invoice="A", amount=THREE, currency="EUR", by="agent-7")
    with other.deps.database.writing("acme") as session:
        credits.apply(session, "B", event, at("2027-03-03 22:59"))
    applied(other, "2027-03-03 23:01")
    with other.deps.database.reading() as session:
        (row,) = payments.rows(session, "B")
    (receipt,) = other.case.money.receipts
    assert row.received_at == receipt.received_at == at("2027-03-03 23:01")

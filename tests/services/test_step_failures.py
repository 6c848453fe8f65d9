"""A fact that is missing never stops a case: a person is asked, and the rest goes on."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, select

from dunwell.domain import next_action
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Role, Stage
from dunwell.services.attempt import TRIES, Attempt
from dunwell.services.unconfirmed_messages import UnconfirmedMessages
from dunwell.store import policies
from dunwell.store.tables import PaymentRow, PolicyRow
from tests.builders import a_contact, a_customer, an_invoice, at, the_ladders
from tests.services.conftest import ServiceHarness

REMINDED, AGREED, SENT, MISSED, BOUNCED, AFTER, LATER = (
    f"2027-03-{day:02} 09:00" for day in (2, 3, 4, 9, 10, 11, 12)
)
MENDED = "2027-03-17 09:00"


@pytest.fixture
def last_try(harness: ServiceHarness) -> ServiceHarness:
    """A harness with a case, whose activities are tried for the last time as a whole."""
    harness.attempt = TRIES
    harness.open()
    return harness


def forget_ladders(harness: ServiceHarness) -> None:
    """No version of any ladder is registered, and none is remembered."""
    with harness.deps.database.writing() as session:
        session.execute(delete(PolicyRow))
    harness.deps = replace(harness.deps, _policies={})


def register(harness: ServiceHarness, policy: Policy) -> None:
    with harness.deps.database.writing() as session:
        policies.register(session, policy)


def forget_customer(harness: ServiceHarness) -> None:
    """As in a database that was restored in part."""
    raw = harness.deps.database.engine.raw_connection()
    for statement in ("PRAGMA foreign_keys=OFF", "DELETE FROM contacts", "DELETE FROM customers"):
        raw.cursor().execute(statement)
    raw.cursor().execute("PRAGMA foreign_keys=ON")
    raw.close()


def lacks_a_fact(*_: object, **__: object) -> None:
    raise KeyError("ada@acme.example")


# An answer whose subject is gone --------------------------------------------------------------------------


def plan_agreed(harness: ServiceHarness) -> str:
    harness.carry_out("first-reminder", REMINDED)
    instalments = [{"date": "2027-03-08", "amount": "500.00"}, {"date": "2027-04-08", "amount": "700.00"}]
    harness.record("payment_plan_agreed", AGREED, instalments=instalments, by="agent-7")
    step = harness.case.outstanding.owed[0]
    harness.carry_out(step, SENT)
    return step


def bounce(harness: ServiceHarness, step: str, when: str) -> None:
    for row in harness.messages(step):
        harness.report(row, "bounced", when)


@pytest.mark.parametrize("end", ["missed", "kept", "replaced"])
def test_a8_a_confirmation_that_bounces_after_its_plan_is_dropped(harness: ServiceHarness, end: str) -> None:
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(), a_contact(Role.ACCOUNTS_PAYABLE, 2)))))
    step = plan_agreed(harness)
    match end:
        case "missed":
            harness.case.instalment_due(at(MISSED))
        case "kept":
            harness.record("invoice_amended", SENT, amount="1250.00", by="billing")
            harness.pay(SENT)  # all that was agreed; the rest is of another invoice amount
        case _:
            instalments = [{"date": "2027-03-20", "amount": "1200.00"}]
            harness.record("payment_plan_agreed", MISSED, instalments=instalments, by="agent-7")
    before = len(harness.messages())
    bounce(harness, step, BOUNCED)
    assert harness.case.outstanding.again == [step]
    answer = harness.carry_out(step, AFTER)
    assert answer.outcome is not None and answer.outcome.status == "skipped"
    assert harness.case.outstanding.again == []
    assert len(harness.messages()) == before
    assert any("what it speaks of is no more" in entry.reason for entry in harness.entries("withheld"))


@pytest.mark.parametrize(
    ("told", "content", "undone", "how"),
    [
        (
            "promise_to_pay",
            {"date": "2027-03-08", "promised_by": "user"},
            "promise_to_pay",
            {"date": "2027-03-12", "promised_by": "user"},
        ),
        (
            "dispute_opened",
            {"reason": "quality", "opened_by": "user"},
            "dispute_resolved",
            {"outcome": "rejected", "by": "agent-7"},
        ),
    ],
)
def test_a8_what_was_replaced_or_resolved_is_not_confirmed(
    harness: ServiceHarness, told: str, content: dict[str, str], undone: str, how: dict[str, str]
) -> None:
    harness.open()
    harness.carry_out("first-reminder", REMINDED)
    harness.record(told, AGREED, **content)
    first = harness.case.outstanding.owed[0]
    harness.carry_out(first, SENT)
    harness.record(undone, MISSED, **how)
    bounce(harness, first, BOUNCED)
    harness.carry_out(harness.case.outstanding.owed[0], BOUNCED)
    sent = len(harness.messages())
    assert next_action.subject_gone(harness.case, first)
    harness.carry_out(first, AFTER)
    assert len(harness.messages()) == sent


# What fails for good --------------------------------------------------------------------------------------


def test_a8_a_ladder_that_is_not_registered_stops_no_payment(last_try: ServiceHarness) -> None:
    harness = last_try
    forget_ladders(harness)
    harness.pay(AGREED, "100.00", "p1")
    harness.pay(SENT, "200.00", "p2")
    with harness.deps.database.reading() as session:
        assert set(session.scalars(select(PaymentRow.payment_id))) == {"p1", "p2"}
    task = next(task for task in harness.tasks() if task.task_id == "inv-1.~plan.stuck")
    assert "policy gentle-saas@" in task.reason
    answer = harness.write(harness.request("payment_received", SENT, {}, []).model_copy(update={"event": None}), SENT)
    assert answer.next_action is not None
    assert (answer.next_action.step, answer.next_action.at) == (next_action.LOOK_AGAIN, at("2027-03-05 09:00"))
    register(harness, the_ladders()["gentle-saas"])
    harness.case = answer.newer or harness.case
    harness.pay(MISSED, "300.00", "p3")
    assert [task.task_id for task in harness.tasks() if "stuck" in task.task_id] == []


def test_a8_a_step_that_lacks_a_fact_keeps_its_turn_and_a_person_is_asked(
    last_try: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = last_try

    def lacks(*_: object, **__: object) -> None:
        raise LookupError("invoice 'inv-1' is not in the database")

    monkeypatch.setattr("dunwell.services.composing.message_facts.gather", lacks)
    answer = harness.carry_out("first-reminder", REMINDED)
    assert answer.outcome is not None and answer.outcome.status == "failed"
    assert harness.messages() == []
    assert answer.next_action is not None
    assert (answer.next_action.step, answer.next_action.at) == ("first-reminder", at("2027-03-03 09:00"))
    task = next(task for task in harness.tasks() if task.task_id == "inv-1.first-reminder.stuck")
    assert "not in the database" in task.reason and "1200.00 EUR are open" in task.reason
    monkeypatch.undo()
    harness.carry_out("first-reminder", AGREED)
    assert [message.step for message in harness.messages()] == ["first-reminder"] * 2
    assert harness.tasks() == []


@pytest.mark.parametrize(("outcome", "next_step"), [("approved", "first-reminder"), ("declined", "second-reminder")])
def test_a8_a_person_tries_the_step_again_or_leaves_it_out(
    last_try: ServiceHarness, monkeypatch: pytest.MonkeyPatch, outcome: str, next_step: str
) -> None:
    harness = last_try
    monkeypatch.setattr("dunwell.services.composing.message_facts.gather", lacks_a_fact)
    harness.carry_out("first-reminder", REMINDED)
    answer = harness.record(
        "call_outcome", "2027-03-02 10:00", task_id="inv-1.first-reminder.stuck", outcome=outcome, by="m"
    )
    assert answer.next_action is not None and answer.next_action.step == next_step
    assert harness.tasks() == []


def test_a8_an_answer_that_lacks_a_fact_is_left_to_a_person_and_the_next_one_leaves(
    last_try: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = last_try
    harness.carry_out("first-reminder", REMINDED)
    harness.record("promise_to_pay", AGREED, date="2027-03-08", promised_by="user")
    monkeypatch.setattr("dunwell.services.composing.message_facts.gather", lacks_a_fact)
    answer = harness.carry_out("promise-confirmed~1", SENT)
    assert answer.next_action is not None and answer.next_action.step != "promise-confirmed~1"
    assert [task.task_id for task in harness.tasks()] == ["inv-1.promise-confirmed~1.left-out"]
    assert "KeyError at test_step_failures.py" in harness.tasks()[0].reason
    monkeypatch.undo()
    harness.pay(SENT)
    harness.carry_out(harness.case.outstanding.owed[0], MISSED)
    assert harness.messages()[-1].message == "thank-you"


def test_a8_one_event_that_cannot_be_written_does_not_keep_the_next_one(
    last_try: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = last_try

    def refuses(*_: object) -> None:
        raise ValueError("no such column for Ada Lovelace")

    for name in ("add_payment", "put_receipt"):
        monkeypatch.setattr(f"dunwell.services.recording.payments.{name}", refuses)
    harness.pay(AGREED, "100.00", "bad")
    with harness.deps.database.reading() as session:
        assert session.scalars(select(PaymentRow.payment_id)).all() == []
    monkeypatch.undo()
    harness.pay(SENT, "200.00", "good")
    with harness.deps.database.reading() as session:  # the case knows both, and the database catches up
        assert set(session.scalars(select(PaymentRow.payment_id))) == {"bad", "good"}
    task = next(task for task in harness.tasks() if "bad.unwritten" in task.task_id)
    assert "payment_received bad" in task.reason and "Ada" not in task.reason


def test_a8_a_customer_that_is_gone_stops_no_payment(last_try: ServiceHarness) -> None:
    harness = last_try
    forget_customer(harness)
    harness.pay(AGREED)
    with harness.deps.database.reading() as session:
        assert session.scalars(select(PaymentRow.payment_id)).all() == ["p1"]
    assert harness.case.stage is Stage.PAID


def test_a8_of_many_silent_messages_one_that_cannot_be_judged_is_left_alone(
    harness: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.open(an_invoice(policy="gradual-pressure"))
    looked: list[str] = []

    def give_up(_: UnconfirmedMessages, __: object, message_id: str, ___: object) -> list[object]:
        looked.append(message_id)
        if message_id == "bad":
            raise LookupError("policy x@1 is not in the database")
        return []

    class Row:
        def __init__(self, message_id: str) -> None:
            self.message_id, self.customer_id = message_id, "acme"

    monkeypatch.setattr(UnconfirmedMessages, "_give_up", give_up)
    monkeypatch.setattr(
        "dunwell.services.unconfirmed_messages.outbox.unconfirmed", lambda *_: [Row("bad"), Row("good")]
    )
    assert UnconfirmedMessages(harness.deps).give_up(Attempt(at(MENDED), TRIES)) == []
    assert looked == ["bad", "good"]

"""The contacts that figures are made of, as a case makes them, on either database."""

from dunwell.domain.channels import Channel
from dunwell.domain.figures.contact import StepName
from dunwell.domain.terms import MessageState, TaskKind
from dunwell.store import contact_history
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from tests.builders import at, sample_deps
from tests.services.conftest import ServiceHarness

SINCE, UNTIL = at("2027-03-01 00:00"), at("2027-03-31 00:00")


def test_messages_and_conversations_are_counted_by_what_became_of_them(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    facts = {"invoice_id": "inv-1", "kind": TaskKind.CALL, "due_at": SINCE, "reason": "", "script": ""}
    done = {"state": "done", "closed_at": at("2027-03-05 10:00")}
    with database.writing() as session:
        for number, result in enumerate(("promise", "no_answer", "no_answer")):
            session.add(TaskRow(task_id=f"t{number}", step="call-them", result=result, **facts, **done))
    with database.reading() as session:
        contacts = contact_history.contacts(session, "EUR", SINCE, UNTIL)
        calls = contact_history.calls(session, "EUR", SINCE, UNTIL)
        sent = contact_history.messages(session, "EUR", SINCE, UNTIL)
        at_once = contact_history.messages(session, "EUR", SINCE, at("2027-03-02 08:00"))
        steps = contact_history.policy_steps(session)
        assert contact_history.messages(session, "USD", SINCE, UNTIL) == []
    policy = harness.case.policy.name
    named = [one.step for one in contacts["inv-1"]]
    assert set(named) == {StepName(policy, "first-reminder"), StepName(policy, "call-them")}
    assert [(one.result, one.number) for one in calls] == [("no_answer", 2), ("promise", 1)]
    assert {(one.channel, one.state) for one in sent} == {(Channel.EMAIL, MessageState.DELIVERED)}
    assert sum(one.number for one in sent) == len(harness.messages(copies=True))
    assert at_once == []
    assert steps[policy][0] == "first-reminder"

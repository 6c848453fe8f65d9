"""What nobody comes back to by itself is found by the database alone, and left to a person."""

from datetime import datetime, timedelta

from dunwell.domain.reconciliation_report import Finding, Kind
from dunwell.domain.terms import MessageState, ProviderCall
from dunwell.services import cancelled_runs
from dunwell.services.overdue_work import OverdueWork
from dunwell.store import cases, outbox, tasks
from dunwell.store.tables import TaskRow
from tests.builders import at
from tests.services.conftest import ServiceHarness

FIRST, LATER = "2027-03-02 09:00", at("2027-03-04 09:00")


def found(harness: ServiceHarness, now: datetime = LATER) -> list[Finding]:
    return OverdueWork(harness.deps).find(now)


def mend_all(harness: ServiceHarness, now: datetime = LATER) -> list[bool]:
    return [OverdueWork(harness.deps).mend(one, now) for one in found(harness, now)]


def test_g13_a_call_that_was_never_answered_is_left_to_a_person(harness: ServiceHarness) -> None:
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    with harness.deps.database.writing("acme") as session:
        row = outbox.of_invoice(session, "inv-1", "first-reminder")[0]
        row.call, row.state, row.called_at = ProviderCall.BEGUN, MessageState.CLAIMED, LATER - timedelta(days=2)
    assert [one.kind for one in found(harness)] == [Kind.CLAIM]
    assert mend_all(harness) == [True]
    assert [message.state for message in harness.messages()].count(MessageState.UNKNOWN) == 1
    assert "never" not in harness.tasks()[0].reason and "settle-message" in harness.tasks()[0].reason
    assert found(harness) == []


def test_g13_a_task_of_a_case_that_has_ended_is_withdrawn(harness: ServiceHarness) -> None:
    harness.open()
    harness.pay("2027-03-01 09:00")
    with harness.deps.database.writing("acme") as session:
        tasks.add(
            session,
            TaskRow(
                task_id="inv-1.call",
                invoice_id="inv-1",
                step="first-reminder",
                kind="call",
                contact_id=None,
                due_at=LATER,
                reason="call",
                script="",
            ),
        )
    assert [(one.kind, one.subject) for one in found(harness)] == [(Kind.TASK, "inv-1.call")]
    assert mend_all(harness) == [True]
    assert harness.tasks() == []


def test_g13_a_case_that_waits_for_nobody_asks_somebody(harness: ServiceHarness) -> None:
    harness.open()
    with harness.deps.database.writing("acme") as session:
        row = cases.get_row(session, "inv-1")
        assert row is not None
        row.next_at, row.next_step, row.state = None, None, row.state | {"next_action": None}
    assert [one.kind for one in found(harness)] == [Kind.STILL]
    assert mend_all(harness) == [True]
    assert "nothing is planned" in harness.tasks()[0].reason
    assert found(harness) == []


def test_g13_nothing_is_found_where_nothing_was_left(harness: ServiceHarness) -> None:
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    assert found(harness) == []


def test_a9_an_interrupted_case_rests_and_asks_once(harness: ServiceHarness) -> None:
    harness.open()
    for _ in range(2):
        with harness.deps.database.writing("acme") as session:
            case = cases.get(session, "inv-1")
            assert case is not None
            cancelled_runs.rest(
                session, harness.deps, case, "run-closed", "it was terminated", LATER, rehearsal=False
            )
    with harness.deps.database.reading() as session:
        kept = cases.get(session, "inv-1")
    assert kept is not None
    assert (kept.stage.value, kept.next_action) == ("paused", None)
    [task] = harness.tasks()
    assert task.reason.startswith("it was terminated. The case rests: end it, or go on? 1200.00 EUR are open.")
    harness.case, harness.written = kept, kept.mark
    harness.record("resume", "2027-03-04 10:00", by="agent-7")
    assert harness.tasks() == []
    assert harness.case.next_action is not None


def test_g13_a_case_that_does_not_answer_is_looked_at_by_a_person(harness: ServiceHarness) -> None:
    harness.open()
    silent = Finding(kind=Kind.SILENT, invoice_id="inv-1", found="it does not answer (RPCError)", remedy="")
    for _ in range(2):
        assert OverdueWork(harness.deps).mend(silent, LATER)
    [task] = harness.tasks()
    assert "does not answer" in task.reason and "Temporal UI" in task.reason

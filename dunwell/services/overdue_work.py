"""Finds and repairs work that was left behind: unanswered provider calls, tasks of ended cases, idle cases,
notifications that no subscriber took.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.keys import StepKey, TaskId
from dunwell.domain.reconciliation_report import Finding, Kind
from dunwell.domain.terms import MessageState, ProviderCall
from dunwell.services import person_tasks, webhook_subscriptions
from dunwell.services.decision_log import note_message
from dunwell.services.dependencies import Dependencies
from dunwell.store import cases, notifications, outbox, tasks

_CALL_IS_LOST = timedelta(days=1)


class OverdueWork:
    def __init__(self, deps: Dependencies) -> None:
        self._database = deps.database

    def find(self, now: datetime) -> list[Finding]:
        """All findings that the database alone shows."""
        with self._database.reading() as session:
            kept = {row.invoice_id: row for row in cases.all_rows(session)}
            asked = {task.invoice_id for task in tasks.open_tasks(session)}
            claims = [
                Finding(
                    kind=Kind.CLAIM,
                    invoice_id=outbox.links(session, row.message_id)[0].invoice_id,
                    found=f"no answer came to the call for message {row.message_id} of {row.claimed_at:%Y-%m-%d}",
                    remedy="it is not sent again; a person looks it up at the provider",
                    subject=row.message_id,
                )
                for row in outbox.unanswered_calls(session, now - _CALL_IS_LOST)
            ]
            late = [
                Finding(
                    kind=Kind.TASK,
                    invoice_id=task.invoice_id,
                    found=f"task {task.task_id} is open, and its case is {kept[task.invoice_id].stage}",
                    remedy="withdrawn",
                    subject=task.task_id,
                )
                for task in tasks.open_tasks(session)
                if not task.outlives_case and task.invoice_id in kept and cases.has_ended(kept[task.invoice_id])
            ]
            still = [
                Finding(
                    kind=Kind.STILL,
                    invoice_id=row.invoice_id,
                    found=f"it is {row.stage}, nothing is planned, and nobody was asked",
                    remedy="a person is asked",
                )
                for row in kept.values()
                if row.next_at is None and not cases.has_ended(row) and row.invoice_id not in asked
            ]
            webhooks = [
                Finding(
                    kind=Kind.WEBHOOK,
                    invoice_id=invoice_id,
                    found=f"{count} notifications, the first of {first:%Y-%m-%d}, could not be delivered to "
                    f"{webhook_subscriptions.host_of(subscription)} within three days",
                    remedy=f"starter.py webhook resend {subscription.subscription_id}, once it answers; "
                    f"or starter.py webhook remove {subscription.subscription_id}",
                    subject=subscription.subscription_id,
                )
                for subscription, count, invoice_id, first in notifications.failed_by_subscription(session)
            ]
        return claims + late + still + webhooks

    def mend(self, finding: Finding, now: datetime) -> bool:
        """Repair the finding. False when there is nothing to repair any more, or it cannot be repaired."""
        with self._database.reading() as session:
            row = cases.get_row(session, finding.invoice_id)
        if row is None:
            return False
        at = row.updated_at if row.rehearsal else now
        with self._database.writing(row.customer_id) as session:
            case = cases.get(session, finding.invoice_id)
            if case is None:
                return False
            match finding.kind:
                case Kind.CLAIM:
                    return _give_up(session, str(finding.subject), case, at)
                case Kind.TASK:
                    person_tasks.withdraw_needless(session, case, at)
                    return True
                case Kind.SILENT | Kind.FAILING:
                    return _ask_to_look(session, case, finding, at)
                case _:
                    return _ask(session, case, at)


def _give_up(session: Session, message_id: str, case: Case, now: datetime) -> bool:
    row = outbox.get(session, message_id)
    if row is None or row.call != ProviderCall.BEGUN:
        return False
    why = "the call was begun and no answer came"
    row.call, row.state, row.reason = ProviderCall.ANSWERED, MessageState.UNKNOWN, why
    text = note_message(session, row, "unknown", f"nobody knows whether it left ({why})", now)
    reason = (
        f"{text}. Look it up at the provider by message id {message_id}; it is not sent again; then say what became "
        f"of it: starter.py settle-message {message_id} delivered, or failed"
    )
    step = StepKey.parse(row.step).step
    task_id = str(TaskId.of(message_id, "unknown"))
    person_tasks.raise_task(session, case, task_id=task_id, step=step, reason=reason, now=now)
    return True


def _ask(session: Session, case: Case, now: datetime) -> bool:
    if case.ended or case.next_action is not None or tasks.open_tasks(session, case.invoice_id):
        return False
    reason = (
        f"the case is {case.stage.value}, {case.asked} {case.currency} are asked for, and nothing is planned: decide "
        "how it goes on: resume it, resolve its dispute, take a promise or a plan, write it off, or cancel it"
    )
    task_id = str(TaskId.of(case.invoice_id, "still", case.turns))
    return person_tasks.raise_task(session, case, task_id=task_id, step="", reason=reason, now=now)


def _ask_to_look(session: Session, case: Case, finding: Finding, now: datetime) -> bool:
    """Once a day."""
    advice = "nothing more happens to it. Look at its run in the Temporal UI and at the worker's log; "
    if finding.kind is Kind.FAILING:
        advice = (
            "it does nothing more, and takes no payment. After a new release, put the earlier one back. After a "
            f"reset, end the run: temporal workflow terminate --workflow-id invoice-{case.invoice_id}, then "
            "starter.py reconcile --apply; it is begun again from the database, with the payments that it was told "
            "meanwhile; "
        )
    reason = f"the case runs in the engine and {finding.found}: {advice}docs/operating.md says what is wrong"
    task_id = str(TaskId.of(case.invoice_id, finding.kind.value, f"{now:%Y%m%d}"))
    person_tasks.raise_task(session, case, task_id=task_id, step="", reason=reason, now=now)
    return True

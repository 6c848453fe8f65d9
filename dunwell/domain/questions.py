"""The questions about a case for a person to decide: payments counted before the import, rests without an end,
replies that wait.
"""

from datetime import datetime, timedelta
from shlex import quote

from dunwell.domain import replies
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.keys import TaskId
from dunwell.domain.model import Value
from dunwell.domain.money import QuestionedPayment
from dunwell.domain.policy import Policy


class Question(Value):
    """A question and the task that asks it; `due_at` says by when it has to be decided.

    escalated_at  when a manager was told of it, the last time
    """

    task_id: str
    reason: str
    due_at: datetime
    outlives_case: bool = False
    escalated_at: datetime | None = None


def open_questions(case: Case, policy: Policy, calendar: BusinessCalendar) -> list[Question]:
    """All that is open now. A rest that has no end of its own is looked at after the ladder's days."""
    found = [
        Question(
            task_id=case.payment_task(payment.payment_id),
            reason=_about_payment(case, payment),
            due_at=payment.since,
            outlives_case=True,
        )
        for payment in case.money.questioned.values()
    ]
    found += [
        Question(
            task_id=replies.waits_task(reply),
            reason=f"a reply of {case.today(reply.at)} waits for a person, and nothing is sent to this customer "
            "meanwhile: have somebody answer it, or say that it needs no answer",
            due_at=reply.at,
            outlives_case=True,
            escalated_at=reply.escalated_at,
        )
        for reply in case.agreements.replies
        if reply.escalated_at is not None
    ]
    if case.ended:
        return found
    dispute, pause, task = case.agreements.dispute, case.agreements.pause, dispute_task(case)
    if task is not None and dispute and dispute.since:
        found.append(
            Question(
                task_id=task,
                reason=_about_dispute(case),
                due_at=_later(calendar, dispute.since, policy.dispute_days),
            )
        )
    if pause and pause.since and pause.until is None and not pause.interrupted:  # of that a person is asked at once
        found.append(
            Question(
                task_id=str(TaskId.of(case.invoice_id, "pause", f"{pause.since:%Y%m%d%H%M}")),
                reason=f"paused without an end since {case.today(pause.since)} by {pause.by} ({pause.reason}): look "
                f"whether the reason still holds, then starter.py resume {case.invoice_id}, or pause it until a day",
                due_at=_later(calendar, pause.since, policy.pause_days),
            )
        )
    return found


def dispute_task(case: Case) -> str | None:
    """The id of the task to answer the dispute that is open; None without one."""
    dispute = case.agreements.dispute
    if dispute is None or dispute.since is None:
        return None
    return str(TaskId.of(case.invoice_id, "dispute", f"{dispute.since:%Y%m%d%H%M}"))


def _later(calendar: BusinessCalendar, since: datetime, days: int) -> datetime:
    day = calendar.local_date(since) + timedelta(days=days)
    return calendar.next_open(calendar.opening(day))


def _about_payment(case: Case, payment: QuestionedPayment) -> str:
    amount, before = f"{payment.amount} {case.currency}", case.money.imported_paid
    count = f"starter.py pay {case.invoice_id} {payment.amount} --payment-id {quote(payment.payment_id)} --confirm"
    return (
        f"payment {payment.payment_id} of {amount}, received on {case.today(payment.received_at)}, is older than the "
        f"import of this invoice, which came with {before} {case.currency} paid. It is not counted yet. "
        f"If it is no part of that sum, count it: {count}. If it is, close this task"
    )


def _about_dispute(case: Case) -> str:
    dispute = case.agreements.dispute
    if dispute is None or dispute.since is None:
        return ""
    what = f"{dispute.amount} {case.currency}" if dispute.amount is not None else "the whole invoice"
    lowered = f"; {case.money.lowered_since}" if case.money.lowered_since else ""
    return (
        f"{what} disputed by {dispute.by} since {case.today(dispute.since)} ({dispute.reason}){lowered}: look into "
        f"it, then starter.py resolve-dispute {case.invoice_id} upheld, rejected or adjusted"
    )

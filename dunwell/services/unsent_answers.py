"""Tells a person that a clerk's answer did not reach whoever wrote to us."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.clerk_answer import ClerkAnswer
from dunwell.domain.keys import StepId, StepKey, TaskId
from dunwell.services import person_tasks
from dunwell.store import answers, cases


def ask(session: Session, case: Case, answer: ClerkAnswer, why: str, now: datetime) -> None:
    """Raise the task about this answer, once. It outlives the case: somebody waits for an answer all the same."""
    person_tasks.raise_task(
        session,
        case,
        task_id=str(TaskId.of(case.invoice_id, answer.step, "unsent")),
        step=answer.step,
        contact_id=answer.contact_id,
        reason=f"answer {answer.answer_id} to reply {answer.reply_id} did not reach them: {why}. Find another way",
        channel=answer.channel,
        ref=answer.answer_id,
        outlives_case=True,
        now=now,
    )


def returned(session: Session, invoice_id: str, step_key: str, state: str, now: datetime) -> None:
    """Raise the task if the message of this step, which came back or failed, is a clerk's answer."""
    answer_id = StepId.parse(StepKey.parse(step_key).step).persons_answer
    row, case = answers.get(session, answer_id) if answer_id else None, cases.get(session, invoice_id)
    if row is not None and case is not None:
        ask(session, case, answers.answer_of(row), f"the message is {state}", now)

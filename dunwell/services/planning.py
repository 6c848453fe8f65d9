"""Plans what comes next for a case, keeps the copy of it, and answers its workflow with what the database knows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain import next_action
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.checkpoint import merged
from dunwell.domain.ladder import NextAction
from dunwell.domain.outstanding import Stuck
from dunwell.domain.policy import Policy
from dunwell.domain.questions import open_questions
from dunwell.services import ladder_end, person_tasks, step_failures
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import Parts
from dunwell.services.request_models import CaseAnswer
from dunwell.store import accounts, cases, credits, outbox, timeline
from dunwell.store.tables import HoldRow

_NO_PLAN = timedelta(days=1)
"""How soon a case that could not be planned is looked at again."""


def plan(case: Case, policy: Policy, calendar: BusinessCalendar, holds: Sequence[HoldRow], now: datetime) -> None:
    """Set what comes next for a case, and what the account's holds leave of its access."""
    offset = now.astimezone(calendar.zone).utcoffset() or timedelta()
    case.utc_offset_minutes = int(offset.total_seconds() // 60)
    take_access(case, holds)
    case.next_action = next_action.next_action(case, policy, calendar, now)


def take_access(case: Case, holds: Sequence[HoldRow]) -> None:
    """Set the case's access: what the account's holds leave, with its own and without."""
    case.access = accounts.access_by(holds)
    case.access_beside = accounts.access_by(hold for hold in holds if hold.invoice_id != case.invoice_id)
    case.holds = [hold.level for hold in holds if hold.invoice_id == case.invoice_id]


@dataclass(frozen=True)
class _PriorState:
    """The stored copy of a case as it was before this answer; None of a case that is new."""

    case: Case | None
    stranded: bool
    stuck: Mapping[str, Stuck]

    @classmethod
    def of(cls, stored: Case | None) -> "_PriorState":
        if stored is None:
            return cls(None, False, {})
        return cls(stored.model_copy(deep=True), stored.stranded, dict(stored.outstanding.stuck))


def plan_and_answer(
    session: Session,
    deps: Dependencies,
    case: Case,
    answer: CaseAnswer,
    attempt: Attempt,
    *,
    rehearsal: bool,
    seen: int,
) -> None:
    """Plan what comes next, keep the copy of the case, and fill in the answer by what the database knows.

    A case that cannot be planned, because its ladder or its customer is not there, is looked at again a day
    later, and a person is asked.
    """
    parts, now = Parts(session, attempt), attempt.now
    case.money.given = credits.used_amount(session, case.invoice_id)
    stored = cases.get(session, case.invoice_id)
    before = _PriorState.of(stored)
    if stored is not None and stored.revision > case.revision:
        answer.newer = stored
        case = stored
    planned = parts.do(step_failures.PLAN, lambda: _plan_case(session, deps, case, now, before))
    if planned:
        case.outstanding.stuck.pop(step_failures.PLAN, None)
    else:
        _look_again(session, case, parts.failed[step_failures.PLAN], now)
    if case.outstanding.stuck or before.stuck:
        parts.do("task", lambda: step_failures.ask(session, case, before.stuck, now))
    parts.do("messages", lambda: _tell_messages(session, case, answer))
    is_kept = parts.do("copy of the case", lambda: cases.put(session, case, rehearsal=rehearsal, now=now))
    answer.fill(case, timeline.read(session, case.invoice_id, after=seen), seen)
    if not is_kept:
        answer.copy_digest = None
    answer.unpublished = bool(accounts.unpublished(session, case.customer_id))


def _tell_messages(session: Session, case: Case, answer: CaseAnswer) -> None:
    answer.messages = outbox.unknown_to(session, case)
    case.messages = merged(case.messages, answer.messages)


def _plan_case(session: Session, deps: Dependencies, case: Case, now: datetime, before: _PriorState) -> None:
    policy, calendar = deps.policy(session, case.policy), deps.case_calendar(session, case, now)
    plan(case, policy, calendar, accounts.open_holds(session, case.customer_id), now)
    if case.stranded or before.stranded:
        ladder_end.ask(session, case, policy, calendar, now)
    questions = open_questions(case, policy, calendar)
    asked = [] if before.case is None else [one.task_id for one in open_questions(before.case, policy, calendar)]
    if questions or asked:
        person_tasks.ask(session, case, questions, asked, now, timedelta(days=policy.pause_days))


def _look_again(session: Session, case: Case, why: str, now: datetime) -> None:
    take_access(case, accounts.open_holds(session, case.customer_id))
    if case.finished:
        case.next_action = None
        return
    known = case.outstanding.stuck.get(step_failures.PLAN)
    case.outstanding.stuck[step_failures.PLAN] = Stuck(why=why, since=known.since if known else now, lasting=True)
    case.next_action = NextAction(step=next_action.LOOK_AGAIN, at=now + _NO_PLAN, why=f"it cannot be planned: {why}")


def stored_answers(session: Session, known: Collection[Case]) -> dict[str, CaseAnswer]:
    """What the database knows of these cases as they stand, by invoice, without planning them anew."""
    written = timeline.read_all(session, [case.invoice_id for case in known])
    unheard = accounts.with_unpublished_changes(session, {case.customer_id for case in known})
    answers = {case.invoice_id: CaseAnswer(unpublished=case.customer_id in unheard) for case in known}
    for case in known:
        answers[case.invoice_id].fill(case, written[case.invoice_id], 0)
    return answers

"""What a case waits for next: an answer to send, a day that was agreed, or the ladder's next step."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from dunwell.domain import grace, ladder, reinstatement, replies
from dunwell.domain.agreements import Plan
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.keys import StepId
from dunwell.domain.ladder import NextAction, Standing
from dunwell.domain.policy import Policy, Step
from dunwell.domain.terms import Stage

PROMISE_DUE = str(StepId(name="promise", agreed=True))
INSTALMENT_DUE = str(StepId(name="instalment", agreed=True))
PAUSE_OVER = str(StepId(name="pause", agreed=True))
PAYMENT_WAIT_OVER = str(StepId(name="payment-wait", agreed=True))
WRITTEN_PROMISE_DUE = str(StepId(name="written-promise", agreed=True))
CALL_OVER = str(StepId(name="call", agreed=True))
REPLY_DUE = str(StepId(name="reply", agreed=True))
"""A reply has waited so long that a manager hears of it."""
LOOK_AGAIN = str(StepId(name="look", agreed=True))
"""The case could not be planned; a person was asked, and it is looked at again then."""
WAITS = frozenset({PAYMENT_WAIT_OVER, WRITTEN_PROMISE_DUE})
DATES = frozenset({PROMISE_DUE, INSTALMENT_DUE, PAUSE_OVER, CALL_OVER, REPLY_DUE, LOOK_AGAIN}) | WAITS
"""Days that were agreed, as steps. No ladder can use these names."""


def answer_message(step: str) -> str | None:
    """The message key of an answer's step id ("promise-confirmed~2"), None for a step of the ladder."""
    return StepId.parse(step).message


def standing(case: Case) -> Standing:
    """What the ladder needs to know of the case."""
    return Standing(
        issued_on=case.issued_on,
        due_on=case.due_on,
        done=tuple(case.progress.steps),
        earlier=tuple(case.progress.former_steps),
        shift=case.progress.shift,
        customer_id=case.customer_id,
        awake_since=case.progress.awake_since,
        open_amount=case.asked,
    )


def next_action(case: Case, policy: Policy, calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    """The one thing the case waits for; None when it waits for a person, or for nothing any more."""
    answer = _answer(case, calendar, now)
    if (case.agreements.pauses or case.agreements.replies) and not case.ended:
        if answer is not None and StepId.parse(answer.step).persons_answer and not case.agreements.replies:
            return _earlier(answer, _pause(case, calendar))  # a person wrote it: it leaves in a pause as well
        return _earlier(_pause(case, calendar), _reply(case, policy, calendar))
    if case.ended:
        return answer or _elsewhere(case, case.outstanding.again, calendar, now)
    answer = _earlier(answer, _elsewhere(case, _confirmations(case), calendar, now))
    if case.agreements.dispute and case.asked == 0:
        return answer
    agreed = _eve(case, calendar, now) or _agreed_day(case, calendar)
    agreed = agreed or _earlier(_announced(case, policy, calendar), _call(case, calendar))
    agreed = agreed or _grace(case, calendar, now)
    if answer or agreed:
        return _earlier(answer, agreed)  # an answer that has to wait holds up no agreed day
    return _elsewhere(case, case.outstanding.again, calendar, now) or _ladder(case, policy, calendar, now)


def _earlier(one: NextAction | None, other: NextAction | None) -> NextAction | None:
    found = [action for action in (one, other) if action is not None]
    return min(found, key=lambda action: action.at, default=None)


def _answer(case: Case, calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    if not case.outstanding.owed:
        return None
    step = case.outstanding.owed[0]
    at = calendar.next_open(max(now, case.outstanding.not_before(step) or now))
    by_person = StepId.parse(step).persons_answer is not None
    why = "a person of ours wrote it to them" if by_person else "an answer to what was said or paid"
    return NextAction(step=step, at=at, why=why)


def _reply(case: Case, policy: Policy, calendar: BusinessCalendar) -> NextAction | None:
    """When a manager hears of a reply that waits: after the ladder's business days, and again each week."""
    if not case.agreements.replies:
        return None
    reply = min(case.agreements.replies, key=replies.order)
    day = calendar.add_business_days(calendar.local_date(reply.at), policy.replies.manager_after_days)
    first = calendar.at(day, reply.at.astimezone(calendar.zone).time())
    at = calendar.next_open(first + replies.AGAIN_AFTER * reply.escalated)
    why = f"a reply of {calendar.local_date(reply.at)} waits for a person; then a manager is told"
    return NextAction(step=REPLY_DUE, at=at, why=why)


def _elsewhere(case: Case, waiting: Sequence[str], calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    """The first of these messages, none of which arrived, by another way."""
    if not waiting:
        return None
    step = waiting[0]
    at = calendar.next_open(max(now, case.outstanding.not_before(step) or now))
    return NextAction(step=step, at=at, why="a message did not arrive: another channel, another contact or a person")


def _confirmations(case: Case) -> list[str]:
    """What confirms an agreement and did not arrive. It asks for nothing, so it is sent while the ladder rests."""
    confirmations = case.rules.reactions.confirmations
    return [step for step in case.outstanding.again if answer_message(step) in confirmations]


def _pause(case: Case, calendar: BusinessCalendar) -> NextAction | None:
    if case.agreements.paused_until is None:
        return None
    return NextAction(
        step=PAUSE_OVER,
        at=calendar.at(case.agreements.paused_until, time(0)),
        why=f"paused until {case.agreements.paused_until}",
    )


def is_wanted(case: Case, step: str, *, asks: bool) -> bool:
    """Whether the message of this step may still be sent, by the case as it is now.

    A clerk's answer may, unless it asks for money that came. What else asks for money needs some to ask for, and a
    ladder that does not rest. A reminder of an agreed day needs that very agreement, and an answer that asks for
    nothing may be given as long as there is what it speaks of.
    """
    if subject_gone(case, step):
        return False
    if StepId.parse(step).persons_answer is not None:
        return case.asked > 0 or not asks  # a person wrote it, who knew that the case rests
    if answer_message(step) is None or asks:
        rests = case.rests_beside_grace if step == grace.GRACE_OVER else case.resting
        return case.asked > 0 and (step == _reminder(case) or not rests)
    return True


def subject_gone(case: Case, step: str) -> bool:
    """Whether an answer speaks of what is no more, or was replaced: a plan, promise, dispute or end.

    It may be answered late, because the office was closed or a first message bounced.
    """
    message, on = answer_message(step), case.rules.reactions
    agreed = case.agreements.plan is not None or case.agreements.promise is not None
    there = [
        (on.plan_agreed, case.agreements.plan is not None and case.agreements.plan.answer == step),
        (on.promise_made, case.agreements.promise is not None and case.agreements.promise.answer == step),
        (on.dispute_opened, case.agreements.dispute is not None and case.agreements.dispute.answer == step),
        (on.dispute_closed, case.agreements.dispute is None),
        (on.promise_broken, not agreed),
        (on.instalment_missed, not agreed),
        (on.promise_due, step == _reminder(case)),
        (on.instalment_due, step == _reminder(case)),
        (on.part_paid, case.ended is None),
        (on.paid, case.ended is not None),
        (on.restored, case.ended is not None or not case.reduces_access),
        (on.nothing_to_pay, case.ended is not None),
        (on.accessory_left, case.may_ask_for_accessory),
        (reinstatement.BOOKED_BY_MISTAKE, _is_to_be_corrected(case)),
        (on.grace_granted, case.agreements.grace is not None and case.agreements.grace.answer == step),
    ]
    holds = [still for key, still in there if key == message]
    return message is not None and bool(holds) and not any(holds)


def _is_to_be_corrected(case: Case) -> bool:
    """Whether they were thanked for a payment that was booked by mistake, and something is open."""
    after = case.outstanding.corrects_after
    return case.ended is None and case.unpaid > 0 and after is not None and reinstatement.thanked(case, after)


def _reminder(case: Case) -> str | None:
    """The step that reminds of the day agreed now: "promise-due~2027-03-19". None without one."""
    if case.stage is Stage.PLAN and case.agreements.plan:
        key, day = case.rules.reactions.instalment_due, case.agreements.plan.next.date
    elif case.stage is Stage.PROMISED and case.agreements.promise:
        key, day = case.rules.reactions.promise_due, case.agreements.promise.date
    else:
        return None
    return str(StepId(name=key, occasion=f"{day}")) if key else None


def _eve(case: Case, calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    """A reminder on the business day before the agreed one; none for a day agreed yesterday, or too late."""
    step, agreed = _reminder(case), case.agreements.plan or case.agreements.promise
    if step is None or step in case.outstanding.reminded or agreed is None or agreed.made_at is None:
        return None
    day = agreed.next.date if isinstance(agreed, Plan) else agreed.date
    eve = calendar.add_business_days(day, -1)
    at = calendar.next_open(max(now, calendar.at(eve, time(0)), case.outstanding.not_before(step) or now))
    if calendar.local_date(agreed.made_at) >= eve or calendar.local_date(at) > eve:
        return None
    return NextAction(step=step, at=at, why=f"a reminder of {day}, the day agreed")


def _agreed_day(case: Case, calendar: BusinessCalendar) -> NextAction | None:
    if case.agreements.plan:
        due = case.agreements.plan.next
        at = _grace_over(case, calendar, due.date)
        why = (
            f"instalment {case.agreements.plan.met + 1} of {len(case.agreements.plan.instalments)} due on {due.date}"
        )
        return NextAction(step=INSTALMENT_DUE, at=at, why=why)
    if case.agreements.promise:
        at = _grace_over(case, calendar, case.agreements.promise.date)
        why = f"{case.agreements.promise.amount} {case.currency} promised for {case.agreements.promise.date}"
        return NextAction(step=PROMISE_DUE, at=at, why=why)
    return None


def _announced(case: Case, policy: Policy, calendar: BusinessCalendar) -> NextAction | None:
    """The end of the wait for what was announced: whole business days after the day on which it was."""
    if case.agreements.awaited is None:
        return None
    said_on = calendar.local_date(case.agreements.awaited.since)
    if case.agreements.awaited.what == "payment":
        day = calendar.add_business_days(said_on, policy.calls.payment_wait_days)
        why = f"the money they announced on {said_on} should be here by {day}"
        return NextAction(step=PAYMENT_WAIT_OVER, at=_heard(case, calendar, calendar.end_of_day(day)), why=why)
    day = calendar.add_business_days(said_on, 1)
    why = f"a date in writing is owed by the end of {day}"
    return NextAction(step=WRITTEN_PROMISE_DUE, at=_heard(case, calendar, calendar.end_of_day(day)), why=why)


def _call(case: Case, calendar: BusinessCalendar) -> NextAction | None:
    """The end of the day of the call that the customer asked for."""
    call = case.agreements.call
    if call is None:
        return None
    day = calendar.local_date(calendar.next_open(call.at or call.since))
    at = _heard(case, calendar, calendar.end_of_day(day))
    return NextAction(step=CALL_OVER, at=at, why=f"they asked to be called on {day}")


def _grace(case: Case, calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    """The return of a restriction. Its day has to be named first."""
    running = case.agreements.grace
    if running is None or running.answer in case.outstanding.owed:
        return None
    if running.answer in case.outstanding.again:
        return None  # it is sent elsewhere first
    day = grace.returns_on(running, calendar, running.since)
    opens = calendar.at(day, calendar.opens)
    at = calendar.next_open(max(opens, case.outstanding.not_before(grace.GRACE_OVER) or opens))
    return NextAction(step=grace.GRACE_OVER, at=at, why=f"grace until {day}; then it is restricted again")


def _heard(case: Case, calendar: BusinessCalendar, at: datetime) -> datetime:
    """A day that passed while a reply waited for us is judged at the end of the business day after that was handled:
    what the customer asked may have been how to keep it.
    """
    handled = case.agreements.handled_at
    if handled is None or at > handled:
        return at
    return calendar.end_of_day(calendar.add_business_days(calendar.local_date(handled), 1))


def _grace_over(case: Case, calendar: BusinessCalendar, day: date) -> datetime:
    """The end of the grace after a promised day, in business days: no bank pays on the others."""
    days = case.rules.promises.grace_days
    over = calendar.end_of_day(calendar.add_business_days(calendar.next_business_day(day), days))
    return _heard(case, calendar, over)


def _ladder(case: Case, policy: Policy, calendar: BusinessCalendar, now: datetime) -> NextAction | None:
    action = ladder.next_action(policy, standing(case), calendar, now)
    if action is None:
        return None
    if case.outstanding.blocked_until and case.outstanding.blocked_until > action.at:
        why = case.outstanding.blocked_why or "looked at again then"
        return action.model_copy(update={"at": calendar.next_open(case.outstanding.blocked_until), "why": why})
    if case.progress.hurry and _may_hurry(policy.step(action.step)):
        overdue = calendar.at(calendar.add_business_days(case.due_on, 1), calendar.opens)
        earliest = max(now, overdue, case.outstanding.not_before(action.step) or now, _gap_over(case, policy))
        at = ladder.next_open(policy, case.customer_id, calendar, earliest)
        if at < action.at:
            action = NextAction(step=action.step, at=at, why=f"at once, because {case.progress.hurry_why}")
    if case.outstanding.last_answer_at:
        gap = timedelta(days=policy.gap_days)
        earliest = ladder.next_open(policy, case.customer_id, calendar, case.outstanding.last_answer_at + gap)
        if earliest > action.at:
            why = f"{action.why}, kept {policy.gap_days} day(s) from the last message"
            return action.model_copy(update={"at": earliest, "why": why})
    return action


def _may_hurry(step: Step) -> bool:
    """A consequence keeps the day it was announced for; a reminder of a day to come keeps that day."""
    return not step.consequence and (step.chasing or step.days_after_due is None)


def _gap_over(case: Case, policy: Policy) -> datetime:
    """When the minimum gap is over after the last step, of whatever round, and the last answer."""
    moments = [done.at for done in (*case.progress.former_steps, *case.progress.steps)]
    if case.outstanding.last_answer_at:
        moments.append(case.outstanding.last_answer_at)
    return max(moments, default=datetime.min.replace(tzinfo=UTC)) + timedelta(days=policy.gap_days)

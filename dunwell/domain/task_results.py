"""Applies the outcomes of tasks to a case: calls, visits and meetings, decisions, and others."""

from datetime import datetime

from dunwell.domain import announcements, disputes, promises, step_effects
from dunwell.domain import events as ev
from dunwell.domain.agreements import AnnouncedPayment, Awaited
from dunwell.domain.calls import FARTHEST_CALL_BACK
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said


def outcome(case: CaseState, event: ev.CallOutcome, now: datetime) -> list[Said]:
    """Raises Refused for an outcome that its task does not ask for."""
    waiting = case.outstanding
    stuck = next((step for step in waiting.stuck if event.task_id == case.stuck_task(step)), None)
    if stuck is not None:
        return step_effects.unstuck(case, stuck, event, now)
    asked = next((step for step in waiting.undecided if event.task_id == case.approval_task(step)), None)
    if asked is not None or event.outcome in {"approved", "declined"}:
        return step_effects.decided(case, asked, event, now)
    if event.outcome == "done":
        announcements.called(case, event, now)
        return _done(case, event)
    said = [
        Said(
            "call",
            f"{event.outcome} ({event.reason_code or 'no reason given'}), by {event.by}",
            ref=event.task_id,
        )
    ]
    if event.promise:
        if case.ended:
            raise Refused("stage", f"the case has ended ({case.ended.value})")
        day, amount = event.promise.date, event.promise.amount
        promise = ev.PromiseToPay(date=day, amount=amount, promised_by=event.by, via="call")
        said += promises.made(case, promise, now)
        announcements.called(case, event, now)
        return said
    if event.outcome == "promise":
        raise Refused("promise", "is needed when the outcome is promise: {date, amount?}")
    _check_call_back(event, now)
    announcements.called(case, event, now)
    return said if case.ended else said + _follow(case, event, now)


def _done(case: CaseState, event: ev.CallOutcome) -> list[Said]:
    """A person did what the task asked for. A payment they were asked about was counted before."""
    questioned = case.money.questioned
    for name in [one for one in questioned if case.payment_task(one) == event.task_id]:
        del questioned[name]
    reason = f" ({event.reason_code})" if event.reason_code else ""
    return [Said("task", f"done, by {event.by}{reason}", ref=event.task_id)]


def _what_follows_refusal(case: CaseState, now: datetime) -> str:
    if case.today(now) > case.due_on:
        return "they refuse: the next step does not wait for its day"
    return f"they refuse: up to the due date, {case.due_on}, every step keeps its day; the one after it comes at once"


def _check_call_back(event: ev.CallOutcome, now: datetime) -> None:
    wanted = event.call_back_at
    if wanted is None:
        return
    if event.outcome != "call_back":
        raise Refused("call_back_at", f"only goes with the outcome call_back, not with {event.outcome}")
    if wanted <= now:
        raise Refused("call_back_at", "lies in the past; give a time to come")
    if wanted > now + FARTHEST_CALL_BACK:
        days = FARTHEST_CALL_BACK.days
        raise Refused("call_back_at", f"is too far off: at most {days} days; for a later day take a promise or pause")


def _follow(case: CaseState, event: ev.CallOutcome, now: datetime) -> list[Said]:
    """Apply what a conversation changes about the case. Further calls and closed numbers are left to the services."""
    agreements, chased = case.agreements, case.chased
    match event.outcome:
        case "dispute" if not agreements.dispute:
            opened = ev.DisputeOpened(reason=event.reason_code or "said-on-the-phone", opened_by=event.by)
            return disputes.opened(case, opened, now)
        case "paid" if chased:
            agreements.forget_ended("awaited", "announced_payment")
            agreements.announced_payment = AnnouncedPayment(at=now, amount=case.open_amount)
            return announcements.said_paid(case, event.by, now)
        case "written_promise_owed" if chased:
            agreements.forget_ended("awaited")
            agreements.awaited = Awaited(what="written_promise", since=now, by=event.by)
            return [Said("awaited", "their date in writing is due by the end of the next business day")]
        case "refused" if chased:
            agreements.awaited = None
            agreements.forget_ended("awaited")
            return case.wake_at_once(now, Said("hurried", _what_follows_refusal(case, now)), "they refused to pay")
        case _:
            return []

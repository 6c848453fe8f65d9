"""What the customer announces: that the money has left, in a conversation or by themselves, or that we shall call."""

from datetime import datetime

from dunwell.domain import events as ev
from dunwell.domain.agreements import AnnouncedPayment, Awaited, RequestedCall
from dunwell.domain.calls import FARTHEST_CALL_BACK
from dunwell.domain.keys import TaskId
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said


def payment(case: CaseState, event: ev.PaymentAnnounced, now: datetime) -> list[Said]:
    """They say that the money has left: chasing waits for it, and a person looks for it."""
    if event.paid_on is not None and event.paid_on > case.today(now):
        raise Refused("paid_on", "lies in the future: for a day to come record a promise")
    if event.amount is not None:
        case.money.check_digits("amount", event.amount)
    agreements = case.agreements
    agreements.payments_announced += 1
    agreements.forget_ended("awaited", "announced_payment")
    agreements.announced_payment = AnnouncedPayment(at=now, amount=event.amount or case.open_amount)
    said = [Said("announced", f"{shown(case, event)}, says {event.by}", ref=event.ref)]
    waits = agreements.awaited is not None and agreements.awaited.what == "payment"
    return said if waits or not case.chased else said + said_paid(case, event.by, now)


def said_paid(case: CaseState, by: str, now: datetime) -> list[Said]:
    """Wait for a payment that is said to have left, as often as a promise would be accepted."""
    agreements = case.agreements
    agreements.said_paid += 1
    if agreements.said_paid > case.rules.promises.limit:
        before = agreements.said_paid - 1
        return [Said("call", f"they said so {before} times before: the ladder goes on meanwhile")]
    agreements.awaited = Awaited(what="payment", since=now, by=by)
    return [Said("awaited", "chasing waits some business days for the money that they say has left")]


def shown(case: CaseState, event: ev.PaymentAnnounced) -> str:
    """What they say was paid, in words."""
    what = case.money.shown(event.amount) if event.amount is not None else "all that is open"
    on = f" on {event.paid_on}" if event.paid_on is not None else ""
    return f"{what} was paid{on}" + (f" by {event.method}" if event.method else "")


def payment_task(case: CaseState) -> str:
    """The id of the task to look for the payment that was announced last."""
    return payment_tasks(case)[-1]


def payment_tasks(case: CaseState) -> list[str]:
    """The ids that tasks to look for announced payments can have, oldest first."""
    numbers = range(1, max(1, case.agreements.payments_announced) + 1)
    return [str(TaskId.of(case.invoice_id, "announced", number)) for number in numbers]


def call(case: CaseState, event: ev.CallRequested, now: datetime) -> list[Said]:
    """They ask to be called. Chasing waits for it until the day of the call is over, as often as a promise would."""
    wanted, agreements = event.at, case.agreements
    if wanted is not None and wanted <= now:
        raise Refused("at", "lies in the past; give a time to come, or none for as soon as possible")
    if wanted is not None and wanted > now + FARTHEST_CALL_BACK:
        raise Refused("at", f"is too far off: at most {FARTHEST_CALL_BACK.days} days; for a later day take a promise")
    running = agreements.call
    if running is not None and (running.at, running.by) == (wanted, event.by):
        return []
    when = f"at {wanted:%Y-%m-%d %H:%M} UTC" if wanted else "as soon as possible"
    said = [Said("call", f"{event.by} asks to be called {when}", ref=event.ref)]
    if running is None:
        agreements.calls_requested += 1
    task = running.task if running is not None else call_task(case)
    request = RequestedCall(since=now, by=event.by, at=wanted, ref=event.ref, task=task)
    if running is None and not case.chased:
        return said
    if agreements.calls_requested > case.rules.promises.limit:
        before = agreements.calls_requested - 1
        return [*said, Said("call", f"they asked so {before} times before: the ladder goes on meanwhile")]
    agreements.forget_ended("call")
    agreements.call = request
    return [*said, Said("awaited", "chasing waits for the call until its day is over")]


def call_task(case: CaseState) -> str:
    """The id of the task for the call that was asked for last."""
    return str(TaskId.of(case.invoice_id, "call-asked", case.agreements.calls_requested))


def called(case: CaseState, event: ev.CallOutcome, now: datetime) -> None:
    """Take in the outcome of the call that they asked for: it was made, or is asked for at another time."""
    waiting = case.agreements.call
    if waiting is None or TaskId.parse(event.task_id).name != waiting.task or event.outcome == "no_answer":
        return
    if event.outcome == "call_back":
        waiting.at, waiting.since = event.call_back_at, now
    else:
        case.agreements.call = None


def call_over(case: CaseState, now: datetime) -> list[Said]:
    """The day of the call is over, and no outcome of it was recorded."""
    waiting, rested = case.agreements.call, case.resting
    if waiting is None:
        return []
    case.agreements.call = None
    case.turn(f"call over {waiting.since}")
    case.note_rest(rested, now)
    return [Said("call_missing", "no outcome of the call that they asked for was recorded; the ladder goes on")]

"""Promises to pay, payment plans, and payments or promises announced in a conversation."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from dunwell.domain import events as ev
from dunwell.domain import reinstatement
from dunwell.domain.agreements import MissedInstalment, Plan, Promise
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import PromiseState


def made(case: CaseState, event: ev.PromiseToPay, now: datetime) -> list[Said]:
    agreements, limit = case.agreements, case.rules.promises.limit
    amount = event.amount or case.asked
    _check(case, event, amount, now)
    running = agreements.promise
    if running and (running.date, running.amount) == (event.date, amount):
        return []
    if len(agreements.promises) >= limit:
        count = len(agreements.promises) + 1
        raise Refused("promise", f"this would be promise {count}; the policy accepts {limit}")
    agreements.replace_promise()
    agreements.promises.append(
        Promise(
            date=event.date,
            amount=amount,
            promised_by=event.promised_by,
            via=event.via,
            ref=event.ref,
            paid_before=case.money.paid,
            earlier=list(case.money.payments),
            made_at=now,
            answer=case.outstanding.replace(case.rules.reactions.promise_made),
        )
    )
    agreements.awaited = None
    said = f"{amount} {case.currency} promised for {event.date} by {event.promised_by}"
    return [Said("promise", said, ref=event.ref)]


def last_day(case: CaseState, today: date) -> date | None:
    """Return the last day that a promise to pay may name; None while the case accepts none."""
    agreements, rules = case.agreements, case.rules.promises
    if case.ended or agreements.plan or case.asked == 0 or len(agreements.promises) >= rules.limit:
        return None
    return today + timedelta(days=rules.max_days)


def _check(case: CaseState, event: ev.PromiseToPay, amount: Decimal, now: datetime) -> None:
    """Raises Refused for a promise that the case cannot take."""
    agreements, today, days = case.agreements, case.today(now), case.rules.promises.max_days
    if agreements.plan:
        raise Refused("stage", "a payment plan runs; it holds the dates already")
    if agreements.dispute and case.asked == 0:
        raise Refused("stage", "the whole invoice is in dispute; resolve the dispute first")
    if event.date < today:
        raise Refused("date", "lies in the past; ask for a date from today on")
    if event.date > today + timedelta(days=days):
        raise Refused("date", f"is too far off; the policy accepts at most {days} days")
    case.money.check_digits("amount", amount)
    if amount > case.open_amount:
        raise Refused("amount", f"is more than the {case.open_amount} {case.currency} that are open")


def plan_agreed(case: CaseState, event: ev.PaymentPlanAgreed, now: datetime) -> list[Said]:
    agreements, reactions = case.agreements, case.rules.reactions
    days = [item.date for item in event.instalments]
    if days != sorted(set(days)):
        raise Refused("instalments", "must stand in order, one a day")
    if days[0] < case.today(now):
        raise Refused("instalments.0.date", "lies in the past")
    for number, item in enumerate(event.instalments):
        case.money.check_digits(f"instalments.{number}.amount", item.amount)
    total = sum((item.amount for item in event.instalments), Decimal(0))
    if total != case.open_amount:
        raise Refused("instalments", f"add up to {total}, but {case.open_amount} {case.currency} are open")
    agreements.replace_promise()
    agreements.awaited = None
    case.outstanding.drop(reactions.promise_made)
    agreements.plan = Plan(
        instalments=list(event.instalments),
        by=event.by,
        paid_before=case.money.paid,
        earlier=list(case.money.payments),
        made_at=now,
        answer=case.outstanding.owe(reactions.plan_agreed),
    )
    return [Said("plan", f"{len(days)} instalments until {days[-1]} agreed by {event.by}")]


def count_instalments(case: CaseState, plan: Plan, now: datetime) -> list[Said]:
    """How far the plan is met. A plan met in full while something is open (the invoice grew) is over."""
    count, came = len(plan.instalments), case.money.paid - plan.paid_before + case.tolerance
    plan.met = next((met for met in range(count) if came < plan.owed_by(met + 1)), count)
    said = [Said("plan", f"{plan.met} of {count} instalments are met")]
    if plan.met == count:
        reinstatement.note_plan(case, plan, now)
        case.agreements.plan = None
        said.append(Said("plan", f"the plan was kept; {case.open_amount} {case.currency} need a new date"))
    return said


def promise_due(case: CaseState, now: datetime) -> list[Said]:
    """Break the promise: its day and grace are over and the money has not come."""
    promise, reactions = case.agreements.promise, case.rules.reactions
    if promise is None:
        return []
    promise.state = PromiseState.BROKEN
    missing = promise.still_missing(case.money.paid)
    came = "nothing came" if missing >= promise.amount else f"{missing} {case.currency} of it did not come"
    case.outstanding.drop(reactions.promise_made)
    case.outstanding.owe(reactions.promise_broken)
    broken = Said("promise_broken", f"{came} by {promise.date}; the ladder goes on at once")
    return case.wake_at_once(now, broken)


def instalment_due(case: CaseState, now: datetime) -> list[Said]:
    """An instalment's day and its grace are over. A missed one ends the plan."""
    plan, reactions = case.agreements.plan, case.rules.reactions
    if plan is None:
        return []
    missed = plan.next
    case.agreements.missed = MissedInstalment(
        date=missed.date,
        amount=missed.amount,
        missing=plan.owed_by(plan.met + 1) - (case.money.paid - plan.paid_before),
        paid_before=case.money.paid,
        earlier=list(case.money.payments),
    )
    missing = case.agreements.missed.still_missing(case.money.paid)
    part = f"{missing} {case.currency} of " if missing < missed.amount else ""
    case.agreements.plan = None
    case.outstanding.drop(reactions.plan_agreed)
    case.outstanding.owe(reactions.instalment_missed)
    broken = Said("plan_broken", f"{part}the instalment of {missed.date} did not come; the ladder goes on")
    return case.wake_at_once(now, broken)


def wait_over(case: CaseState, now: datetime) -> list[Said]:
    """End the wait for what was announced in a conversation. A written promise that did not come counts as broken."""
    awaited, rested = case.agreements.awaited, case.resting
    if awaited is None:
        return []
    case.agreements.awaited = None
    said = f"said on {case.today(awaited.since)}"
    if awaited.what == "written_promise":
        missing = Said("promise_missing", f"no date in writing came ({said}); the ladder goes on at once")
        return case.wake_at_once(now, missing, "no date came in writing")
    case.turn(f"wait over {awaited.since}")
    case.note_rest(rested, now)
    return [Said("payment_missing", f"the payment they announced did not come ({said}); the ladder goes on")]

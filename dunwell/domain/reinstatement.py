"""What money ended stands again when a person undoes its booking: that payment had never come, by our own mistake.

A payment that the bank takes back had come: what it ended stays ended.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from dunwell.domain.agreements import EndedByMoney, Movement, PauseState, Plan, Promise, RequestedCall
from dunwell.domain.keys import StepId, StepKey
from dunwell.domain.money import Counted
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import PromiseState

BOOKED_BY_MISTAKE = "booked-by-mistake"
"""The message that says so. No ladder can do without it: who was told that it is paid is told that it is not."""

TIME_TO_PAY = timedelta(days=7)
"""How much time a customer whom we had told that it is paid has at least, once they hear that it is not."""


class Mistake(NamedTuple):
    """So much of a payment that was counted here from `since` on, by our mistake. told: they were thanked for it."""

    payment_id: str
    amount: Decimal
    since: datetime
    told: bool


# Before money ends something -----------------------------------------------------------------------------------


def came(case: CaseState, payment_id: str, now: datetime) -> None:
    """Take note of a payment that comes in. It ends the wait for what they said is on its way, however much it is."""
    agreements, amount = case.agreements, case.money.payments[payment_id]
    for known in agreements.ended_by_money:
        known.came(payment_id, amount)
    if agreements.awaited or agreements.announced_payment:
        agreements.ended_by_money.append(
            EndedByMoney(
                at=now,
                moves=[Movement(payment_id=payment_id, amount=amount)],
                enough=Decimal(0),
                awaited=agreements.awaited,
                announced_payment=agreements.announced_payment,
            )
        )


def note_promise(case: CaseState, promise: Promise, now: datetime) -> None:
    """Note the running promise before it is kept: by what came since it was made, or because all is paid."""
    enough = promise.amount - case.tolerance
    if case.unpaid == 0:
        enough = min(enough, _settles(case) - promise.paid_before)
    ended = _ended(case, now, enough, promise.answer, promise.earlier)
    ended.promise = case.agreements.promises.index(promise)
    case.agreements.ended_by_money.append(ended)


def note_plan(case: CaseState, plan: Plan, now: datetime) -> None:
    """Note the plan of which every instalment is met, while something else is open."""
    enough = plan.owed_by(len(plan.instalments)) - case.tolerance
    ended = _ended(case, now, enough, plan.answer, plan.earlier)
    ended.plan = plan
    case.agreements.ended_by_money.append(ended)


def note_settlement(case: CaseState, now: datetime) -> None:
    """Note all that runs before the invoice, of which nothing is open any more, ends as paid."""
    agreements = case.agreements
    if agreements.promise is not None:
        note_promise(case, agreements.promise, now)
    if (plan := agreements.plan) is not None:
        agreements.ended_by_money.append(_settling(case, now, plan.answer).model_copy(update={"plan": plan}))
    if (dispute := agreements.dispute) is not None:
        agreements.ended_by_money.append(_settling(case, now, dispute.answer).model_copy(update={"dispute": dispute}))
    if (pause := _by_a_person(agreements.pause)) is not None:
        agreements.ended_by_money.append(_settling(case, now).model_copy(update={"pause": pause}))
    if (call := agreements.call) is not None:
        agreements.ended_by_money.append(_settling(case, now).model_copy(update={"call": call}))


def _settling(case: CaseState, now: datetime, answer: str | None = None) -> EndedByMoney:
    return _ended(case, now, _settles(case), answer)


def _settles(case: CaseState) -> Decimal:
    """How much has to be paid in all for the invoice to be settled."""
    return case.money.amount - case.tolerance


def _ended(
    case: CaseState, now: datetime, enough: Decimal, answer: str | None, earlier: Collection[str] = ()
) -> EndedByMoney:
    """What ends now. `earlier`: the payments that do not count for it."""
    return EndedByMoney(
        at=now,
        moves=[
            Movement(payment_id=name, amount=amount)
            for name, amount in case.money.payments.items()
            if name not in earlier
        ],
        enough=enough,
        owed=answer if answer in case.outstanding.owed else None,
    )


def _by_a_person(pause: PauseState | None) -> PauseState | None:
    """The pause, or the one before it where a run was interrupted: nobody is asked about that any more."""
    while pause is not None and pause.interrupted:
        pause = pause.former
    return pause


# When it had never come ----------------------------------------------------------------------------------------


def never_came(case: CaseState, mistake: Mistake, now: datetime) -> list[Said]:
    """Let stand again what had not ended without that money."""
    agreements, whole = case.agreements, mistake.payment_id in case.money.reversed_payments
    for known in agreements.ended_by_money:
        known.never_came(mistake.payment_id, mistake.amount, whole=whole)
    said: list[Said] = []
    for known in agreements.ended_by_money.copy():
        if case.unpaid > 0 and not known.has_ended:
            agreements.ended_by_money.remove(known)
            said += _stands_again(case, known, mistake, now)
    return said


def give_time(case: CaseState, mistake: Mistake, now: datetime) -> list[Said]:
    """Move the days of a running plan that cannot be kept any more because we had counted the money as paid.

    To be called when its instalments are counted anew.
    """
    plan = case.agreements.plan
    if plan is None:
        return []
    moved, least = plan.instalments[: plan.met], date.min
    for part in plan.instalments[plan.met :]:
        least = max(least, _day(case, part.date, mistake, now))
        moved.append(part.model_copy(update={"date": least}))
    if moved == plan.instalments:
        return []
    plan.instalments = moved
    return [Said("plan", f"more time, because we had said that it is paid: the next instalment on {plan.next.date}")]


def went_back(case: CaseState, payment_id: str, amount: Decimal) -> None:
    """Take note that the bank took so much of a payment back."""
    for known in case.agreements.ended_by_money:
        known.went_back(payment_id, amount)


def _stands_again(case: CaseState, known: EndedByMoney, mistake: Mistake, now: datetime) -> list[Said]:
    agreements = case.agreements
    if known.owed and known.owed not in case.outstanding.owed and not mistake.told:
        case.outstanding.owed.append(known.owed)  # else the correction says what is agreed
    if known.promise is not None:
        return [_promise_again(case, known, agreements.promises[known.promise], mistake, now)]
    if known.plan is not None:
        agreements.plan = known.plan
        return [Said("plan", f"the plan of {len(known.plan.instalments)} instalments runs again")]
    if known.dispute is not None:
        agreements.open_dispute_again(known.dispute)
        return [Said("dispute", f"open again: {known.dispute.reason}", ref=known.dispute.ref)]
    if known.pause is not None:
        agreements.pause = known.pause
        end = f"until {known.pause.until}" if known.pause.until else "until somebody resumes"
        return [Said("paused", f"again, by {known.pause.by} {end}: {known.pause.reason}")]
    if known.call is not None:
        return [_call_again(case, known.call, now)]
    return _wait_again(case, known, now)


def _promise_again(case: CaseState, known: EndedByMoney, promise: Promise, mistake: Mistake, now: datetime) -> Said:
    if known.replaced:
        promise.state = PromiseState.REPLACED
        return Said("promise", f"what kept the promise for {promise.date} was not for it: it counts as replaced")
    promise.state, former = PromiseState.OPEN, promise.date
    promise.date = _day(case, former, mistake, now)
    later = "" if promise.date == former else f", until {promise.date}: we had said that it is paid"
    return Said("promise", f"the promise for {former} runs again{later}", ref=promise.ref)


def _day(case: CaseState, agreed: date, mistake: Mistake, now: datetime) -> date:
    """The agreed day; later where it passed while the money was counted, or they were told that it is paid."""
    today = case.today(now)
    passed = case.today(mistake.since) <= agreed < today
    return max(agreed, today + TIME_TO_PAY) if mistake.told or passed else agreed


def _call_again(case: CaseState, call: RequestedCall, now: datetime) -> Said:
    if call.at is not None and call.at <= now:
        call.at = None
    if call.at is None:
        call.since = now  # as soon as possible from now on
    case.agreements.call = call
    return Said("awaited", "chasing waits again for the call that they asked for")


def _wait_again(case: CaseState, known: EndedByMoney, now: datetime) -> list[Said]:
    case.agreements.announced_payment, case.agreements.awaited = known.announced_payment, known.awaited
    if known.awaited is None:
        return []
    if case.today(known.at) != case.today(now):
        known.awaited.since = now  # nobody could know meanwhile that it is still missing
    return [Said("awaited", "chasing waits again for what they had announced")]


# What they were told -------------------------------------------------------------------------------------------


def thanked(case: CaseState, after: int) -> bool:
    """Whether a message that thanks for money left, as an answer that was owed later than that many others."""
    on = case.rules.reactions
    thanks = {on.paid, on.part_paid, on.restored, on.accessory_left}
    for sent in case.messages:
        step = StepId.parse(StepKey.parse(sent.carried.get(case.invoice_id, "")).step)
        if sent.message in thanks and not sent.gone and int(step.occasion or 0) > after:
            return True
    return False


def correct(case: CaseState, counted: Counted) -> None:
    """Have whoever was thanked for a payment told that it was booked by mistake. `counted`: when that one was.

    Whether a message of thanks left is looked at when the correction is due.
    """
    waiting, on, before = case.outstanding, case.rules.reactions, counted.answers
    if all(other.answers < before for other in case.money.counted.values()):
        waiting.drop(on.part_paid)  # it would thank for this payment alone
    if case.ended is None and case.unpaid > 0 and waiting.answers > before:
        still = waiting.corrects_after if waiting.owes(BOOKED_BY_MISTAKE) else None
        waiting.corrects_after = before if still is None else min(before, still)
        waiting.replace(BOOKED_BY_MISTAKE)

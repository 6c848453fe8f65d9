"""What money does to a case: payments, credit that pays, and payments that the bank takes back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from dunwell.domain import events as ev
from dunwell.domain import promises, reinstatement
from dunwell.domain.money import Counted, QuestionedPayment
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import PromiseState, Stage

FARTHEST_VALUE_DATE = timedelta(days=3)
"""How far ahead the date of a payment may lie: banks report payments before their value date."""

RETURNED, WRONGLY_MATCHED, COUNTED_TWICE = "returned", "wrongly-matched", "counted-twice"
"""Reasons of reversals: the bank gave the money back; a person undid for which invoice it is; it is known twice."""

OUR_MISTAKES = frozenset({WRONGLY_MATCHED, COUNTED_TWICE})
"""Reasons for which the payment had never come: what it ended stands again."""

_REVERSALS = {
    WRONGLY_MATCHED: "its match with this invoice was undone",
    COUNTED_TWICE: "it stood in for a payment that was reported later",
}


def received(case: CaseState, event: ev.PaymentReceived, now: datetime) -> list[Said]:
    money, name = case.money, event.payment_id
    if money.is_known(name, event.amount, event.currency):
        _check_designation(case, event)
        return []
    if money.may_be_counted(event):
        return _ask_whether_counted(case, event, now)
    doubt = _doubt(case, event, now)
    asked = case.asked
    money.add(name, event.amount)
    money.questioned.pop(name, None)
    head = f" for {event.designation.value.replace('_', ' ')}" if event.designation else ""
    said = [Said("payment", f"{money.shown(event.amount)} received{head}")]
    if doubt:
        money.doubted[name] = doubt
        said.append(Said("check", f"check this payment: it {doubt}", ref=name))
    return said + _count(case, name, now, asked)


def brought(case: CaseState, payments: Sequence[ev.PaymentReceived], now: datetime) -> list[Said]:
    """They came in before the invoice came to us."""
    said = []
    for payment in payments:
        said += received(case, payment, now)
        case.money.keep_receipts(payment, now)
    if payments:
        case.money.imported_at, case.money.imported_paid = now, case.money.whole(case.money.paid)
    return said


def credited(case: CaseState, event: ev.CreditApplied, now: datetime) -> list[Said]:
    """Credit of another invoice pays this one."""
    if case.money.is_known(event.credit_id, event.amount, event.currency, "credit_id"):
        return []
    paid = f"{case.money.shown(event.amount)} paid by credit {event.credit_id}"
    text = f"{paid} of invoice {event.from_invoice}, applied by {event.by}"
    asked = case.asked
    case.money.add(event.credit_id, event.amount)
    return [Said("payment", text, ref=event.credit_id), *_count(case, event.credit_id, now, asked)]


def taken_back(case: CaseState, event: ev.PaymentReversed, now: datetime) -> list[Said]:
    """A payment is taken back, whole or in part; a case that it had ended is open again."""
    money, name = case.money, event.payment_id
    asked, before, counted = money.questioned.get(name), money.payments.get(name), money.counted.get(name)
    amount = money.take_back(event, now)
    if amount == 0:
        return []
    if asked:
        part = "" if amount == asked.amount else f"{money.shown(amount)} "
        text = f"{part}taken back {_by_whom(event)}, before a person had confirmed that it counts"
        return [Said("reversed", text, ref=name)]
    part = "" if amount == before else f" of {money.shown(before or amount)}"
    said = [Said("reversed", f"{money.shown(amount)}{part} taken back {_by_whom(event)}")]
    case.agreements.without(name, amount)
    if case.ended is Stage.PAID and case.unpaid > 0:
        said.append(_reopen(case))
    if event.reason in OUR_MISTAKES:
        return said + _never_came(case, name, amount, counted, now)
    reinstatement.went_back(case, name, amount)
    return said + _count_instalments(case, now)


def _never_came(case: CaseState, name: str, amount: Decimal, counted: Counted | None, now: datetime) -> list[Said]:
    """So much of the payment was counted by our mistake: what it ended stands again, and who was thanked is told."""
    told = counted is not None and reinstatement.thanked(case, counted.answers)
    mistake = reinstatement.Mistake(name, amount, counted.at if counted else now, told=told)
    said = reinstatement.never_came(case, mistake, now) + _count_instalments(case, now)
    said += reinstatement.give_time(case, mistake, now)
    if counted is not None:
        reinstatement.correct(case, counted)
    return said


def _count_instalments(case: CaseState, now: datetime) -> list[Said]:
    plan = case.agreements.plan
    return promises.count_instalments(case, plan, now) if plan is not None else []


def _by_whom(event: ev.PaymentReversed) -> str:
    """Who took a payment back, as far as the event says, and why."""
    whose = "by the bank" if event.reason == RETURNED else f"by {event.by}" if event.by else ""
    return f"{whose} ({_REVERSALS.get(event.reason, event.reason)})".strip()


def close_if_settled(case: CaseState, now: datetime) -> list[Said]:
    """After the invoice shrank: nothing open ends it, as paid when money came, else as cancelled."""
    if case.open_amount > 0:
        return []
    if case.money.paid > 0:
        return _too_much(case) + _settle(case, now)
    return case.end(Stage.CANCELLED, "nothing is owed any more", now)


def _ask_whether_counted(case: CaseState, event: ev.PaymentReceived, now: datetime) -> list[Said]:
    """It may have been counted before the import: a person is asked, once."""
    money, name, at = case.money, event.payment_id, event.received_at
    if name in money.questioned or at is None:
        return []
    amount = money.whole(event.amount)
    money.questioned[name] = QuestionedPayment(payment_id=name, amount=amount, received_at=at, since=now)
    text = f"{money.shown(amount)} received before the import: not counted until a person confirms it"
    return [Said("check", text, ref=name)]


def _doubt(case: CaseState, event: ev.PaymentReceived, now: datetime) -> str | None:
    """Why a person should look at this payment; it counts all the same."""
    if event.received_at is not None and event.received_at > now + FARTHEST_VALUE_DATE:
        return f"is dated {event.received_at:%Y-%m-%d}, which lies ahead"
    expected = case.unpaid or case.money.whole(case.money.amount)
    if event.amount > 2 * expected > 0:
        return (
            f"is more than twice the {case.money.shown(expected)} that {'were open' if case.unpaid else 'were due'}"
        )
    return None


def _check_designation(case: CaseState, event: ev.PaymentReceived) -> None:
    """Raises Refused when a payment that is known is told again with another designation."""
    receipts = {one.payment_id: one for one in case.money.receipts}
    kept = receipts[event.payment_id].designation
    if event.designation not in {None, kept}:
        was = f"for {kept.value}" if kept else "without one"
        raise Refused("designation", f"this payment is known already, {was}: take it back and record it anew")


def _count(case: CaseState, name: str, now: datetime, asked: Decimal) -> list[Said]:
    """What follows from the payment `name`, which came in; `asked` is what was asked for before."""
    case.money.counted[name] = Counted(at=now, answers=case.outstanding.answers)
    reinstatement.came(case, name, now)
    case.agreements.awaited = case.agreements.announced_payment = None
    _drop_what_came(case)
    said = []
    if case.ended is Stage.WRITTEN_OFF:
        said.append(Said("recovery", "it is a recovery of what was written off"))
    if case.unpaid > 0:
        return said + give_access_back(case, asked) + _after_part(case, now)
    said += _too_much(case)
    if case.ended in {None, Stage.HANDED_OVER, Stage.WRITTEN_OFF}:
        said += _settle(case, now)
    return said


def _drop_what_came(case: CaseState) -> None:
    """What came before the message about it left is not said to be missing."""
    missed, made, reactions = case.agreements.missed, case.agreements.promises, case.rules.reactions
    if missed and missed.still_missing(case.money.paid) <= case.tolerance:
        case.outstanding.drop(reactions.instalment_missed)
    if made and made[-1].still_missing(case.money.paid) <= case.tolerance:
        case.outstanding.drop(reactions.promise_broken)


def _too_much(case: CaseState) -> list[Said]:
    if case.credit == 0:
        return []
    if case.last_claim is not None and case.last_claim.takes(case.credit):
        return []  # it meets interest, lump sum or costs
    why = "paid for a cancelled invoice" if case.ended is Stage.CANCELLED else "paid too much"
    return [Said("credit", f"{case.money.shown(case.credit)} {why}; recorded as credit")]


def _after_part(case: CaseState, now: datetime) -> list[Said]:
    """A part came in: the ladder stays where it is; a promise or an instalment may be met."""
    if case.ended:
        return []
    promise, plan, thanks = case.agreements.promise, case.agreements.plan, case.rules.reactions.part_paid
    if promise and promise.still_missing(case.money.paid) <= case.tolerance:
        reinstatement.note_promise(case, promise, now)
        promise.state = PromiseState.KEPT
        case.outstanding.replace(thanks)
        return [Said("promise_kept", f"the promise for {promise.date} was kept; the rest needs a new date")]
    if plan:
        return promises.count_instalments(case, plan, now)
    if case.progress.steps and not case.resting:
        case.outstanding.replace(thanks)  # one says what is open after all that came
    return []


def give_access_back(case: CaseState, asked: Decimal) -> list[Said]:
    """Once only what is in dispute is open, the holds go, and a later consequence needs another warning.

    To be called when less came to be open; `asked` is what was asked for before. A dispute alone gives nothing back.
    """
    dispute = case.agreements.dispute
    if dispute is None or asked == 0 or case.asked > 0 or case.unpaid == 0:
        return []
    restricted, dispute.rest_paid = case.reduces_access, True
    case.reopened += 1  # also for a step on its way, whose hold has to go as well
    case.undo_consequences()
    if not restricted:
        return []
    case.outstanding.replace(case.rules.reactions.restored)
    return [Said("access", "all was paid but what is in dispute: the account is not reduced for it any more")]


def _settle(case: CaseState, now: datetime) -> list[Said]:
    said, reactions = [], case.rules.reactions
    reinstatement.note_settlement(case, now)
    kept = case.agreements.settle(now)
    if kept:
        said.append(Said("promise_kept", f"the promise for {kept.date} was kept"))
    case.former_end = case.ended
    if case.waived:
        rest = f"{case.money.shown(case.waived)} of the rest are written off"
        said.append(
            Said("small_rest", f"{rest}: within the ladder's tolerance of {case.money.whole(case.tolerance)}")
        )
    restricted = case.reduces_access
    said += case.end(Stage.PAID, "nothing is open any more", now)
    if restricted:
        case.outstanding.owe(reactions.restored)
    elif case.progress.steps or case.progress.former_steps:
        case.outstanding.owe(reactions.paid)
    return said


def _reopen(case: CaseState) -> Said:
    """Not paid after all: back to where it stood before, be it the ladder or another end."""
    case.ended, case.former_end = case.former_end, None
    case.reopened += 1
    case.outstanding.drop_but(None)
    again = f"{case.money.shown(case.unpaid)} {'unpaid' if case.ended is Stage.WRITTEN_OFF else 'open'} again"
    if case.ended:
        return Said("ended", f"{case.ended.value}: {again}; it had ended so before this payment")
    case.undo_consequences()
    return Said("reopened", f"{again}; goes on where it stood")

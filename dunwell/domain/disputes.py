"""What is owed, questioned and corrected: disputes, and amendments of the invoice."""

from datetime import datetime
from decimal import Decimal

from dunwell.domain import events as ev
from dunwell.domain.agreements import Dispute, ResolvedDispute
from dunwell.domain.payments import close_if_settled, give_access_back
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said


def opened(case: CaseState, event: ev.DisputeOpened, now: datetime) -> list[Said]:
    agreements = case.agreements
    if agreements.dispute:
        raise Refused("stage", "a dispute is open already; resolve it before opening another")
    if event.amount is not None:
        case.money.check_digits("amount", event.amount)
        if event.amount > case.open_amount:
            raise Refused("amount", f"is more than the {case.open_amount} {case.currency} that are open")
    agreements.forget_ended("dispute")
    agreements.dispute = Dispute(
        since=now,
        reason=event.reason,
        by=event.opened_by,
        amount=event.amount,
        ref=event.ref,
        answer=case.outstanding.owe(case.rules.reactions.dispute_opened),
    )
    if case.asked == 0:
        agreements.awaited = None
        agreements.forget_ended("awaited")
    what = f"{event.amount} {case.currency}" if event.amount else "the whole invoice"
    return [Said("dispute", f"{what} disputed by {event.opened_by}: {event.reason}", ref=event.ref)]


def resolved(case: CaseState, event: ev.DisputeResolved, now: datetime) -> list[Said]:
    money, reactions = case.money, case.rules.reactions
    if not case.agreements.dispute:
        raise Refused("stage", "no dispute is open")
    amount = _amount_after(case, case.agreements.dispute, event)
    case.agreements.end_dispute(now, less=max(money.amount - amount, Decimal(0)))
    money.correct(amount)
    case.agreements.resolved.append(ResolvedDispute(at=now, outcome=event.outcome, amount=money.amount))
    money.credit_notes.clear()
    text = f"{event.outcome} by {event.by}; the invoice is now {money.amount} {case.currency}"
    said = [Said("dispute_resolved", text)]
    case.outstanding.drop(reactions.dispute_opened)  # the resolution replaces the confirmation
    said += close_if_settled(case, now)
    if case.ended:
        case.outstanding.drop_but(None)  # the result of the dispute replaces other answers
    case.outstanding.owe(reactions.nothing_to_pay if case.ended else reactions.dispute_closed)
    return said


def _amount_after(case: CaseState, dispute: Dispute, event: ev.DisputeResolved) -> Decimal:
    """What the invoice is over once the dispute is resolved. Raises Refused for an answer that makes no sense."""
    if event.outcome == "adjusted":
        if event.new_amount is None:
            raise Refused("new_amount", "is needed when the outcome is adjusted")
        case.money.check_digits("new_amount", event.new_amount)
        if event.new_amount > case.money.amount:
            raise Refused(
                "new_amount",
                f"is more than the {case.money.shown(case.money.amount)} of the invoice: an adjustment lowers it; "
                "a higher amount is an amendment of the invoice",
            )
        return event.new_amount
    if event.new_amount is not None:
        raise Refused("new_amount", f"only goes with the outcome adjusted, not with {event.outcome}")
    if event.outcome == "rejected":
        return case.money.amount
    disputed = dispute.amount or case.open_amount
    if not event.confirm:
        _check_deducted_once(case, disputed)
    return max(case.money.amount - disputed, Decimal(0))


def _check_deducted_once(case: CaseState, disputed: Decimal) -> None:
    """Raises Refused when an amendment lowered the invoice already: what is disputed may be deducted with it."""
    money = case.money
    if not money.lowered_since:
        return
    more = money.whole(disputed)
    left = money.whole(money.amount - more)
    raise Refused(
        "confirm",
        f"{money.lowered_since}; upheld takes off another {more}, which leaves {left}. If that is meant, say so "
        f"with confirm (--confirm); if that amendment was the answer, resolve it as adjusted with new_amount "
        f"{money.whole(money.amount)}",
    )


def amended(case: CaseState, event: ev.InvoiceAmended, now: datetime) -> list[Said]:
    """Another amount or due date. A due date in the future begins the ladder anew."""
    today = case.today(now)
    if event.amount is None and event.due_on is None:
        raise Refused("message", "changes nothing: give amount or due_on")
    if event.due_on is not None and event.due_on < case.issued_on:
        raise Refused("due_on", f"lies before the invoice was issued ({case.issued_on})")
    asked = case.asked
    if event.amount is not None:
        case.money.amend(event.amount, today, event.by, now)
    case.due_on = event.due_on or case.due_on
    said = [Said("amended", f"by {event.by}: now {case.money.amount} {case.currency}, due on {case.due_on}")]
    if event.due_on is not None and event.due_on > today and case.progress.steps:
        said.append(_begin_anew(case, now))
    return said + give_access_back(case, asked) + close_if_settled(case, now)


def _begin_anew(case: CaseState, now: datetime) -> Said:
    """Nothing is due for now: what was said and done about the old due date does not count for the new one."""
    restricted = case.reduces_access
    case.agreements.replace_promise()
    agreements = case.agreements
    agreements.plan = agreements.missed = agreements.awaited = agreements.grace = None
    case.progress.begin_anew(case.rules.by_issue, now, rests=case.resting)
    case.outstanding.begin_anew(case.rules.reactions.dispute_opened)
    if restricted:
        case.outstanding.owe(case.rules.reactions.restored)
    round_ = case.progress.round
    return Said("round", f"the ladder begins anew (round {round_}): earlier messages count as no warning")

"""What a message claims beside the invoice, and until when its total settles everything.

A figure that nobody has confirmed, or that a law does not give, enters no message; the message leaves without it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.claim import Claim, ClaimCertainty, Period
from dunwell.domain.policy import Step
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Head
from dunwell.services import claims, message_facts
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.store import invoices
from dunwell.texts.formatting import AccruingInterest, Claimed

_DIGITS_APART = 2
"""Minor units of the currencies in which laws name lump sums for debts in others."""


@dataclass(frozen=True)
class AskedClaim:
    """What the message of one job claims.

    claimed      the heads that it prints; None when it claims nothing beside the principal
    until        the day by which the total is to be paid; the figures are counted up to it
    provisional  a rate in it is not published yet
    accruing     interest that it announces
    left_out     what the ladder wants to claim and the message does not, each with its reason
    """

    until: date
    claimed: Claimed | None = None
    provisional: bool = False
    accruing: AccruingInterest | None = None
    left_out: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal:
        """What it claims beside the principal, in the currency of the invoice."""
        if self.claimed is None:
            return Decimal(0)
        own = self.claimed.lump_sum if self.claimed.lump_sum_currency == self.claimed.currency else Decimal(0)
        return self.claimed.interest + self.claimed.costs + own


def of_message(session: Session, deps: Dependencies, jobs: Sequence[Dispatch]) -> list[AskedClaim | None]:
    """What one message claims for each of its jobs, all up to one day; None for those that claim nothing."""
    if deps.asks_for_accessory(jobs[0].execution.message):
        return [of_paid_invoice(session, deps, job) for job in jobs]
    steps = [_claiming(job) for job in jobs]
    until = min((_until(job) for job, step in zip(jobs, steps, strict=True) if step), default=None)
    return [
        _of_job(session, deps, job, step, until) if step and until else None
        for job, step in zip(jobs, steps, strict=True)
    ]


def of_paid_invoice(session: Session, deps: Dependencies, dispatch: Dispatch) -> AskedClaim | None:
    """What the message about interest and costs that are left after the payment asks for; None when nothing is."""
    today = _today(dispatch)
    claim = claims.claim_of_case(session, dispatch.case, dispatch.policy, today, seller=deps.sender.country).claim
    claimed = _claimed(session, dispatch, claim, interest=True, lump_sum=True)
    if claimed is None or not dispatch.case.may_ask_for_accessory:
        return None
    provisional = claim.certainty is ClaimCertainty.PROVISIONAL
    return AskedClaim(today + timedelta(days=dispatch.policy.pay_days), claimed=claimed, provisional=provisional)


def printed(asked: Iterable[AskedClaim | None]) -> tuple[tuple[Claimed, ...], date | None]:
    """What a message prints of it, and the day by which the total is to be paid."""
    found = [(one.claimed, one.until) for one in asked if one is not None and one.claimed is not None]
    return tuple(claimed for claimed, _ in found), min((until for _, until in found), default=None)


def _claiming(dispatch: Dispatch) -> Step | None:
    """The job's step of the ladder, if it claims or announces anything beside the principal."""
    step = dispatch.execution.ladder
    return step if step is not None and (step.claims or step.interest_notice) else None


def _of_job(session: Session, deps: Dependencies, dispatch: Dispatch, step: Step, until: date) -> AskedClaim:
    try:
        found = claims.claim_of_case(
            session,
            dispatch.case,
            dispatch.policy,
            until,
            seller=deps.sender.country,
            sending=(step.id, _today(dispatch)),
        )
    except Refused as refused:
        return AskedClaim(until, left_out=(f"nothing beside the invoice is claimed: {refused.reason}",))
    claim = found.claim
    if claim.certainty is ClaimCertainty.UNCONFIRMED:
        reasons = "; ".join(doubt.reason for doubt in claim.doubts)
        why = (
            f"nothing beside the invoice is claimed before somebody confirms it (starter.py rates confirm): {reasons}"
        )
        return AskedClaim(until, left_out=(why,))
    if step.interest_notice:
        return AskedClaim(until, accruing=_accruing(claim), left_out=claim.left_out)
    return AskedClaim(
        until,
        claimed=_claimed(session, dispatch, claim, interest=step.interest is not None, lump_sum=step.lump_sum),
        provisional=claim.certainty is ClaimCertainty.PROVISIONAL,
        left_out=claim.left_out,
    )


def _until(dispatch: Dispatch) -> date:
    """The day before the consequence that the message announces, else the ladder's days from today."""
    today, consequence = _today(dispatch), message_facts.consequence_of(dispatch)
    if consequence is not None and consequence.on > today:
        return consequence.on - timedelta(days=1)
    return today + timedelta(days=dispatch.policy.pay_days)


def _today(dispatch: Dispatch) -> date:
    return dispatch.calendar.local_date(dispatch.now)


def _claimed(session: Session, dispatch: Dispatch, claim: Claim, *, interest: bool, lump_sum: bool) -> Claimed | None:
    """The costs and these heads, as far as anything is open of them."""
    row = invoices.get_row(session, dispatch.case.invoice_id)
    if row is None:
        return None
    beside = claim.beside
    accrued = beside.interest if interest else Decimal(0)
    apart = claim.lump_sum_apart if lump_sum else None
    fixed = beside.lump_sum if lump_sum else Decimal(0)
    if not (accrued or fixed or apart or beside.costs):
        return None
    heads = {Head.INTEREST: accrued, Head.LUMP_SUM: fixed or apart, Head.COSTS: beside.costs}
    basis = dict.fromkeys(one for head, amount in heads.items() if amount for one in claim.basis.get(head, ()))
    return Claimed(
        number=row.number,
        interest=accrued,
        rate=_one_rate(claim.periods),
        since=claim.first_day,
        costs=beside.costs,
        currency=claim.currency,
        digits=claim.digits,
        lump_sum=apart.amount if apart else fixed,
        lump_sum_currency=apart.currency if apart else claim.currency,
        lump_sum_digits=_DIGITS_APART if apart else claim.digits,
        basis=tuple(basis),
    )


def _accruing(claim: Claim) -> AccruingInterest | None:
    if claim.first_day is None or not claim.periods or not claim.beside.interest:
        return None
    last = claim.periods[-1]
    return AccruingInterest(since=claim.first_day, rate=last.rate, basis=claim.basis.get(Head.INTEREST, ()))


def _one_rate(periods: tuple[Period, ...]) -> Decimal | None:
    rates = {period.rate for period in periods if period.amount}
    return rates.pop() if len(rates) == 1 else None

"""What a case keeps of its claim: its heads, the money that met more than the principal, and what is left at the end.

Call inside a transaction with the customer's lock.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.claim import Claim
from dunwell.domain.claim_summary import AccessoryClaim, ClaimSummary
from dunwell.domain.keys import TaskId, anew
from dunwell.domain.policy import Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import AccessoryRule, Stage
from dunwell.domain.timeline import Entry
from dunwell.services import claims, person_tasks
from dunwell.services.dependencies import Dependencies
from dunwell.store import tasks, timeline


def keep(session: Session, deps: Dependencies, case: Case, now: datetime) -> None:
    """Compute the claim of today and keep it in the case. Where the law or the ladder is missing, nothing is kept."""
    claim, policy = None, None
    try:
        policy = deps.policy(session, case.policy)
        if claims.claims_more(session, case, policy):
            today = claims.today_of(session, case, now)
            claim = claims.claim_of_case(session, case, policy, today, seller=deps.sender.country).claim
    except (Refused, LookupError):
        pass
    case.last_claim = ClaimSummary.of(claim) if claim else None
    met = _beside_principal(case, claim)
    if met != case.money.beside_principal and met:
        text = f"{met} {case.currency} of what was paid met interest, lump sum and costs: that is no credit"
        timeline.write(session, case.invoice_id, [Entry(key=f"met.{met}", at=now, kind="accessory", reason=text)])
    case.money.beside_principal = met
    if case.ended is not Stage.PAID:
        _take_back(session, case, now)
    elif case.accessory is None and claim is not None and claim.accessory and policy is not None:
        _leave(session, case, claim, policy, now)


def _beside_principal(case: Case, claim: Claim | None) -> Decimal:
    """What of the money met interest, lump sum and costs once the invoice was paid: it was not paid too much.

    Who pays the total of a message before its day pays a little more than has accrued, and that is no credit.
    """
    if claim is None or not claim.settled or case.ended is Stage.CANCELLED:
        return Decimal(0)
    beyond = case.money.paid - case.money.amount
    return case.money.whole(max(beyond - claim.overpaid, min(beyond, case.money.claimed)))


def _leave(session: Session, case: Case, claim: Claim, policy: Policy, now: datetime) -> None:
    """The invoice is paid and interest or costs are left: record them, and what the ladder's rule makes of them."""
    small = policy.accessory_floor is not None and claim.accessory < policy.accessory_floor
    rule = AccessoryRule.WAIVE if small else policy.accessory
    case.accessory = left = AccessoryClaim(**ClaimSummary.of(claim).model_dump(), rule=rule)
    heads = f"{left.interest} interest, {left.lump_sum} lump sum, {left.costs} costs"
    text = f"{claim.accessory} {case.currency} are left beside the principal ({heads}; {left.certainty})"
    if rule is AccessoryRule.BILL:
        said = f"{text}: to be billed, by the ladder's rule"
        person_tasks.raise_task(
            session,
            case,
            task_id=_task_id(case),
            step="",
            reason=f"{said}. Bill them and close this, or close it to let them go. `starter.py claim "
            f"{case.invoice_id} --as-of {left.as_of}` shows how they come about",
            now=now,
            amount=claim.accessory,
            outlives_case=True,
        )
    else:
        why = f"less than the ladder's floor of {policy.accessory_floor}" if small else "the ladder's rule"
        said = f"{text}: waived, by {why}"
    key = f"accessory.{anew(case.reopened, case.progress.round)}"
    timeline.write(session, case.invoice_id, [Entry(key=key, at=now, kind="accessory", reason=said)])


def _take_back(session: Session, case: Case, now: datetime) -> None:
    """The case is open again, or ended otherwise: what was left is part of the claim again."""
    if case.accessory is None:
        return
    case.accessory = None
    asked = [task for task in tasks.open_tasks(session, case.invoice_id) if _is_about_it(case, task.task_id)]
    person_tasks.withdraw(session, case, asked, "the invoice is not paid any more", now)


def _task_id(case: Case) -> str:
    return str(TaskId.of(case.invoice_id, f"accessory{anew(case.reopened, case.progress.round)}"))


def _is_about_it(case: Case, task_id: str) -> bool:
    return task_id.startswith(str(TaskId.of(case.invoice_id, "accessory")))

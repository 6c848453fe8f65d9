"""What a case keeps of its claim: its heads, the money that met more than the principal, and what is left at the end.

Call inside a transaction with the customer's lock.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.claim import Claim, ClaimCertainty
from dunwell.domain.claim_summary import AccessoryClaim, ClaimSummary
from dunwell.domain.governing_law import counts_as
from dunwell.domain.keys import TaskId, anew
from dunwell.domain.policy import Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import AccessoryRule, DebtorKind, Head, Stage, TaskState
from dunwell.domain.timeline import Entry
from dunwell.services import claims, person_tasks
from dunwell.services.claims import InvoiceClaim
from dunwell.services.dependencies import Dependencies
from dunwell.store import tasks, timeline


def keep(session: Session, deps: Dependencies, case: Case, now: datetime) -> None:
    """Compute the claim of today and keep it in the case. Where the law or the ladder is missing, nothing is kept.

    Call it before the next action is planned: a paid case may owe a message about what is left.
    """
    found, policy = None, None
    try:
        policy = deps.policy(session, case.policy)
        if claims.claims_more(session, case, policy):
            today = claims.today_of(session, case, now)
            found = claims.claim_of_case(session, case, policy, today, seller=deps.sender.country)
    except (Refused, LookupError):
        pass
    claim = found.claim if found else None
    met = _beside_principal(case, claim)
    changed = met != case.money.beside_principal
    if changed and met:
        text = f"{met} {case.currency} of what was paid met interest, lump sum and costs: that is no credit"
        timeline.write(session, case.invoice_id, [Entry(key=f"met.{met}", at=now, kind="accessory", reason=text)])
    left = case.accessory
    if case.ended is not Stage.PAID:
        _take_back(session, case, now)
        left = None
    elif found is not None and policy is not None and (left is None or changed or _waits_to_be_asked(case)):
        left = _leave(session, case, found, policy, now)
    case.take_claim(ClaimSummary.of(claim) if claim else None, left, met)


def leave_to_person(session: Session, case: Case, now: datetime) -> None:
    """Nobody could be reached in writing about what is left beside the principal: ask a person."""
    if case.accessory is not None:
        why = "nobody could be reached in writing about them"
        _ask_to_bill(session, case, case.accessory, f"{_what_is_left(case, case.accessory)}: {why}", now)


def _what_is_left(case: Case, left: ClaimSummary) -> str:
    return f"{left.shown(case.currency)} are left beside the principal ({left.heads}; {left.certainty})"


def _beside_principal(case: Case, claim: Claim | None) -> Decimal:
    """What of the money met interest, lump sum and costs once the invoice was paid: it was not paid too much.

    Who pays the total of a message before its day pays a little more than has accrued, and that is no credit.
    """
    if claim is None or not claim.settled or case.ended is Stage.CANCELLED:
        return Decimal(0)
    beyond = case.money.paid - case.money.amount
    return case.money.whole(max(beyond - claim.overpaid, min(beyond, case.money.claimed)))


def _waits_to_be_asked(case: Case) -> bool:
    return case.may_ask_for_accessory and case.accessory_asked_on is None


def _leave(session: Session, case: Case, found: InvoiceClaim, policy: Policy, now: datetime) -> AccessoryClaim | None:
    """The invoice is paid: record what is left beside it, and what the ladder's rule makes of that."""
    summary = ClaimSummary.of(found.claim)
    if not summary.accessory and summary.lump_sum_apart is None:
        _withdraw_task(session, case, "nothing is left to bill", now)
        return None
    rule, why = _rule(case, found, policy)
    left = AccessoryClaim(**summary.model_dump(), rule=rule)
    text = _what_is_left(case, left)
    match rule:
        case AccessoryRule.WAIVE:
            said = f"{text}: waived, {why}"
        case AccessoryRule.ASK_ONCE:
            said = f"{text}: to be asked for once, {why}"
        case AccessoryRule.BILL:
            said = f"{text}: to be billed, {why}"
            _ask_to_bill(session, case, left, said, now)
    key = f"accessory.{anew(case.reopened, case.progress.round)}.{rule}.{left.total}"
    timeline.write(session, case.invoice_id, [Entry(key=key, at=now, kind="accessory", reason=said)])
    return left


def _rule(case: Case, found: InvoiceClaim, policy: Policy) -> tuple[AccessoryRule, str]:
    """What becomes of what is left, and why."""
    floor, claim = policy.accessory_floor, found.claim
    if floor is not None and claim.accessory < floor and claim.lump_sum_apart is None:
        return AccessoryRule.WAIVE, f"by less than the ladder's floor of {floor}"
    if policy.accessory is AccessoryRule.ASK_ONCE:
        if case.accessory is not None and case.accessory.rule is AccessoryRule.BILL:
            return AccessoryRule.BILL, "because nobody could be reached in writing about them"
        why_not = _why_not_asked(case, found)
        if why_not is not None:
            return AccessoryRule.WAIVE, why_not
    return policy.accessory, "by the ladder's rule"


def _why_not_asked(case: Case, found: InvoiceClaim) -> str | None:
    """Why no message may ask for what is left; None when one may."""
    claim = found.claim
    if case.came_paid:
        return "because the invoice was paid before it came to us"
    if case.accessory_asked_on is not None:
        return f"because it was asked for on {case.accessory_asked_on} already"
    if claim.certainty is ClaimCertainty.UNCONFIRMED:
        return f"because nobody has confirmed it (starter.py rates confirm): {'; '.join(claim.reasons)}"
    if counts_as(found.kind) is DebtorKind.CONSUMER:
        heads = {Head.INTEREST: claim.interest, Head.LUMP_SUM: claim.lump_sum, Head.COSTS: claim.costs}
        bare = [head.replace("_", " ") for head, amount in heads.items() if amount and not claim.basis.get(head)]
        if bare:
            return f"because no law is known here by which a private person owes {' and '.join(bare)}"
    return None


def _ask_to_bill(session: Session, case: Case, left: AccessoryClaim, said: str, now: datetime) -> None:
    how = f"`starter.py claim {case.invoice_id} --as-of {left.as_of}` shows how they come about"
    reason = f"{said}. Bill them and close this, or close it to let them go. {how}"
    task_id, amount = _task_id(case), left.accessory
    known = tasks.get(session, task_id)
    if known is None:
        person_tasks.raise_task(
            session, case, task_id=task_id, step="", reason=reason, now=now, amount=amount, outlives_case=True
        )
    elif known.state == TaskState.OPEN:
        known.amount, known.reason = amount, reason


def _take_back(session: Session, case: Case, now: datetime) -> None:
    """The case is open again, or ended otherwise: what was left is part of the claim again."""
    if case.accessory is not None:
        _withdraw_task(session, case, "the invoice is not paid any more", now)


def _withdraw_task(session: Session, case: Case, why: str, now: datetime) -> None:
    asked = [task for task in tasks.open_tasks(session, case.invoice_id) if _is_about_it(case, task.task_id)]
    person_tasks.withdraw(session, case, asked, why, now)


def _task_id(case: Case) -> str:
    return str(TaskId.of(case.invoice_id, f"accessory{anew(case.reopened, case.progress.round)}"))


def _is_about_it(case: Case, task_id: str) -> bool:
    return task_id.startswith(str(TaskId.of(case.invoice_id, "accessory")))

"""Decides about a request for approval, and tells the case what was approved."""

import asyncio
from datetime import UTC, datetime

from dunwell.client.answers import TellResult
from dunwell.client.cases import Cases
from dunwell.domain.principals import ApprovalDecision, Principal
from dunwell.domain.refusal import Refused
from dunwell.services.approvals import Approvals


async def approve(cases: Cases, approvals: Approvals, approval_id: str, by: Principal) -> tuple[str, TellResult]:
    """Approve a request and tell its case. Returns the invoice's id and the answer. Safe to repeat.

    Raises NotAllowed and Refused as `Approvals.decide` does; Refused, NoAnswer and ServerAway as `Cases.tell` does.
    What the case refuses waits again.
    """
    decided = await asyncio.to_thread(approvals.decide, approval_id, ApprovalDecision.APPROVED, by, datetime.now(UTC))
    try:
        told = await cases.tell(
            decided.invoice_id,
            decided.event,
            decided.content | {"by": by.label},
            principal=by,
            request_id=approval_id,
        )
    except Refused as refused:
        await asyncio.to_thread(approvals.take_back, approval_id, by, str(refused), datetime.now(UTC))
        raise
    return decided.invoice_id, told

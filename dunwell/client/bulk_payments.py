"""Records the payments of a file: what each would do, and telling the cases. A bad one harms no other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from dunwell.client.bounded import gather
from dunwell.client.cases import Cases
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.plausibility import admit
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.intake.payments import PaymentRecord
from dunwell.services.idempotency import StillRunning
from dunwell.store import cases
from dunwell.store.database import Database
from dunwell.views.lookup import find_invoice


class PaymentOutcome(StrEnum):
    """What became of a payment, or would."""

    RECORDED = "recorded"
    KNOWN = "already known"
    REFUSED = "refused"


@dataclass(frozen=True)
class PaymentResult:
    """`content`: the event. `reason`: why it is refused. `open_after`: what is open of the invoice then, as text."""

    record: PaymentRecord
    outcome: PaymentOutcome
    content: dict[str, Any]
    reason: str | None = None
    open_after: str | None = None


def foreseen(database: Database, payments: Sequence[PaymentRecord], now: datetime) -> list[PaymentResult]:
    """Return what each payment would do, one after the other, by the rules of its case. Changes nothing."""
    known: dict[str, Case] = {}
    return [_foreseen(database, known, one, now) for one in payments]


def _foreseen(database: Database, known: dict[str, Case], one: PaymentRecord, now: datetime) -> PaymentResult:
    content: dict[str, Any] = one.content
    try:
        with database.reading() as session:
            content.setdefault("currency", find_invoice(session, one.invoice_id).currency)
            case = known.get(one.invoice_id) or cases.get(session, one.invoice_id)
        if case is None:
            raise Refused("invoice", f"{one.invoice_id} is registered and has no case: start its file again")
        event = parse_event("payment_received", [content])
        admit(case, event, now)
        said = case.apply(event, now)
    except Refused as refused:
        return PaymentResult(one, PaymentOutcome.REFUSED, content, str(refused))
    known[one.invoice_id] = case
    outcome = PaymentOutcome.RECORDED if said else PaymentOutcome.KNOWN
    return PaymentResult(one, outcome, content, open_after=f"{case.open_amount} {case.currency}")


async def record_all(
    talk: Cases, found: Sequence[PaymentResult], principal: Principal, report: Callable[[PaymentResult], None]
) -> None:
    """Tell each case its payments, in the order of the file; `found` is what was foreseen. Reports each result."""
    by_invoice = sorted(found, key=lambda one: one.record.invoice_id)
    groups = [list(group) for _, group in groupby(by_invoice, key=lambda one: one.record.invoice_id)]

    async def of_invoice(group: Sequence[PaymentResult]) -> None:
        for one in group:
            report(await _record(talk, one, principal))

    await gather(of_invoice(group) for group in groups)


async def _record(talk: Cases, one: PaymentResult, principal: Principal) -> PaymentResult:
    if one.outcome is not PaymentOutcome.RECORDED:
        return one
    try:
        await talk.tell(one.record.invoice_id, "payment_received", one.content, principal=principal)
    except (Refused, NoAnswer, ServerAway, StillRunning) as error:
        return replace(one, outcome=PaymentOutcome.REFUSED, reason=str(error))
    return one

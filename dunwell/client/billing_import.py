"""Reads all open invoices of a billing system: what each becomes here, and starting their cases. Safe to repeat."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dunwell.client.billed_invoices import checked, ours
from dunwell.client.billing import Billing
from dunwell.domain.billed_invoice import why_no_case
from dunwell.domain.billing_events import BilledInvoice, BillingEvent, Paid, SubjectState
from dunwell.domain.invoice import Invoice
from dunwell.domain.refusal import Refused
from dunwell.gateways.base import BillingGateway
from dunwell.store.database import Database


class Kind(StrEnum):
    """What an open invoice of a billing system becomes.

    NEW     its case starts
    KNOWN   it has a case
    LEFT    it is left to the billing system for now
    REFUSED it lacks something, which the reason names
    """

    NEW = "started"
    KNOWN = "already known"
    LEFT = "left to the billing system"
    REFUSED = "refused"


@dataclass(frozen=True)
class Line:
    """What one open invoice becomes. `invoice`: as it is started; `invoice_id`: our id, if it has a case."""

    billed: str
    number: str
    kind: Kind
    reason: str | None = None
    invoice: Invoice | None = None
    invoice_id: str | None = None
    reminds: bool = False


def looked_at(database: Database, events: Sequence[BillingEvent]) -> Line | None:
    """Return what an open invoice would become. Changes nothing. None when it cannot be read at all."""
    found = _invoice(events)
    if found is None:
        return None
    billed, fact = found
    known = ours(database, fact, billed)
    if known is not None:
        return _line(billed, fact, Kind.KNOWN, invoice_id=known)
    why = why_no_case(fact)
    if why is not None:
        return _line(billed, fact, Kind.LEFT, why)
    try:
        return _line(billed, fact, Kind.NEW, invoice=checked(billed, fact, _paid(events)))
    except Refused as refused:
        return _line(billed, fact, Kind.REFUSED, str(refused))


async def imported(billing: Billing, gateway: BillingGateway, report: Callable[[Line], None]) -> None:
    """Store and apply every open invoice of the billing system, reporting each as it is done.

    Raises DeliveryError when the billing system cannot be read, ServerAway when no case can be started; what was
    reported until then is done, and the same again does the rest.
    """
    pages = gateway.open_invoices()
    while (events := await asyncio.to_thread(next, pages, None)) is not None:
        found = _invoice(events)
        if found is None:
            continue
        billed, fact = found
        outcome = await billing.take_and_apply(gateway.name, billed, events)
        if outcome.state is SubjectState.WAITING:
            line = _line(billed, fact, Kind.REFUSED, outcome.reason)
        elif outcome.started:
            line = _line(billed, fact, Kind.NEW, invoice_id=outcome.invoice_id)
        elif outcome.invoice_id is not None:
            line = _line(billed, fact, Kind.KNOWN, invoice_id=outcome.invoice_id)
        else:
            line = _line(billed, fact, Kind.LEFT, outcome.reason)
        report(line)


def _invoice(events: Sequence[BillingEvent]) -> tuple[str, BilledInvoice] | None:
    return next(((one.subject, one.fact) for one in events if isinstance(one.fact, BilledInvoice)), None)


def _paid(events: Sequence[BillingEvent]) -> dict[str, Paid]:
    return {one.subject: one.fact for one in events if isinstance(one.fact, Paid)}


def _line(
    billed: str,
    fact: BilledInvoice,
    kind: Kind,
    reason: str | None = None,
    *,
    invoice: Invoice | None = None,
    invoice_id: str | None = None,
) -> Line:
    number = fact.named.number or billed
    return Line(billed, number, kind, reason, invoice, invoice_id, reminds=fact.reminds and fact.sent)

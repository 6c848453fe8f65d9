"""Starts, amends and ends cases as the invoices of a billing system say."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from dunwell.client.billing_outcome import Outcome, settled, waits
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.domain import billed_invoice
from dunwell.domain.billed_invoice import ELSEWHERE, Applied, newest, paid_elsewhere, why_no_case
from dunwell.domain.billing_events import BilledInvoice, Paid, SubjectState
from dunwell.domain.events import MONEY
from dunwell.domain.invoice import Invoice
from dunwell.domain.ladder_problems import PolicyError
from dunwell.domain.principals import Principal, provider_principal
from dunwell.domain.provider_payment import COME_BACK, News
from dunwell.domain.refusal import Refused
from dunwell.gateways.base import BillingGateway, DeliveryError
from dunwell.intake.invoices import parse_invoice
from dunwell.intake.text_checks import is_identifier
from dunwell.services.billing_inbox import BillingInbox
from dunwell.store import billing_events, cases
from dunwell.store.database import Database
from dunwell.store.tables import BillingSubjectRow

_log = logging.getLogger("dunwell.billing")

_GRACE = timedelta(minutes=2)
"""How long after an invoice was paid its payments may be reported, before it counts as paid by other ways."""


@dataclass(frozen=True)
class _Known:
    """An invoice as it was reported, and what we know of it.

    came_in     the payments of the provider for it, by id, whether they are booked or not
    """

    invoice: BilledInvoice | None
    invoice_id: str | None
    came_in: Mapping[str, Paid]


class BilledInvoices:
    """Applies subjects that are invoices. Safe to share between tasks."""

    def __init__(
        self,
        database: Database,
        cases_: Cases,
        registrar: Callable[[], Registrar],
        gateways: Mapping[str, BillingGateway],
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._cases, self._registrar, self._clock = database, cases_, registrar, clock
        self._gateways, self._inbox = gateways, BillingInbox(database)

    async def apply(self, row: BillingSubjectRow, current: BilledInvoice | None = None) -> Outcome:
        """Start the case of the invoice, or tell it what has changed. Raises NoAnswer and ServerAway.

        A billing system that can be asked is asked, unless `current` is what it has just said: that counts more than
        what came by webhook.
        """
        gateway = self._gateways.get(row.provider)
        try:
            if gateway is not None and current is None:
                current = await asyncio.to_thread(self._ask, gateway, row)
        except DeliveryError as error:
            return waits(error.reason, row.invoice_id)
        known = await asyncio.to_thread(self._known, row, current)
        if known.invoice is None:
            return settled(row.invoice_id, "nothing was reported of the invoice itself that can be read")
        if known.invoice_id is None:
            return await self._start(row, known.invoice, known)
        if row.invoice_id is None:
            await asyncio.to_thread(self._look_at_payments_again, row, known.came_in)
        return await self._follow(row, known.invoice, known.invoice_id, surely=gateway is not None)

    def _ask(self, gateway: BillingGateway, row: BillingSubjectRow) -> BilledInvoice | None:
        found = gateway.invoice(row.subject)
        self._inbox.take(row.provider, found, self._clock())
        return newest(one.fact for one in found)

    def _known(self, row: BillingSubjectRow, current: BilledInvoice | None) -> _Known:
        with self._database.reading() as session:
            facts = billing_events.facts(session, row.provider, row.subject)
            invoice = current or newest(facts)
            invoice_id = row.invoice_id or (_ours(session, invoice, row.subject) if invoice else None)
            came_in = {}
            for payment in billing_events.payments_for(session, row.provider, row.subject):
                paid = [one for one in billing_events.facts(session, row.provider, payment) if isinstance(one, Paid)]
                if paid:
                    came_in[payment] = max(paid, key=lambda one: one.rank)
        return _Known(invoice, invoice_id, came_in)

    # A case that is not there yet -------------------------------------------------------------------------

    async def _start(self, row: BillingSubjectRow, invoice: BilledInvoice, known: _Known) -> Outcome:
        why = why_no_case(invoice)
        if why is not None:
            return settled(reason=f"no case: {why}")
        try:
            registered = await asyncio.to_thread(self._register, row, invoice, known.came_in)
        except Refused as refused:
            return waits(str(refused))
        except PolicyError:
            return waits("a ladder of the folder policies cannot be used: run `starter.py policy check`")
        await self._cases.start(registered)
        if invoice.reminds and invoice.sent:
            _log.warning("%s: %s may remind the customer itself (docs/stripe.md)", row.subject, row.provider)
        await asyncio.to_thread(self._look_at_payments_again, row, known.came_in)
        invoice_id = registered.invoice.invoice_id
        return settled(invoice_id, applied=_values(invoice), started=True)

    def _register(self, row: BillingSubjectRow, invoice: BilledInvoice, came_in: Mapping[str, Paid]) -> Any:
        read = checked(row.subject, invoice, came_in)
        (found,) = self._registrar().register_all([read], self._clock(), principal=provider_principal(row.provider))
        if isinstance(found, Refused):
            raise found
        return found

    def _look_at_payments_again(self, row: BillingSubjectRow, came_in: Mapping[str, Paid]) -> None:
        with self._database.writing_beside_customers() as session:
            for payment in came_in:
                billing_events.again(session, row.provider, payment, self._clock())

    # A case that is there ---------------------------------------------------------------------------------

    async def _follow(
        self, row: BillingSubjectRow, invoice: BilledInvoice, invoice_id: str, *, surely: bool
    ) -> Outcome:
        principal = provider_principal(row.provider)
        before = Applied.model_validate(row.applied) if row.applied else billed_invoice.applied(invoice)
        if not row.applied and invoice.status in {"void", "uncollectible"}:
            before = before.model_copy(update={"status": None})
        left = await self._tell(invoice_id, billed_invoice.news(invoice, before, row.provider), principal)
        applied = _values(invoice) if left is None else before.model_dump(mode="json")
        young = abs(self._clock() - invoice.at) < _GRACE
        if invoice.paid > 0 and young and not surely:
            return Outcome(SubjectState.DUE, invoice_id, left, applied, after=_GRACE)
        told = await asyncio.to_thread(self._paid_elsewhere, row, invoice, invoice_id)
        left = await self._tell(invoice_id, told, principal) or left
        return settled(invoice_id, left, applied=applied)

    async def _tell(self, invoice_id: str, told: Sequence[News], principal: Principal) -> str | None:
        """Tell the case; return why not, if it says no."""
        for one in told:
            if one.name not in MONEY:
                ended = await asyncio.to_thread(self._ended, invoice_id)
                if ended is not None:
                    return f"{one.name} was not told: the case has ended ({ended})"
            try:
                await self._cases.tell(invoice_id, one.name, one.content, principal=principal)
            except Refused as refused:
                return f"{one.name} was refused: {refused}"
        return None

    def _ended(self, invoice_id: str) -> str | None:
        with self._database.reading() as session:
            case = cases.get(session, invoice_id)
        return case.ended.value if case is not None and case.ended is not None else None

    def _paid_elsewhere(self, row: BillingSubjectRow, invoice: BilledInvoice, invoice_id: str) -> Sequence[News]:
        """Return what Stripe calls paid and neither its own payments nor other ones of the invoice explain."""
        with self._database.reading() as session:
            others = billing_events.came_in(session, invoice_id, {ELSEWHERE, *COME_BACK})
            for payment in billing_events.payments_for(session, row.provider, row.subject):
                paid = [one for one in billing_events.facts(session, row.provider, payment) if isinstance(one, Paid)]
                if paid and payment not in others:
                    others[payment] = max(paid, key=lambda one: one.rank).amount
            booked = billing_events.booked(session, invoice_id, [row.subject], f"{row.subject} (")
        others = {name: amount for name, amount in others.items() if name not in booked}  # one came with the import
        return paid_elsewhere(row.subject, invoice, booked, sum(others.values(), Decimal(0)), row.provider)


def checked(billed: str, invoice: BilledInvoice, came_in: Mapping[str, Paid]) -> Invoice:
    """Return the checked invoice, with what was paid of it before. Raises Refused: all that it lacks."""
    number = str(invoice.record.get("number", ""))
    record = {"invoice_id": number if is_identifier(number) else billed, **invoice.record}
    paid = [
        {"payment_id": name, "amount": str(one.amount), "received_at": one.at.isoformat()}
        for name, one in came_in.items()
    ]
    rest = invoice.paid - sum((one.amount for one in came_in.values()), Decimal(0))
    if rest > 0:
        paid.append({"payment_id": billed, "amount": str(rest), "received_at": invoice.at.isoformat()})
    read = parse_invoice(record | ({"paid": paid} if paid else {}), billed)
    if isinstance(read, Invoice):
        return read
    first, *more = [f"{one.field}: {one.reason}" for one in read]
    raise Refused(first.partition(": ")[0], "; ".join([first.partition(": ")[2], *more]))


def _values(invoice: BilledInvoice) -> dict[str, Any]:
    return billed_invoice.applied(invoice).model_dump(mode="json")


def ours(database: Database, invoice: BilledInvoice, billed: str) -> str | None:
    """Return the id of our invoice that is the provider's `billed`; None when there is none."""
    with database.reading() as session:
        return _ours(session, invoice, billed)


def _ours(session: Session, invoice: BilledInvoice, billed: str) -> str | None:
    """Return our invoice that the provider's names, else the one of its number; None when there is none."""
    named, number = invoice.named.invoice_id, invoice.named.number
    found = billing_events.real_invoices(session, invoice_id=named or billed)
    if not found and named is None and number is not None:
        found = billing_events.real_invoices(session, number=number)
    return found[0] if len(found) == 1 else None

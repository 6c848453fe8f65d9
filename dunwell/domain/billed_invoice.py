"""What follows for a case from an invoice as its billing system has it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from dunwell.domain.billing_events import BilledInvoice, Fact
from dunwell.domain.model import Value
from dunwell.domain.payments import COUNTED_TWICE
from dunwell.domain.provider_payment import Booked, News, free_key

ELSEWHERE = "outside"
"""The method of a payment of which the billing system says only that the invoice was paid outside of it."""

_RANK = ("draft", "open", "uncollectible", "paid", "void")


class Applied(Value):
    """What a case knows of the billing system's invoice: the values that were last applied to it."""

    amount: Decimal | None = None
    due_on: str | None = None
    status: str | None = None


def newest(facts: Iterable[Fact]) -> BilledInvoice | None:
    """Return the invoice as it was reported last; of the same second, the one that is further on its way."""
    found = [one for one in facts if isinstance(one, BilledInvoice)]
    return max(found, key=lambda one: (one.at, _RANK.index(one.status)), default=None)


def why_no_case(invoice: BilledInvoice) -> str | None:
    """Return why no case starts for an invoice that has none; None when one does."""
    if invoice.status != "open":
        return f"it is {invoice.status}"
    if invoice.amount <= invoice.paid:
        return "nothing is open of it"
    if not invoice.sent and invoice.next_attempt is not None:
        return f"it is charged automatically: the next attempt is on {invoice.next_attempt:%Y-%m-%d}"
    if not invoice.sent and not invoice.attempted:
        return "it is charged automatically, and no attempt was made yet"
    return None


def applied(invoice: BilledInvoice) -> Applied:
    """Return the values of the invoice that a case goes by."""
    due = invoice.record.get("due_on")
    return Applied(amount=invoice.amount, due_on=str(due) if due else None, status=invoice.status)


def news(invoice: BilledInvoice, before: Applied, by: str) -> list[News]:
    """Return what a running case has to be told about the invoice itself, since `before` was applied."""
    now = applied(invoice)
    if now.status in {"void", "uncollectible"}:
        if before.status == now.status:
            return []
        if now.status == "void":
            return [News("cancel", {"reason": "voided", "by": by})]
        return [News("write_off", {"reason": "uncollectible", "by": by})]
    changed: dict[str, str] = {}
    if before.amount is not None and now.amount != before.amount:
        if invoice.amount <= 0 and invoice.paid <= 0:
            return [News("cancel", {"reason": "credited", "by": by})]
        if invoice.amount > 0:
            changed["amount"] = str(invoice.amount)
    if before.due_on is not None and now.due_on not in {None, before.due_on}:
        changed["due_on"] = str(now.due_on)
    return [News("invoice_amended", {**changed, "by": by})] if changed else []


def paid_elsewhere(
    billed_id: str, invoice: BilledInvoice, booked: Mapping[str, Booked], others: Decimal, by: str
) -> Sequence[News]:
    """Return what makes the case know what the billing system calls paid, and no payment explains.

    booked  the payments that were told for this reason before, by id
    by      who calls it paid
    others  the sum of all other payments that came in for the invoice, whatever went back of them
    """
    owed = max(invoice.paid - others, Decimal(0)) - sum((one.left for one in booked.values()), Decimal(0))
    if owed > 0:
        return [_payment(free_key(billed_id, booked), owed, invoice.currency, invoice.at)]
    told, rest = [], -owed
    for name, one in sorted(booked.items()):
        part = min(rest, one.left)
        if part > 0:
            key = free_key(COUNTED_TWICE, one.reversals)
            content = {"payment_id": name, "amount": str(part), "reason": COUNTED_TWICE, "reversal_id": key, "by": by}
            told.append(News("payment_reversed", content))
            rest -= part
    return told


def _payment(payment_id: str, amount: Decimal, currency: str, at: datetime) -> News:
    content = {"payment_id": payment_id, "amount": str(amount), "currency": currency, "from_provider": True}
    return News("payment_received", {**content, "method": ELSEWHERE, "received_at": at.isoformat()})

"""How late money comes, and which money may not come at all."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from dunwell.domain.figures.period import AsOf, Period
from dunwell.domain.figures.receivable import ZERO, Receivable, Receivables
from dunwell.domain.terms import Stage

LOST_AFTER = 90
"""What is late by more days than these is at risk."""


class Part(NamedTuple):
    """A part of an invoice, and the days after the due date on which it came; what is open counts until now."""

    amount: Decimal
    days_late: int


def parts(invoice: Receivable, as_of: AsOf) -> Iterable[Part]:
    """Yield the payments that met the invoice, each net of what was taken back of it, and what is open."""
    balance, standing = invoice.balance(as_of), invoice.standing(as_of.moment)
    came: dict[str, tuple[date, Decimal]] = {}
    for one in invoice.movements:
        if one.at <= as_of.moment:
            day, before = came.get(one.payment_id, (one.at.date(), ZERO))
            came[one.payment_id] = (day, before + one.amount)
    left = balance.paid
    for day, amount in sorted(came.values()):
        met = min(amount, left)
        left -= met
        if met > 0:
            yield Part(met, (day - standing.due_on).days)
    if balance.open > 0:
        yield Part(balance.open, (as_of.day - standing.due_on).days)


def average_days_late(receivables: Receivables, period: Period, as_of: AsOf) -> Decimal | None:
    """Return the days after the due date, weighted by amount, of the invoices that fell due in the period.

    Below zero when most was paid before it was due; None when nothing fell due.
    """
    weight = weighted = ZERO
    for invoice in receivables.invoices:
        if invoice.issued_on > as_of.day:
            break
        standing = invoice.standing(as_of.moment)
        if standing.due_on in period and standing.end is not Stage.CANCELLED:
            for part in parts(invoice, as_of):
                weight += part.amount
                weighted += part.amount * part.days_late
    return weighted / weight if weight else None


class Risk(NamedTuple):
    """The invoices issued in a month: what they amount to, what is open of it, and late by more than 90 days."""

    period: Period
    billed: Decimal
    open: Decimal
    at_risk: Decimal

    @property
    def share(self) -> Decimal | None:
        """In per cent of what was billed; None without sales."""
        return self.at_risk / self.billed * 100 if self.billed > 0 else None


def risk(receivables: Receivables, period: Period, as_of: AsOf) -> Risk:
    """Return what is at risk of the invoices issued in a period."""
    billed = open_ = at_risk = ZERO
    for invoice in receivables.issued(period):
        balance = invoice.balance(as_of)
        billed += balance.owed
        open_ += balance.open
        if (as_of.day - invoice.standing(as_of.moment).due_on).days > LOST_AFTER:
            at_risk += balance.open
    return Risk(period, billed, open_, at_risk)

"""How fast and how completely money comes in: DSO and its relatives, CEI, and the way from opening to closing."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from dunwell.domain.figures.period import AsOf, Period, month
from dunwell.domain.figures.receivable import NOTHING, ZERO, Receivables


def days_of_sales(receivable: Decimal, sales: Decimal, days: int) -> Decimal | None:
    """Return receivable / sales * days: DSO of all receivables, BPDSO of those not late. None without sales."""
    return receivable / sales * days if sales > 0 else None


def count_back(receivable: Decimal, months: Iterable[tuple[Decimal, int]]) -> Decimal | None:
    """Return how many days of sales the receivables are, taking months off them from the latest back.

    months: the sales and the days of each, the latest first; the last one needed counts in proportion. None when
    they do not suffice.
    """
    days = ZERO
    if receivable <= 0:
        return days
    for sales, length in months:
        if sales >= receivable:
            return days + receivable / sales * length
        receivable -= sales
        days += length
    return None


def sales_by_month(receivables: Receivables, as_of: AsOf) -> Iterable[tuple[Decimal, int]]:
    """Yield the sales and the days of each month, the latest first, as far as invoices are known."""
    first = receivables.first_issued
    for back in count():
        period = month(as_of.day, back)
        if first is None or period.last < first:
            return
        yield receivables.sales(period, as_of), period.days


def effectiveness(opening: Decimal, sales: Decimal, closing: Decimal, current: Decimal) -> Decimal | None:
    """Return the collection effectiveness index in per cent; `current`: what is not late of `closing`.

    None when nothing could be collected.
    """
    collectable = opening + sales - current
    return (opening + sales - closing) / collectable * 100 if collectable > 0 else None


class RollForward(NamedTuple):
    """How receivables came from opening to closing: opening + sales + amended - paid - given_up = closing.

    amended   what amendments and cancellations changed about invoices issued before the period
    paid      what met invoices, less what was taken back
    given_up  written off, and small rests that were let go, less what was paid on them later
    """

    opening: Decimal
    sales: Decimal
    amended: Decimal
    paid: Decimal
    given_up: Decimal
    closing: Decimal


def roll_forward(receivables: Receivables, period: Period, as_of: AsOf) -> RollForward:
    """Return it for a period that ends at `as_of`."""
    before = period.opening
    opening = sales = amended = paid = given_up = closing = ZERO
    for one in receivables.invoices:
        if one.issued_on > as_of.day:
            break
        now = one.balance(as_of)
        if one.issued_on in period:
            then = NOTHING
            sales += now.owed
        else:
            then = one.balance(before)
            amended += now.owed - then.owed
        opening += then.open
        paid += now.paid - then.paid
        given_up += now.given_up - then.given_up
        closing += now.open
    return RollForward(opening, sales, amended, paid, given_up, closing)

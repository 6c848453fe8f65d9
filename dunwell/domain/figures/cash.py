"""Money that came in during a period."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from dunwell.domain.figures.contact import Cash
from dunwell.domain.figures.receivable import ZERO, Receivables


def cash(receivables: Receivables, since: datetime, until: datetime) -> Iterator[Cash]:
    """Yield the payments received after `since` and by `until`, less what was taken back of each by then.

    What was taken back as a whole, and credit of another invoice, is no money.
    """
    for invoice in receivables.invoices:
        taken: dict[str, Decimal] = {}
        for one in invoice.movements:
            if one.amount < 0 and one.at <= until:
                taken[one.payment_id] = taken.get(one.payment_id, ZERO) - one.amount
        for one in invoice.movements:
            if one.amount > 0 and not one.by_credit and since < one.at <= until:
                left = one.amount - taken.get(one.payment_id, ZERO)
                if left > 0:
                    yield Cash(invoice.invoice_id, one.at, left)

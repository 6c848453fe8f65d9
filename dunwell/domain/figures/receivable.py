"""What is receivable of one invoice at any instant, by what was recorded with its time.

Money counts from when it was received, or from when it was recorded if it is dated ahead. All else about an invoice
counts from when it was recorded; what its record said first also counts for the time before.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from dunwell.domain.figures.period import AsOf, Period
from dunwell.domain.terms import Stage

ZERO = Decimal(0)
_GIVEN_UP = frozenset({Stage.CANCELLED, Stage.WRITTEN_OFF})


class Standing(NamedTuple):
    """How an invoice stands from `since` on.

    tolerance         a rest up to this counts as paid once something was paid
    disputed          how much of it; all of it when the whole invoice is in dispute
    beside_principal  what was paid for interest, lump sum and costs
    """

    since: datetime
    amount: Decimal
    due_on: date
    tolerance: Decimal = ZERO
    end: Stage | None = None
    disputed: Decimal = ZERO
    beside_principal: Decimal = ZERO


class Movement(NamedTuple):
    """Money that came in, or was taken back (below zero). `by_credit`: credit of another invoice."""

    at: datetime
    amount: Decimal
    payment_id: str
    by_credit: bool = False


class Balance(NamedTuple):
    """What is owed of an invoice at an instant, and what became of it: owed = paid + given_up + open."""

    owed: Decimal
    paid: Decimal
    given_up: Decimal

    @property
    def open(self) -> Decimal:
        return self.owed - self.paid - self.given_up


NOTHING = Balance(ZERO, ZERO, ZERO)


@dataclass(slots=True)
class Receivable:
    """One invoice. `standings` and `movements` oldest first; `given`: its credit as it was applied or returned.

    It is complete before it is first asked: balances are computed once, for each moment at which one changes.
    """

    invoice_id: str
    issued_on: date
    standings: list[Standing]
    movements: list[Movement] = field(default_factory=list)
    given: list[tuple[datetime, Decimal]] = field(default_factory=list)
    _balances: list[tuple[datetime, Balance]] = field(default_factory=list, init=False, repr=False)

    def standing(self, moment: datetime) -> Standing:
        for one in reversed(self.standings):
            if one.since <= moment:
                return one
        return self.standings[0]

    def paid(self, moment: datetime) -> Decimal:
        """All that came in by then, less what was taken back."""
        paid = ZERO
        for one in self.movements:
            if one.at <= moment:
                paid += one.amount
        return paid

    def balance(self, as_of: AsOf) -> Balance:
        """Nothing is owed before the day of issue."""
        if self.issued_on > as_of.day:
            return NOTHING
        balances = self._balances or self._compute()
        for since, balance in reversed(balances):
            if since <= as_of.moment:
                return balance
        return NOTHING

    def _compute(self) -> list[tuple[datetime, Balance]]:
        """The balance after each change, oldest first."""
        if len(self.standings) == 1:
            (standing,), paid = self.standings, ZERO
            self._balances = [(standing.since, _balance(standing, paid))]
            for one in self.movements:
                paid += one.amount
                self._balances.append((one.at, _balance(standing, paid)))
        else:
            moments = {one.since for one in self.standings} | {one.at for one in self.movements}
            self._balances = [
                (moment, _balance(self.standing(moment), self.paid(moment))) for moment in sorted(moments)
            ]
        return self._balances

    @property
    def closed_since(self) -> datetime | None:
        """Since when nothing is open for good, as far as is known; None while something is."""
        since, balance = (self._balances or self._compute())[-1]
        return since if balance.open == 0 else None

    def credit(self, moment: datetime) -> Decimal:
        """What was paid beyond all that is owed, and is neither applied nor returned."""
        standing = self.standing(moment)
        owed = ZERO if standing.end is Stage.CANCELLED else standing.amount
        given = sum((amount for at, amount in self.given if at <= moment), ZERO)
        return max(self.paid(moment) - owed - standing.beside_principal - given, ZERO)


def _balance(standing: Standing, came: Decimal) -> Balance:
    if standing.end is Stage.CANCELLED:
        return NOTHING
    owed = standing.amount
    paid = min(came, owed)
    rest = owed - paid
    lets_go = rest and (standing.end is Stage.WRITTEN_OFF or (paid > 0 and rest <= standing.tolerance))
    return Balance(owed, paid, rest if lets_go else ZERO)


class OpenItem(NamedTuple):
    """What is open of an invoice at an instant. `days_late` is zero or less while it is not late."""

    invoice: Receivable
    open: Decimal
    days_late: int
    disputed: Decimal
    handed_over: bool


class Receivables:
    """The invoices of one currency."""

    def __init__(self, invoices: Sequence[Receivable]) -> None:
        self.invoices = sorted(invoices, key=lambda one: (one.issued_on, one.invoice_id))
        self._issued = [one.issued_on for one in self.invoices]
        self._closed = [one.closed_since for one in self.invoices]

    @property
    def first_issued(self) -> date | None:
        """The day of issue of the first invoice; None without any."""
        return self._issued[0] if self._issued else None

    def issued(self, period: Period) -> list[Receivable]:
        """The invoices issued in a period."""
        return self.invoices[bisect_left(self._issued, period.first) : bisect_right(self._issued, period.last)]

    def open_items(self, as_of: AsOf) -> Iterator[OpenItem]:
        """What is open at an instant."""
        last = bisect_right(self._issued, as_of.day)
        for invoice, closed in zip(self.invoices[:last], self._closed[:last], strict=True):
            if closed is not None and closed <= as_of.moment:
                continue
            open_ = invoice.balance(as_of).open
            if open_ > 0:
                standing = invoice.standing(as_of.moment)
                yield OpenItem(
                    invoice,
                    open_,
                    (as_of.day - standing.due_on).days,
                    min(standing.disputed, open_),
                    standing.end is Stage.HANDED_OVER,
                )

    def sales(self, period: Period, as_of: AsOf) -> Decimal:
        """What the invoices issued in a period amount to at an instant, without cancelled ones."""
        return sum((one.balance(as_of).owed for one in self.issued(period)), ZERO)

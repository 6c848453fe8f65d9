"""What promises to pay are worth: how much of what was promised came by its day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from dunwell.domain.figures.period import AsOf, Period
from dunwell.domain.figures.receivable import ZERO, Movement
from dunwell.domain.terms import PromiseState


class Promised(NamedTuple):
    """A promise as it stands now.

    earlier     the payments that it does not count, because they were known when it was made
    settled_at  when it was kept, broken or replaced; None while it is open
    """

    made_at: datetime
    date: date
    amount: Decimal
    state: PromiseState
    settled_at: datetime | None
    earlier: frozenset[str]
    movements: tuple[Movement, ...]

    def is_open(self, as_of: AsOf) -> bool:
        return self.made_at <= as_of.moment and (self.settled_at is None or self.settled_at > as_of.moment)

    def fell_due(self, period: Period, as_of: AsOf) -> bool:
        """Whether it was kept or broken by then, and its day lies in the period. A replaced one never fell due."""
        is_over = self.settled_at is not None and self.settled_at <= as_of.moment
        return is_over and self.state is not PromiseState.REPLACED and self.date in period

    def came(self, as_of: AsOf) -> Decimal:
        """What came of it until it was settled and was not taken back by then; all of it, once it was kept."""
        until = self.settled_at or as_of.moment
        ours = [one for one in self.movements if one.payment_id not in self.earlier]
        in_time = {one.payment_id for one in ours if one.amount > 0 and one.at <= until}
        of_it = [one for one in ours if one.payment_id in in_time]
        paid = sum((one.amount for one in of_it if one.amount > 0), ZERO)
        back = sum((-one.amount for one in of_it if one.amount < 0 and one.at <= as_of.moment), ZERO)
        if self.state is PromiseState.KEPT and back == 0:
            return self.amount  # also when the invoice was lowered meanwhile, and less was needed
        return min(max(paid - back, ZERO), self.amount)

    def was_kept(self, as_of: AsOf) -> bool:
        """Whether it was kept, and nothing of its money was taken back by then."""
        return self.state is PromiseState.KEPT and self.came(as_of) == self.amount


@dataclass(slots=True)
class PromiseFigures:
    """Promises whose day lay in a period and that were kept or broken; and those that are open."""

    due: int = 0
    due_amount: Decimal = ZERO
    kept: int = 0
    kept_amount: Decimal = ZERO
    open: int = 0
    open_amount: Decimal = ZERO

    @classmethod
    def of(cls, promises: Iterable[Promised], period: Period, as_of: AsOf) -> "PromiseFigures":
        found = cls()
        for one in promises:
            if one.is_open(as_of):
                found.open += 1
                found.open_amount += one.amount
            elif one.fell_due(period, as_of):
                found.due += 1
                found.due_amount += one.amount
                found.kept += one.was_kept(as_of)
                found.kept_amount += one.came(as_of)
        return found

    @property
    def kept_share(self) -> Decimal | None:
        """By money, in per cent; None when none fell due."""
        return self.kept_amount / self.due_amount * 100 if self.due_amount else None

    @property
    def kept_count_share(self) -> Decimal | None:
        """By number, in per cent; None when none fell due."""
        return Decimal(self.kept) / self.due * 100 if self.due else None

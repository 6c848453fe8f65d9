"""Receivables by how late they are."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from dunwell.domain.figures.receivable import ZERO, OpenItem


class Bucket(StrEnum):
    """Days after the due date; the due date itself is not late."""

    NOT_DUE = "not due"
    TO_30 = "1-30"
    TO_60 = "31-60"
    TO_90 = "61-90"
    OVER_90 = ">90"


_BUCKETS = tuple(Bucket)
_LAST_DAYS = (0, 30, 60, 90)


def bucket_of(days_late: int) -> Bucket:
    """Return the bucket of an item that is so many days late."""
    return _BUCKETS[bisect_left(_LAST_DAYS, days_late)]


@dataclass(slots=True)
class Aged:
    """What is open in a bucket; parts of it are disputed, or of cases that were handed over."""

    amount: Decimal = ZERO
    invoices: int = 0
    disputed: Decimal = ZERO
    handed_over: Decimal = ZERO

    def add(self, item: OpenItem) -> None:
        self.amount += item.open
        self.invoices += 1
        self.disputed += item.disputed
        if item.handed_over:
            self.handed_over += item.open


@dataclass(slots=True)
class Ageing:
    """All that is open at an instant, by bucket."""

    buckets: dict[Bucket, Aged] = field(default_factory=lambda: {bucket: Aged() for bucket in Bucket})

    @classmethod
    def of(cls, items: Iterable[OpenItem]) -> "Ageing":
        ageing = cls()
        for item in items:
            ageing.buckets[bucket_of(item.days_late)].add(item)
        return ageing

    @property
    def total(self) -> Aged:
        every = self.buckets.values()
        return Aged(
            sum((one.amount for one in every), ZERO),
            sum(one.invoices for one in every),
            sum((one.disputed for one in every), ZERO),
            sum((one.handed_over for one in every), ZERO),
        )

    @property
    def open(self) -> Decimal:
        return self.total.amount

    @property
    def current(self) -> Decimal:
        """What is not late."""
        return self.buckets[Bucket.NOT_DUE].amount

    @property
    def late(self) -> Decimal:
        return self.open - self.current

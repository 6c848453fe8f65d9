"""Receivables by how late they are."""

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


_LAST_DAYS = ((0, Bucket.NOT_DUE), (30, Bucket.TO_30), (60, Bucket.TO_60), (90, Bucket.TO_90))


def bucket_of(days_late: int) -> Bucket:
    """Return the bucket of an item that is so many days late."""
    return next((bucket for last, bucket in _LAST_DAYS if days_late <= last), Bucket.OVER_90)


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
        self.handed_over += item.open if item.handed_over else ZERO


@dataclass(slots=True)
class Ageing:
    """All that is open at an instant, by bucket."""

    buckets: dict[Bucket, Aged] = field(default_factory=lambda: {bucket: Aged() for bucket in Bucket})
    total: Aged = field(default_factory=Aged)

    @classmethod
    def of(cls, items: Iterable[OpenItem]) -> "Ageing":
        ageing = cls()
        for item in items:
            ageing.buckets[bucket_of(item.days_late)].add(item)
            ageing.total.add(item)
        return ageing

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

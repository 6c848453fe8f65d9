"""What follows contacts: how soon money comes after one, and after which step. That is no proof of a cause."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from dunwell.domain.figures.receivable import ZERO

ATTRIBUTED = timedelta(days=14)
"""A payment is attributed to the last contact that reached the customer in this time before it."""


class StepName(NamedTuple):
    """A step of a policy."""

    policy: str
    step: str


class Contact(NamedTuple):
    """A message that asks for payment and was delivered, or a conversation."""

    at: datetime
    step: StepName


class Cash(NamedTuple):
    """Money that came in for an invoice, less what was taken back of it."""

    invoice_id: str
    at: datetime
    amount: Decimal


@dataclass(slots=True)
class StepFigures:
    """What followed a step: cases that it reached, and what they paid within 14 days without another contact."""

    reached: int = 0
    cases: set[str] = field(default_factory=set)
    payments: int = 0
    amount: Decimal = ZERO

    def add(self, cash: Cash) -> None:
        self.cases.add(cash.invoice_id)
        self.payments += 1
        self.amount += cash.amount

    @property
    def share(self) -> Decimal | None:
        """Of the cases that it reached, those that paid, in per cent; None when it reached none."""
        return Decimal(len(self.cases)) / self.reached * 100 if self.reached else None


class AfterContact(NamedTuple):
    """by_step: figures of each step; alone: of money with no contact in the 14 days before it."""

    by_step: dict[StepName, StepFigures]
    alone: StepFigures


def last_contact(contacts: Sequence[Contact], moment: datetime) -> Contact | None:
    """Return the last of these contacts, oldest first, that was not after a moment."""
    place = bisect_right(contacts, moment, key=lambda one: one.at)
    return contacts[place - 1] if place else None


def contact_to_cash(contacts: Mapping[str, Sequence[Contact]], cash: Iterable[Cash]) -> Decimal | None:
    """Return the median of the days from the last contact to the money; None when no contact came before any.

    contacts: of each invoice, oldest first.
    """
    days = []
    for one in cash:
        contact = last_contact(contacts.get(one.invoice_id, ()), one.at)
        if contact is not None:
            days.append(Decimal((one.at.date() - contact.at.date()).days))
    return median(days) if days else None


def after_contact(
    contacts: Mapping[str, Sequence[Contact]], cash: Iterable[Cash], since: datetime, until: datetime
) -> AfterContact:
    """Attribute money to the last contact before it. `since`, `until`: the period in which the money came."""
    steps: dict[StepName, StepFigures] = {}
    for some in contacts.values():
        for step in {one.step for one in some if since - ATTRIBUTED <= one.at <= until}:
            steps.setdefault(step, StepFigures()).reached += 1
    alone = StepFigures()
    for one in cash:
        contact = last_contact(contacts.get(one.invoice_id, ()), one.at)
        near = contact is not None and one.at - contact.at <= ATTRIBUTED
        (steps[contact.step] if contact is not None and near else alone).add(one)
    return AfterContact(steps, alone)

"""What all messages of one errand share, and the id each of them has."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time

from activities.errand import Errand
from domain.calendar import BusinessCalendar
from domain.case import Case
from domain.invoice import Contact, Customer
from domain.policy import Policy
from domain.terms import Channel, Role

_NAMESPACE = uuid.UUID("6b2d8f3e-5f0a-4f5e-9a53-0d0a6c1e7b11")


@dataclass(frozen=True)
class Job:
    """One errand of one case, at one moment. `planned_at` is when the plan meant it.

    `shared_with`: the other customers of whom its messages may speak as well.
    """

    case: Case
    customer: Customer
    policy: Policy
    calendar: BusinessCalendar
    errand: Errand
    now: datetime
    planned_at: datetime
    rehearsal: bool
    shared_with: frozenset[str] = frozenset()

    @property
    def closing(self) -> datetime:
        """The last minute of its day where the customer is."""
        return self.calendar.at(self.calendar.local_date(self.now), time(23, 59))

    def keys(self, contacts: Iterable[Contact]) -> set[str]:
        """The keys of the addresses of these people, except those of our own."""
        return {
            key
            for contact in contacts
            if contact.role is not Role.ACCOUNT_MANAGER
            for key in contact.address_keys(rehearsal=self.rehearsal)
        }


def message_id(invoice_id: str, step: str, contact_id: str, channel: Channel) -> str:
    """The same for the same (invoice, step, contact, channel), always, and telling nothing about them."""
    return uuid.uuid5(_NAMESPACE, "/".join((invoice_id, step, contact_id, channel.value))).hex

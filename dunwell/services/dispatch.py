"""What all messages of one step of one case share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer
from dunwell.domain.keys import MessageKey
from dunwell.domain.policy import Policy
from dunwell.domain.recipients import named
from dunwell.domain.terms import Role
from dunwell.services.step_execution import StepExecution


@dataclass(frozen=True)
class Dispatch:
    """One step of one case, carried out at one moment. `planned_at` is the moment for which it was planned.

    `shared_with`: the other customers of the group, whose invoices its messages may carry as well.
    """

    case: Case
    customer: Customer
    policy: Policy
    calendar: BusinessCalendar
    execution: StepExecution
    now: datetime
    planned_at: datetime
    rehearsal: bool
    shared_with: frozenset[str] = frozenset()

    @property
    def closing(self) -> datetime:
        """The last minute of its day in the customer's time zone."""
        return self.calendar.at(self.calendar.local_date(self.now), time(23, 59))

    @property
    def tomorrow(self) -> datetime:
        """The first open hour after its day."""
        return self.calendar.next_open(self.calendar.end_of_day(self.calendar.local_date(self.now)))

    @property
    def named(self) -> list[Contact]:
        """The people the step names; of a clerk's answer, whoever wrote to us, while they may be written to."""
        answer = self.execution.answer
        if answer is not None:
            return [contact for contact in self.customer.contacts if contact.contact_id == answer.contact_id]
        return named(self.customer.contacts, self.execution.to)

    def message_id(self, contact: Contact, channel: Channel, address_key: str | None = None) -> str:
        """The id of its message to that contact; with `address_key`, of one more to an address they came back to."""
        key = MessageKey(
            invoice_id=self.case.invoice_id,
            step=self.execution.key,
            contact_id=contact.contact_id,
            channel=channel,
            address_key=address_key,
        )
        return key.message_id

    def keys(self, contacts: Iterable[Contact]) -> set[str]:
        """The keys of the addresses of these people, except those of our own."""
        return {
            key
            for contact in contacts
            if contact.role is not Role.ACCOUNT_MANAGER
            for key in contact.address_keys(rehearsal=self.rehearsal)
        }

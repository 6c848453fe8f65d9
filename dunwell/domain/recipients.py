"""The recipients of a step: the contacts it names, each by their first channel, else others of the customer."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.model import Value
from dunwell.domain.terms import Role


class Reach(Value):
    """One person and the channel by which they are reached. `instead`: nobody whom the step names can be."""

    role: Role
    channel: Channel
    instead: bool = False


def is_debtors(contact: Contact) -> bool:
    """Whether this is one of the debtor's people, and not our own account manager."""
    return contact.role is not Role.ACCOUNT_MANAGER


def named(contacts: Sequence[Contact], to: Iterable[Role]) -> list[Contact]:
    """The people of these roles, role by role."""
    return [contact for role in to for contact in contacts if contact.role is role]


def others(contacts: Iterable[Contact], tried: Collection[Contact]) -> Iterator[Contact]:
    """The debtor's people who were not tried."""
    return (contact for contact in contacts if contact not in tried and is_debtors(contact))


def reached(
    contacts: Sequence[Contact], to: Sequence[Role], by: Sequence[Channel], *, named_only: bool
) -> list[tuple[Contact, Channel, bool]]:
    """Who a message reaches while every address is open, by which channel, and whether instead of those named.

    Empty when only a person can help.
    """
    asked = named(contacts, to)
    found = [(contact, channel, False) for contact in asked if (channel := _first(contact, by))]
    if named_only or any(is_debtors(contact) for contact, *_ in found) or set(to) <= {Role.ACCOUNT_MANAGER}:
        return found
    for contact in others(contacts, asked):
        if channel := _first(contact, by):
            return [*found, (contact, channel, True)]
    return found


def audience(
    contacts: Sequence[Contact], to: Sequence[Role], by: Sequence[Channel], *, named_only: bool
) -> tuple[Reach, ...]:
    """The same by role, without the people."""
    found = reached(contacts, to, by, named_only=named_only)
    return tuple(Reach(role=contact.role, channel=channel, instead=instead) for contact, channel, instead in found)


def _first(contact: Contact, by: Iterable[Channel]) -> Channel | None:
    return next((channel for channel in by if contact.address(channel)), None)

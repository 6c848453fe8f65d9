"""The people of a customer: which of two contacts are one person, and who is written to about an invoice.

A contact keeps its id for good: the number in it says who was met first, and nothing about a place in a list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dunwell.domain.address import spelling_key
from dunwell.domain.channels import AddressKind, Channel
from dunwell.domain.contact import Contact
from dunwell.domain.keys import ContactId
from dunwell.domain.terms import DebtorKind, Role

CONSENTS = tuple(channel.facts.consent for channel in Channel if channel.facts.consent)
CUSTOMER_FIELDS = ("name", "country", "time_zone", "language", "kind", "group", "interest", "lump_sum")
"""What is known of a customer and may change."""

CONTACT_FIELDS = ("name", *(kind.value for kind in AddressKind), *CONSENTS)
"""What is known of a contact and may change. A person in another role is another contact."""


_THIRD_PARTIES = frozenset({Role.MANAGER, Role.EXECUTIVE})


def is_third_party(kind: DebtorKind | None, role: Role | None) -> bool:
    """Whether somebody in this role is told nothing of the debt: a private person has no manager and no board."""
    return kind is DebtorKind.CONSUMER and role in _THIRD_PARTIES


@dataclass
class Person:
    """A contact with its standing.

    position    the place in the newest record, which orders those of one role
    shared      named for the whole customer, and not only for single invoices
    added_by    who added it; None: a record named it
    retired_at  since when no record of an open invoice names it
    closed_at   since when one of us says that it is not to be written to, with `closed_by` and `closed_why`
    exported    of each field that was corrected by hand: what the record said then
    """

    contact: Contact
    position: int = 0
    shared: bool = True
    added_by: str | None = None
    retired_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_why: str | None = None
    exported: dict[str, str | None] = field(default_factory=dict)

    @property
    def contact_id(self) -> str:
        return self.contact.contact_id

    @property
    def open(self) -> bool:
        """Whether this person may be written to at all."""
        return self.retired_at is None and self.closed_at is None

    @property
    def reachable(self) -> bool:
        """Whether this person may be written to and has any address."""
        return self.open and any(getattr(self.contact, kind.value) for kind in AddressKind)

    def said(self, name: str) -> str | None:
        """What the records say of a field, whatever was corrected since."""
        value: str | None = self.exported[name] if name in self.exported else getattr(self.contact, name)
        return value


@dataclass
class Naming:
    """Whom the newest record of an invoice names: contact id to whether for this invoice alone.

    `speaks` False: no record of it ever had a list of the customer's contacts.
    """

    speaks: bool = False
    people: dict[str, bool] = field(default_factory=dict)


def asked(people: Iterable[Person], naming: Naming) -> list[Person]:
    """Those who may be written to about an invoice, in their order.

    They are those whom its record names, or the customer's if it names nobody of them. A role that is named for this
    invoice alone is taken from nowhere else.
    """
    here = sorted((one for one in people if one.open), key=lambda one: (one.position, one.contact_id))
    alone = {one.contact_id for one in here if naming.people.get(one.contact_id)}
    roles = {one.contact.role for one in here if one.contact_id in alone}

    def named(person: Person) -> bool:
        if naming.speaks:
            return person.contact_id in naming.people or person.added_by is not None
        return person.shared

    return [one for one in here if one.contact_id in alone or (named(one) and one.contact.role not in roles)]


def find(known: Sequence[Person], contact: Contact, taken: Iterable[str] = ()) -> Person | None:
    """Who of the known people a contact of a record is; None for somebody new. `taken`: ids already found.

    The same person has the same role, and the same address or else the same name.
    """
    used = set(taken)
    here = [one for one in known if one.contact.role is contact.role and one.contact_id not in used]
    here.sort(key=lambda one: (not one.open, ContactId.parse(one.contact_id).count))
    for is_same in (is_same_human, _same_address, _same_name):
        for one in here:
            if is_same(one, contact):
                return one
    return None


def is_same_human(known: Person, contact: Contact) -> bool:
    """Whether both are one human being, whatever their roles: the same name, and the same address."""
    return _same_name(known, contact) and _same_address(known, contact)


def new_id(known: Iterable[Person], contact: Contact, customer_id: str) -> str:
    """The id that the contact came with while nobody has it, else the next number of its role."""
    ids = {one.contact_id for one in known}
    if contact.contact_id not in ids:
        return contact.contact_id
    role = contact.role.value
    others = [key for key in map(ContactId.parse, ids) if (key.customer_id, key.role) == (customer_id, role)]
    last = max((key.count for key in others), default=0)
    return str(ContactId(customer_id=customer_id, role=role, number=str(last + 1)))


def _same_address(known: Person, contact: Contact) -> bool:
    """By the first kind of address that both have: colleagues share a switchboard, and not a mailbox."""
    for kind in AddressKind:
        name = kind.value
        here = getattr(contact, name)
        there = {value for value in (known.said(name), getattr(known.contact, name)) if value}
        if here and there:
            return spelling_key(kind, here) in {spelling_key(kind, value) for value in there}
    return False


def _same_name(known: Person, contact: Contact) -> bool:
    return _plain(contact.name) in {_plain(known.said("name") or ""), _plain(known.contact.name)}


def _plain(value: str) -> str:
    """Without what people write in different ways: case and spaces."""
    return " ".join(value.casefold().split())

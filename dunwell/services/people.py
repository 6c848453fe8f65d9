"""The people of some customers within one transaction: as they are, as they become, and what changes by that.

Every change, by a record or by hand, is made here, so that it is written into the timelines of the
invoices it concerns, and in the answer to whoever brought it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy.orm import Session

from dunwell.domain.contact import Contact
from dunwell.domain.invoice import UNDETERMINED, Customer, Invoice
from dunwell.domain.people import CONTACT_FIELDS, CUSTOMER_FIELDS, Naming, Person, asked, find, is_same_human, new_id
from dunwell.domain.people_change import Change, Kind
from dunwell.domain.timeline import Entry
from dunwell.services.corrections import Corrections
from dunwell.store import contacts, invoices

_SAYS_NOTHING = (None, UNDETERMINED)
"""What a field of a customer holds when the record leaves it out: then it stays as it is known."""


class People:
    """See the module. Call `save` at the end; `entries` are then to be written, once the cases are open.

    changes  for the answer to whoever brought the record or command
    entries  for the timelines, by invoice
    left     contacts who are no longer asked about an invoice, by invoice
    came     invoices with a new contact, or a new address of one
    """

    def __init__(self, session: Session, customer_ids: Collection[str], now: datetime) -> None:
        self._session, self._now = session, now
        self.customers = invoices.find_customers(session, customer_ids)
        self._people = contacts.people(session, customer_ids)
        self._corrections = Corrections(session, customer_ids, now)
        self._corrections.mark(self._people)
        rows = contacts.open_invoices(session, customer_ids)
        self._owner = {row.invoice_id: row.customer_id for row in rows}
        self._of_customer: dict[str, list[str]] = {customer_id: [] for customer_id in customer_ids}
        for row in rows:
            self._of_customer[row.customer_id].append(row.invoice_id)
        self._namings = contacts.namings(session, rows)
        self._asked = {row.invoice_id: self._asked_about(row.invoice_id) for row in rows}
        self._before = {customer_id: self._asked_anywhere(customer_id) for customer_id in customer_ids}
        self._changed = set[tuple[str, str]]()  # contacts to write, each with its customer
        self._renamed = set[str]()  # customers to write
        self._newly_named = dict[str, Naming]()
        self._dirty = set[str]()  # customers some of whose people came or went
        self.changes = list[Change]()
        self.entries: dict[str, list[Entry]] = {}
        self.left: dict[str, set[str]] = {}
        self.came = set[str]()

    @property
    def open_invoices(self) -> Mapping[str, str]:
        """The open invoices of these customers, each with its customer."""
        return self._owner

    def asked_about(self, invoice_id: str) -> Collection[str]:
        """The ids of those who may be written to about an open invoice."""
        return self._asked.get(invoice_id, frozenset())

    def known(self, customer_id: str) -> list[Person]:
        return self._people[customer_id]

    @property
    def emptied(self) -> set[tuple[str, str]]:
        """The contacts, each with a field of which the value was taken away."""
        renewed = [
            one for one in self.changes if one.contact is not None and one.field is not None and one.after is None
        ]
        return {(str(one.contact and one.contact.contact_id), str(one.field)) for one in renewed}

    # What a record says ----------------------------------------------------------------------------------

    def take(self, invoice: Invoice, *, known: bool) -> Invoice:
        """The record of an invoice, in its turn. Returns it with the customer as they are now.

        known: the invoice was there before. The record of one whose case has ended says nothing about people.
        """
        customer_id = invoice.customer.customer_id
        customer = self._customer(invoice.customer)
        if not known or invoice.invoice_id in self._owner:
            if invoice.invoice_id not in self._owner:
                self._owner[invoice.invoice_id] = customer_id
                self._of_customer[customer_id].append(invoice.invoice_id)
            self._name(invoice)
            self._retire(customer_id)
            self._settle(customer_id, invoice.invoice_id)
        people = tuple(one.contact for one in self._people[customer_id] if one.open)
        return invoice.model_copy(update={"customer": customer.model_copy(update={"contacts": people})})

    def _customer(self, given: Customer) -> Customer:
        customer_id, known = given.customer_id, self.customers.get(given.customer_id)
        if known is None:
            known = given.model_copy(update={"contacts": ()})
            self._renamed.add(customer_id)
        for field in CUSTOMER_FIELDS:
            said = getattr(given, field)
            if said in _SAYS_NOTHING:
                continue
            before = getattr(known, field)
            if said != self._corrections.exported((customer_id, "", field), before):
                known = known.model_copy(update={field: said})
                self._renamed.add(customer_id)
                by = self._corrections.overtake((customer_id, "", field))
                change = Change(customer_id, "renewed", None, field, before, said, corrected_by=by)
                if before != said:
                    self._tell(change, self._of_customer[customer_id])
        self.customers[customer_id] = known
        return known

    def note_terms(self, invoice: Invoice, changed: Mapping[str, tuple[str | None, str]]) -> None:
        """Tell which terms of a known invoice its newer record has changed, each as (before, after)."""
        for field, (before, after) in changed.items():
            change = Change(
                invoice.customer.customer_id, "renewed", None, field, before, after, invoice_id=invoice.invoice_id
            )
            self._tell(change, [invoice.invoice_id])

    def _name(self, invoice: Invoice) -> None:
        """Find out whom the record means, and keep whom it names."""
        customer_id = invoice.customer.customer_id
        naming = self._namings.get(invoice.invoice_id, Naming())
        general = {name: False for name, alone in naming.people.items() if not alone}
        alone = {name: True for name, alone in naming.people.items() if alone}
        if invoice.names_contacts:
            general = dict.fromkeys(self._meet(customer_id, invoice.customer.contacts, shared=True), False)
        if invoice.contacts is not None:
            alone = dict.fromkeys(self._meet(customer_id, invoice.contacts, shared=False), True)
        named = Naming(naming.speaks or invoice.names_contacts, general | alone)
        if named != naming:
            self._newly_named[invoice.invoice_id] = named
        self._namings[invoice.invoice_id] = named

    def _meet(self, customer_id: str, named: Sequence[Contact], *, shared: bool) -> list[str]:
        """The ids of the contacts that a record names, each person once."""
        people, met = self._people[customer_id], dict[str, None]()
        for position, contact in enumerate(named):
            if any(_without_id(contact) == _without_id(other) for other in named[:position]):
                continue
            person = find(people, contact, met)
            if person is None:
                new = contact.model_copy(update={"contact_id": new_id(people, contact, customer_id)})
                person = Person(new, position, shared=shared)
                people.append(person)
                self._touch(customer_id, person)
                self._stay_closed(customer_id, person)
            else:
                self._renew(customer_id, person, contact)
                if shared and not person.shared:
                    person.shared = True
                    self._touch(customer_id, person)
                if (person.position, person.added_by) != (position, None):
                    person.position, person.added_by = position, None
                    self._changed.add((customer_id, person.contact_id))
            met[person.contact_id] = None
        return list(met)

    def _renew(self, customer_id: str, person: Person, contact: Contact) -> None:
        for field in CONTACT_FIELDS:
            said, before = getattr(contact, field), getattr(person.contact, field)
            if said == person.said(field):
                continue
            person.exported.pop(field, None)
            by = self._corrections.overtake((customer_id, person.contact_id, field))
            self._put_field(customer_id, person, field, before, said, corrected_by=by)

    def _retire(self, customer_id: str) -> None:
        """Whom no record of an open invoice names is not written to any more; who is named again, is."""
        namings = [self._namings[invoice_id] for invoice_id in self._of_customer[customer_id]]
        if not any(naming.speaks for naming in namings):
            return
        named = {contact_id for naming in namings for contact_id in naming.people}
        for person in self._people[customer_id]:
            here = person.contact_id in named or person.added_by is not None
            if here != (person.retired_at is None):
                person.retired_at = None if here else self._now
                self._touch(customer_id, person)

    # What one of us says ---------------------------------------------------------------------------------

    def correct_customer(self, customer_id: str, facts: Mapping[str, str], by: str) -> None:
        """Set facts of a customer by hand. They stand until a record says something new."""
        known = self.customers[customer_id]
        for field, value in facts.items():
            before = getattr(known, field)
            if before == value:
                continue
            known = known.model_copy(update={field: value})
            self._corrections.put((customer_id, "", field), before, value, by)
            self._renamed.add(customer_id)
            change = Change(customer_id, "renewed", None, field, before, value, by=by)
            self._tell(change, self._of_customer[customer_id])
        self.customers[customer_id] = known

    def correct_contact(self, customer_id: str, contact_id: str, facts: Mapping[str, str | None], by: str) -> None:
        """The same for a contact."""
        person = self._person(customer_id, contact_id)
        for field, value in facts.items():
            before = getattr(person.contact, field)
            if before != value:
                self._corrections.put((customer_id, contact_id, field), before, value, by)
                person.exported.setdefault(field, before)
                self._put_field(customer_id, person, field, before, value, by=by)

    def add(self, customer_id: str, contact: Contact, by: str) -> Contact:
        """A contact that no record names: written to about every invoice of the customer, until closed."""
        people = self._people[customer_id]
        known = find(people, contact)
        if known is not None and known.open:
            return known.contact
        contact = contact.model_copy(update={"contact_id": new_id(people, contact, customer_id)})
        people.append(Person(contact, len(people), added_by=by))
        change = Change(customer_id, "joined", contact, by=by)
        self.changes.append(change)
        self._touch(customer_id, people[-1])
        self._settle(customer_id, change=change)
        return contact

    def close(self, customer_id: str, contact_id: str, reason: str, by: str) -> bool:
        """Write to this person no more, in no role and whatever records say. False: it is so already."""
        person = self._person(customer_id, contact_id)
        if person.closed_at is not None:
            return False
        for one in self._people[customer_id]:
            if one is person or (one.closed_at is None and is_same_human(one, person.contact)):
                one.closed_at, one.closed_by, one.closed_why = self._now, by, reason
                self._stand(customer_id, one, "closed", by)
        return True

    def open(self, customer_id: str, contact_id: str, by: str) -> bool:
        """Take that back; somebody whom no record names is then written to all the same. False: it is so already."""
        person = self._person(customer_id, contact_id)
        if person.open:
            return False
        if person.retired_at is not None:
            person.retired_at, person.added_by = None, by
        person.closed_at = person.closed_by = person.closed_why = None
        self._stand(customer_id, person, "opened", by)
        return True

    def _stay_closed(self, customer_id: str, new: Person) -> None:
        """Somebody new in this role whom one of us closed in another role is not written to in this one either."""
        for one in self._people[customer_id]:
            if one.closed_at is not None and is_same_human(one, new.contact):
                new.closed_at, new.closed_by, new.closed_why = one.closed_at, one.closed_by, one.closed_why
                self.changes.append(Change(customer_id, "stays_closed", new.contact, by=one.closed_by))
                return

    def _stand(self, customer_id: str, person: Person, kind: Kind, by: str) -> None:
        change = Change(customer_id, kind, person.contact, by=by)
        self.changes.append(change)
        self._touch(customer_id, person)
        self._settle(customer_id, change=change)

    def _person(self, customer_id: str, contact_id: str) -> Person:
        return next(one for one in self._people[customer_id] if one.contact_id == contact_id)

    # What comes of it ------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write customers, people, corrections, and whom the records name. The invoices must be there already."""
        session = self._session
        self._corrections.save()
        contacts.put(
            session,
            {
                customer_id: [one for one in some if (customer_id, one.contact_id) in self._changed]
                for customer_id, some in self._people.items()
            },
        )
        contacts.put_namings(session, self._newly_named)

    def save_customers(self) -> None:
        """The customers alone, to whom invoices point."""
        invoices.put_customers(self._session, [self.customers[one] for one in sorted(self._renamed)])

    def _asked_about(self, invoice_id: str) -> frozenset[str]:
        people = self._people[self._owner[invoice_id]]
        return frozenset(one.contact_id for one in asked(people, self._namings[invoice_id]))

    def _asked_anywhere(self, customer_id: str) -> set[str]:
        return {contact_id for one in self._of_customer[customer_id] for contact_id in self._asked[one]}

    def _settle(self, customer_id: str, invoice_id: str | None = None, change: Change | None = None) -> None:
        """See who is asked about which invoice now, and note it where that changed; `change`: by what."""
        everywhere = customer_id in self._dirty or invoice_id is None
        self._dirty.discard(customer_id)
        for one in self._of_customer[customer_id] if everywhere else [str(invoice_id)]:
            before, after = self._asked.get(one), self._asked_about(one)
            self._asked[one] = after
            if before is None or before == after:
                continue
            for person in self._people[customer_id]:
                contact_id = person.contact_id
                if contact_id in after - before:
                    self.came.add(one)
                    self._note(change or Change(customer_id, "joined", person.contact), one)
                elif contact_id in before - after:
                    self.left.setdefault(one, set()).add(contact_id)
                    self._note(change or Change(customer_id, "left", person.contact), one)

    def turnover(self) -> list[Change]:
        """Who of the customers' people is written to now and was not before, or the other way round."""
        found = []
        for customer_id, before in self._before.items():
            after = self._asked_anywhere(customer_id)
            for person in self._people[customer_id] if before else ():
                if person.contact_id in after - before:
                    found.append(Change(customer_id, "joined", person.contact))
                elif person.contact_id in before - after:
                    found.append(Change(customer_id, "left", person.contact))
        return found

    def _put_field(
        self,
        customer_id: str,
        person: Person,
        field: str,
        before: str | None,
        after: str | None,
        *,
        by: str | None = None,
        corrected_by: str | None = None,
    ) -> None:
        person.contact = person.contact.model_copy(update={field: after})
        self._changed.add((customer_id, person.contact_id))
        if before == after:
            return
        concerned = [one for one in self._of_customer[customer_id] if person.contact_id in self._asked.get(one, ())]
        if field != "name":
            self.came.update(concerned)
        change = Change(customer_id, "renewed", person.contact, field, before, after, by, corrected_by)
        self._tell(change, concerned)

    def _touch(self, customer_id: str, person: Person) -> None:
        self._changed.add((customer_id, person.contact_id))
        self._dirty.add(customer_id)

    def _tell(self, change: Change, concerned: Iterable[str]) -> None:
        self.changes.append(change)
        for invoice_id in concerned:
            self._note(change, invoice_id)

    def _note(self, change: Change, invoice_id: str) -> None:
        whom = change.contact.contact_id if change.contact else ""
        value = sha256(f"{change.before}/{change.after}".encode()).hexdigest()[:8]
        key = f"contacts.{whom}.{change.kind}.{change.field or ''}.{value}.{self._now:%Y%m%d%H%M%S%f}"
        entry = Entry(key=key[:300], at=self._now, kind="contacts", reason=change.noted())
        self.entries.setdefault(invoice_id, []).append(entry)


def _without_id(contact: Contact) -> Contact:
    return contact.model_copy(update={"contact_id": ""})

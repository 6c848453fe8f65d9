"""Changes to a customer or a contact by hand, and the events that the customer's cases get for them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from dunwell.client.bounded import gather
from dunwell.client.cases import Cases
from dunwell.client.legal_pauses import with_legal_end
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.case import Case
from dunwell.domain.channels import CAPPED_CALLS, CLOSABLE, Channel
from dunwell.domain.cleaning import is_clean, printable
from dunwell.domain.closed_addresses import BY_OWNER, COMPLAINED, NO_CALLS, STOPPED
from dunwell.domain.contact import Contact
from dunwell.domain.events import ContactChange, ContactsChanged, Pause, Resume, parse_event
from dunwell.domain.invoice import Customer, is_rehearsal
from dunwell.domain.keys import ContactId
from dunwell.domain.people import CONTACT_FIELDS, CUSTOMER_FIELDS, Person, is_third_party
from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.refusal import Refused, Unknown
from dunwell.domain.terms import Role
from dunwell.intake.invoice_fields import CONTACT, CUSTOMER
from dunwell.intake.invoices import can_be_asked
from dunwell.intake.refusals import InvalidValue
from dunwell.services import contact_replacement, customer_pause, link_revocation
from dunwell.services.dependencies import Dependencies
from dunwell.services.people import People
from dunwell.services.submissions import Submission
from dunwell.store import (
    accounts,
    addresses,
    audit,
    cases,
    contacts,
    customer_pauses,
    links,
    provider_events,
    timeline,
)
from dunwell.store.tables import CaseRow, ContactRow, LinkRow
from dunwell.views.lookup import find_customer

_SAID_BY_OWNER = {
    STOPPED: "said STOP",
    COMPLAINED: "reported our messages as spam",
    NO_CALLS: "wants no more calls; `starter.py contact open CONTACT --calls` opens it once they ask for calls",
}
"""What the owner of an address that stays closed did."""
_NAMED = 20  # invoices in a sentence; more are counted


@dataclass(frozen=True)
class Changed:
    """What was done, in sentences for whoever asked for it, and the event for the cases concerned.

    looking  of a change of contacts: the invoices with a step that looks for another contact
    """

    said: tuple[str, ...]
    event: str = "contacts_changed"
    content: Mapping[str, Any] | None = None
    invoices: tuple[str, ...] = ()
    looking: Collection[str] = ()

    def content_for(self, invoice_id: str) -> Mapping[str, Any]:
        """Return the event's content for the case of this invoice."""
        renewed = {"renewed": invoice_id in self.looking} if self.event == "contacts_changed" else {}
        return {**(self.content or {}), **renewed}


async def tell(talk: Cases, changed: Changed, principal: Principal) -> int:
    """Send the event to the cases, as told by `principal`. Returns how many did not get it.

    The change in the database counts anyway.
    """

    async def one(invoice_id: str) -> bool:
        content = changed.content_for(invoice_id)
        try:
            await talk.tell(invoice_id, changed.event, content, principal=principal, wait=False)
        except Refused:  # it has ended
            return True
        except (NoAnswer, ServerAway):
            return False
        return True

    return (await gather(one(invoice_id) for invoice_id in changed.invoices)).count(False)


class ChangedMeanwhile(Refused):
    """The refusal of a correction, because somebody else changed the same fields. `now`: their values by now."""

    def __init__(self, now: Mapping[str, str]) -> None:
        super().__init__(next(iter(now)), "was changed by somebody else meanwhile: look at it, and send it again")
        self.now = now


class Customers:
    """Changes by hand, each in one transaction. Raises Refused when something is unknown or cannot be."""

    def __init__(
        self, deps: Dependencies, principal: Principal = SYSTEM, submission: Submission | None = None
    ) -> None:
        self._deps, self._principal, self._submission = deps, principal, submission

    def acting(self, principal: Principal, submission: Submission | None = None) -> "Customers":
        """Return the same for changes that this principal makes, by a form if one is given.

        A change by a form that was carried out before raises AlreadyDone.
        """
        return Customers(self._deps, principal, submission)

    # Facts -----------------------------------------------------------------------------------------------

    def set_customer(
        self, customer_id: str, given: Mapping[str, Any], by: str, seen: Mapping[str, str] | None = None
    ) -> Changed:
        """Correct facts of a customer. A correction stands until the billing system says something new.

        seen: the values that whoever corrects them had before their eyes. Raises ChangedMeanwhile where a fact to
        be corrected has neither that value nor the given one.
        """
        facts = {name: _customer_fact(name, value) for name, value in given.items()}
        with self._people(customer_id, by) as (people, after):
            _some(facts, CUSTOMER_FIELDS)
            _check_seen(people.customers[customer_id], facts, seen)
            people.correct_customer(customer_id, facts, by)
            after.changes = [ContactChange(what="corrected", field=field) for field in facts]
            kind = people.customers[customer_id].kind
            silent = [
                f"{one.contact_id} is not written to: a private person's debt is told to nobody else"
                for one in people.known(customer_id)
                if "kind" in facts and one.open and is_third_party(kind, one.contact.role)
            ]
        return after.changed(f"{customer_id} is so already", silent)

    def set_contact(
        self, contact_id: str, given: Mapping[str, Any], by: str, seen: Mapping[str, str] | None = None
    ) -> Changed:
        """The same for a contact. An empty text takes an address away."""
        customer_id = self._customer_of(contact_id)
        with self._people(customer_id, by) as (people, after):
            country = people.customers[customer_id].country
            facts = {name: _contact_fact(name, value, country) for name, value in given.items()}
            _some(facts, CONTACT_FIELDS)
            _check_seen(_contact_of(people, customer_id, contact_id), facts, seen)
            people.correct_contact(customer_id, contact_id, facts, by)
            after.changes = [ContactChange(contact_id=contact_id, what="corrected", field=field) for field in facts]
            emptied = [] if all(facts.values()) else _without_address(people.known(customer_id), contact_id)
        return after.changed(f"{contact_id} is so already", emptied)

    def add_contact(self, customer_id: str, role: str, given: Mapping[str, Any], by: str) -> Changed:
        """Add a contact whom no record names; written to about every invoice of the customer, until closed."""
        with self._people(customer_id, by) as (people, after):
            kind = _checked(CONTACT["role"].check, "role", role)
            customer = people.customers[customer_id]
            if is_third_party(customer.kind, Role(kind)):
                raise Refused("role", f"{kind} is refused: a private person's debt is told to nobody else")
            facts = {name: _contact_fact(name, value, customer.country) for name, value in given.items()}
            if not facts.get("name"):
                raise Refused("name", "is missing: it is needed")
            key = ContactId(customer_id=customer_id, role=kind, number="1")
            contact = Contact(contact_id=str(key), role=Role(kind), **facts)
            if not can_be_asked(None, contact.email, contact.phone, contact.post):
                raise Refused("email", "is missing: give an e-mail, a phone or a post address")
            added = people.add(customer_id, contact, by)
            after.changes = [ContactChange(contact_id=added.contact_id, what="added")]
        return after.changed("this contact is written to already")

    # Standing --------------------------------------------------------------------------------------------

    def close_contact(self, contact_id: str, reason: str, by: str) -> Changed:
        """Write to this person no more, whatever records say, in none of their roles at this customer.

        The answer names others who are written to at the same e-mail address.
        """
        parse_event("pause", [{"reason": reason, "by": by}])
        customer_id = self._customer_of(contact_id)
        with self._people(customer_id, by) as (people, after):
            people.close(customer_id, contact_id, reason, by)
            gone = [contact_id, *(one.contact.contact_id for one in people.changes if one.contact is not None)]
            now, closing = datetime.now(UTC), link_revocation.CONTACT_CLOSED
            link_revocation.revoke_of_contacts(after.session, customer_id, set(gone), self._principal, closing, now)
            after.changes = [
                ContactChange(contact_id=one, what="closed", reason=reason) for one in dict.fromkeys(gone)
            ]
            closed = [one for one in people.known(customer_id) if one.closed_at is not None]
            others = _others_at(after.session, contact_id, closed)
        return after.changed(f"{contact_id} is closed already", others, names=True)

    def open_contact(self, contact_id: str, by: str) -> Changed:
        """Write to this contact again, also where mail bounced or the number was wrong. STOP stays STOP."""
        customer_id = self._customer_of(contact_id)
        said = []
        with self._people(customer_id, by) as (people, after):
            people.open(customer_id, contact_id, by)
            after.changes = [ContactChange(contact_id=contact_id, what="opened")]
            person = next(one for one in people.known(customer_id) if one.contact_id == contact_id)
            said = _reopened(after.session, person)
            if said:
                people.came.update(after.concerned(people, contact_id))
        return after.changed(f"{contact_id} is open already", said)

    def stop_calls(self, contact_id: str, by: str) -> Changed:
        """Call this contact no more. They are still written to; calls to them go to others, or are called off."""
        return self._calls(contact_id, by, "closed")

    def allow_calls(self, contact_id: str, by: str) -> Changed:
        """Call this contact again, who wanted no more calls and has asked for them now."""
        return self._calls(contact_id, by, "opened")

    def _calls(self, contact_id: str, by: str, what: Literal["closed", "opened"]) -> Changed:
        """Close the contact's numbers to calls, or open them again. Raises Refused for a contact without a number."""
        customer_id, rehearsal = self._customer_of(contact_id), is_rehearsal(contact_id)
        opens = what == "opened"
        act, reason = (addresses.allow_calls, None) if opens else (_stop_calls, NO_CALLS)
        said, otherwise = f"{contact_id} is not called any more", f"{contact_id} had asked for no more calls before"
        if opens:
            said, otherwise = f"{contact_id} may be called again", f"{contact_id} never asked for no more calls"
        with self._people(customer_id, by) as (people, after):
            person = next(one for one in people.known(customer_id) if one.contact_id == contact_id)
            numbers = [(one, person.contact.address(one)) for one in CAPPED_CALLS]
            if not any(number for _, number in numbers):
                raise Refused("contact", "has no phone number: there is nothing to open or close for calls")
            changed = [
                one for one, number in numbers if number and act(after.session, one, number, rehearsal=rehearsal)
            ]
            if changed:
                after.changes = [
                    ContactChange(contact_id=contact_id, what=what, reason=reason, channel=one) for one in changed
                ]
                self._audit(
                    after.session, f"customer/{customer_id}", f"calls_{what}", reason, {"contact": contact_id}
                )
                people.came.update(after.concerned(people, contact_id) if opens else ())
        return after.changed(otherwise, [said] if changed else [])

    # Links -----------------------------------------------------------------------------------------------

    def revoke_links(self, customer_id: str, reason: str, by: str) -> Changed:
        """Revoke every link of a customer. Later messages have links of their own."""
        return self._revoked(customer_id, reason, by, lambda session: links.of_customer(session, customer_id))

    def revoke_links_of(self, contact_id: str, reason: str, by: str) -> Changed:
        """The same for the links of one contact."""
        customer_id = self._customer_of(contact_id)
        return self._revoked(
            customer_id, reason, by, lambda session: links.of_customer(session, customer_id, contact_id)
        )

    def revoke_link(self, link_id: str, reason: str, by: str) -> Changed:
        """The same for one link."""
        with self._deps.database.reading() as session:
            customer_id = link_revocation.find(session, link_id).customer_id
        return self._revoked(customer_id, reason, by, lambda session: [link_revocation.find(session, link_id)])

    def _revoked(
        self, customer_id: str, reason: str, by: str, chosen: Callable[[Session], Sequence[LinkRow]]
    ) -> Changed:
        parse_event("pause", [{"reason": reason, "by": by}])
        with self._transaction(customer_id) as session:
            rows = chosen(session)
            count = link_revocation.revoke(session, rows, self._principal, reason, datetime.now(UTC))
        return Changed((f"{count} link{'' if count == 1 else 's'} of {customer_id} revoked",))

    def link_shown(self, link_id: str) -> str:
        """Return the address of a link again, and note in the audit that somebody asked for it."""
        with self._deps.database.writing() as session:
            row = link_revocation.find(session, link_id)
            return link_revocation.shown_again(session, self._deps.links, row, self._principal, datetime.now(UTC))

    # Rest ------------------------------------------------------------------------------------------------

    def pause(self, customer_id: str, reason: str, by: str, until: str | None = None) -> Changed:
        """Pause a whole customer: all open invoices, and later ones. Payments still count."""
        given = {"reason": reason, "by": by, "until": until, "scope": "customer"}
        with self._deps.database.reading() as session:
            now = cases.time_of_customer(session, customer_id, datetime.now(UTC))
            facts = with_legal_end(given, find_customer(session, customer_id), now)
        event = parse_event("pause", [{name: value for name, value in facts.items() if value is not None}])
        assert isinstance(event, Pause)
        with self._transaction(customer_id) as session:  # a form that was carried out is known here
            if event.until is not None and event.until <= now.date():
                raise Refused("until", "must lie after today")
            before = customer_pauses.get(session, customer_id)
            if before is not None:
                customer_pause.answer(session, before, "the pause of the customer was renewed", now)
            row = customer_pauses.put(
                session, customer_id, reason=event.reason, by=event.by, until=event.until, now=now
            )
            concerned = _open_invoices(session, customer_id)
            first = next(iter(concerned), None)
            case = cases.get(session, first) if first else None
            self._audit(session, f"customer/{customer_id}", "pause", event.reason, {"until": event.until})
            if row.until is None and case is not None:
                customer_pause.ask(session, case, row, self._deps.policy(session, case.policy))
        end = f"until {event.until}" if event.until else f"until starter.py resume --customer {customer_id}"
        said = f"{customer_id} rests {end}: {_counted(concerned)}, and those still to come. Payments still count."
        return Changed((said,), "pause", event.model_dump(mode="json", exclude_none=True), tuple(concerned))

    def resume(self, customer_id: str, by: str) -> Changed:
        """End the pause of the customer. An invoice that was paused by itself stays paused."""
        event = parse_event("resume", [{"by": by, "scope": "customer"}])
        assert isinstance(event, Resume)
        with self._transaction(customer_id) as session:
            before, concerned = customer_pauses.get(session, customer_id), _open_invoices(session, customer_id)
            if before is not None:
                customer_pause.answer(session, before, f"the customer goes on, by {event.by}", datetime.now(UTC))
                customer_pauses.end(session, customer_id)
            # After the database was restored from a copy, the pause may be left in the cases alone.
            elif not any(_rests_as_customer(row) for row in cases.get_rows(session, concerned).values()):
                raise Refused("pause", f"{customer_id} does not rest as a whole")
            self._audit(session, f"customer/{customer_id}", "resume")
        said = f"{customer_id} goes on: {_counted(concerned)}"
        return Changed((said,), "resume", event.model_dump(mode="json"), tuple(concerned))

    # Transactions ----------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self, customer_id: str) -> Iterator[Session]:
        with self._deps.database.writing() as session:
            if is_clean(customer_id):
                accounts.lock(session, [customer_id])
            find_customer(session, customer_id)
            if self._submission is not None:
                self._submission.take(session, datetime.now(UTC))
            yield session

    @contextmanager
    def _people(self, customer_id: str, by: str) -> Iterator[tuple[People, "_After"]]:
        """The people of a customer, to be changed in the block and written after it."""
        parse_event("contacts_changed", [{"by": by}])
        now = datetime.now(UTC)
        with self._transaction(customer_id) as session:
            people, after = People(session, [customer_id], now), _After(session, by)
            yield people, after
            people.save_customers()
            people.save()
            timeline.write_all(session, people.entries)
            after.looking = contact_replacement.follow(session, self._deps, people, now)
            after.invoices = tuple(sorted(people.open_invoices))
            after.said = tuple(map(str, people.changes))
            if people.changes:
                fields = sorted({change.field or change.kind for change in people.changes})
                whom = sorted({change.contact.contact_id for change in people.changes if change.contact})
                about = f"customer/{customer_id}"
                self._audit(session, about, "corrected", None, {"what": fields, "contacts": whom, "by": by})

    def _audit(
        self,
        session: Session,
        about: str,
        action: str,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        audit.append(session, self._principal, about, action, datetime.now(UTC), reason=reason, details=details)

    def _customer_of(self, contact_id: str) -> str:
        with self._deps.database.reading() as session:
            row = session.get(ContactRow, contact_id) if is_clean(contact_id) else None
        if row is None:
            raise Unknown("contact", f"{printable(contact_id)!r} is not known; `starter.py customer` shows the ids")
        return row.customer_id


@dataclass
class _After:
    """What is known once the transaction is over."""

    session: Session
    by: str
    changes: Sequence[ContactChange] = ()
    said: tuple[str, ...] = ()
    invoices: tuple[str, ...] = ()
    looking: Collection[str] = ()

    @property
    def _concerns(self) -> list[str]:
        """One line that names the open invoices whose cases are told; none without such invoices."""
        if not self.invoices:
            return []
        named, more = ", ".join(self.invoices[:_NAMED]), len(self.invoices) - _NAMED
        return [f"the cases are told of: {named}{f' and {more} more' if more > 0 else ''}"]

    def concerned(self, people: People, contact_id: str) -> Collection[str]:
        return [one for one in people.open_invoices if contact_id in people.asked_about(one)]

    def changed(self, otherwise: str, more: Sequence[str] = (), *, names: bool = False) -> Changed:
        """What to answer; `otherwise` when nothing changed. names: with the invoices whose cases are told."""
        said = (*self.said, *more) or (otherwise,)
        said += tuple(self._concerns) if names else ()
        content = ContactsChanged(by=self.by, changes=tuple(self.changes)).model_dump(mode="json", exclude_none=True)
        return Changed(said, content=content, invoices=self.invoices, looking=self.looking)


def _others_at(session: Session, contact_id: str, closed: Sequence[Person]) -> list[str]:
    """One line for each other contact, of whatever customer, that is written to at this contact's e-mail address."""
    contact = next(one.contact for one in closed if one.contact_id == contact_id)
    rows = provider_events.contacts_at(session, Channel.EMAIL, contact.email) if contact.email else []
    gone, rehearsal = {one.contact_id for one in closed}, is_rehearsal(contact_id)
    return [
        f"{row.contact_id} is still written to at the same address: starter.py contact close {row.contact_id}"
        for row in rows
        if row.contact_id not in gone
        and row.closed_at is None
        and row.retired_at is None
        and is_rehearsal(row.contact_id) == rehearsal
    ]


def _stop_calls(session: Session, channel: Channel, address: str, *, rehearsal: bool = False) -> bool:
    """Close a number to calls. False when its owner wanted no more of them before."""
    if addresses.why_closed(session, channel, address, rehearsal=rehearsal) == NO_CALLS:
        return False
    addresses.close(session, channel, address, NO_CALLS, datetime.now(UTC), rehearsal=rehearsal)
    return True


def _rests_as_customer(row: CaseRow) -> bool:
    return Case.model_validate(row.state).agreements.customer_pause is not None


def _open_invoices(session: Session, customer_id: str) -> list[str]:
    return [row.invoice_id for row in contacts.open_invoices(session, [customer_id])]


def _counted(found: Sequence[str]) -> str:
    return f"{len(found)} open invoice{'' if len(found) == 1 else 's'}"


def _reopened(session: Session, person: Person) -> list[str]:
    """Open what a bounce or a wrong number closed. Says what stays closed."""
    said = []
    for channel in CLOSABLE:
        address = person.contact.address(channel)
        reason = addresses.lift(session, channel, address) if address else None
        if reason is None:
            continue
        if reason in BY_OWNER:
            said.append(
                f"{person.contact_id}: {channel.value} stays closed, because its owner {_SAID_BY_OWNER[reason]}"
            )
            continue
        said.append(f"{person.contact_id}: {channel.value} is open again (it was closed: {reason})")
    return said


def _customer_fact(name: str, value: Any) -> str:
    if name not in CUSTOMER_FIELDS:
        raise Refused(name, f"is no field here: use one of {', '.join(CUSTOMER_FIELDS)}")
    checked: str = _checked(CUSTOMER[name].check, name, value)
    return checked


def _contact_fact(name: str, value: Any, country: str) -> str | None:
    if name not in CONTACT_FIELDS:
        raise Refused(name, f"is no field here: use one of {', '.join(CONTACT_FIELDS)}")
    if name != "name" and isinstance(value, str) and not value.strip():
        return None
    depends = {"region": country} if name == "phone" else {}
    checked: str = _checked(CONTACT[name].check, name, value, **depends)
    return checked


def _checked(check: Any, name: str, value: Any, **depends: Any) -> Any:
    try:
        return check(value, **depends)
    except InvalidValue as error:
        raise Refused(name, str(error)) from None


def _contact_of(people: People, customer_id: str, contact_id: str) -> Contact:
    return next(one.contact for one in people.known(customer_id) if one.contact_id == contact_id)


def _without_address(people: Sequence[Person], contact_id: str) -> list[str]:
    """Say that a contact has no address any more, and whether anybody else can be reached."""
    reached = {one.contact_id for one in people if one.reachable}
    if contact_id in reached:
        return []
    said = [f"{contact_id} has no address any more: nothing can be sent to them, and nobody calls them"]
    return said if reached else [*said, "nobody of this customer can be reached: a task asks for an address"]


def _check_seen(known: Customer | Contact, facts: Mapping[str, str | None], seen: Mapping[str, str] | None) -> None:
    """Raise ChangedMeanwhile when a fact to be corrected has neither the value that was seen nor the new one."""
    now = {name: str(getattr(known, name) or "") for name in facts}
    changed = {
        name: now[name]
        for name, value in facts.items()
        if seen is not None and name in seen and now[name] not in {seen[name], value or ""}
    }
    if changed:
        raise ChangedMeanwhile(changed)


def _some(facts: Mapping[str, Any], known: Sequence[str]) -> None:
    if not facts:
        raise Refused("message", f"changes nothing: give one of {', '.join(known)}")

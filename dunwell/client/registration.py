"""Registers invoices: checks their policies, keeps them, and prepares the start of their cases."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.clock import Clock
from dunwell.domain.invoice import UNDETERMINED, Customer, Invoice, for_rehearsal, is_rehearsal
from dunwell.domain.people import Person
from dunwell.domain.people_change import Change
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.refusal import Refused
from dunwell.intake.default_language import languages_for, missing
from dunwell.intake.invoice_documents import read
from dunwell.intake.invoices import NOBODY, can_be_asked
from dunwell.intake.policy_files import DEFAULT_LADDER
from dunwell.intake.refusals import InvalidValue
from dunwell.services import contact_replacement
from dunwell.services.dependencies import Dependencies
from dunwell.services.opening import Opener, Opening
from dunwell.services.people import People
from dunwell.store import accounts, audit, cases, contacts, invoice_documents, invoices, policies, timeline
from dunwell.store.tables import CaseRow, InvoiceRow
from workflows.messages import CaseStart

T = TypeVar("T")
U = TypeVar("U")

_AT_ONCE = 500
"""Invoices that one query looks up: a database takes no more than some thousand ids."""


@dataclass(frozen=True)
class Registered:
    """An invoice in the database. `start` is None when its case has ended already.

    changes  what its record, or one registered with it, changed about the customer and their people
    tell     running cases that have to look for another contact: send them `contacts_changed`
    """

    invoice: Invoice
    opening: Opening
    start: CaseStart | None
    changes: tuple[Change, ...] = ()
    tell: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Checked:
    """An invoice that may be kept, with its ladder and its PDF."""

    invoice: Invoice
    policy: Policy
    document: bytes | None

    @property
    def invoice_id(self) -> str:
        return self.invoice.invoice_id

    @property
    def customer(self) -> Customer:
        return self.invoice.customer


class Registrar:
    def __init__(self, deps: Dependencies, ladders: Mapping[str, Policy]) -> None:
        self._deps = deps
        self._ladders = ladders
        self._opener = Opener(deps)
        self._kept = set[str]()  # ladders that this registrar has seen in the database

    def register(self, invoice: Invoice, now: datetime, clock: Clock | None = None) -> Registered:
        """Keep the invoice and open its case. Safe to repeat; the same invoice is kept once.

        Raises Refused when the ladder is unknown or changed, or the invoice differs from what is known.
        """
        (found,) = self.register_all([invoice], now, clock)
        if isinstance(found, Refused):
            raise found
        return found

    def register_all(
        self,
        found: Sequence[Invoice],
        now: datetime,
        clock: Clock | None = None,
        principal: Principal = SYSTEM,
    ) -> list[Registered | Refused]:
        """The same for many in one transaction: what became of each, in their order.

        Nothing of a refused one is kept, and it harms no other.
        """
        clock = clock or Clock()
        checked = _each(found, lambda invoice: self._checked(invoice, rehearsal=clock.rehearsal))
        try:
            return self._keep(checked, now, clock, principal)
        except (DataError, IntegrityError) as error:
            if len(found) > 1:  # the database does not tell whose fault it is: each alone
                return [one for invoice in found for one in self.register_all([invoice], now, clock, principal)]
            said = (str(error.orig).splitlines() or [""])[0][:200]
            return [Refused("record", f"the database does not take it ({said})")]

    def ladder(self, invoice: Invoice) -> Policy:
        """The ladder an invoice asks for, else the default one.

        Raises Refused for a ladder that is unknown or has no step of a name under `reminded`.
        """
        name = invoice.policy or DEFAULT_LADDER
        if name not in self._ladders:
            raise Refused("policy", f"{name!r} is not a ladder; known are {', '.join(sorted(self._ladders))}")
        _check_steps(invoice, self._ladders[name])
        return self._ladders[name]

    def language(self, invoice: Invoice) -> str:
        """The language of messages about an invoice: as its record says or as known, else by the country."""
        given = invoice.customer
        if given.language != UNDETERMINED:
            return given.language
        with self._deps.database.reading() as session:
            known = invoices.find_customers(session, [given.customer_id]).get(given.customer_id)
        spoken = self._deps.catalogue.spoken
        return known.language if known else spoken(*languages_for(given), self.ladder(invoice).language)

    def other_language(self, invoice: Invoice) -> str | None:
        """What to tell people when no messages are in the customer's language; None where there are."""
        return missing(invoice.customer, self.ladder(invoice).language, self._deps.catalogue.spoken)

    def refused_beforehand(self, session: Session, found: Sequence[Invoice]) -> dict[str, Refused]:
        """Return why some of these would be refused if they were registered now, by invoice id. Changes nothing."""
        unasked, refused = without_people(session, found), dict[str, Refused]()
        for some in _in_chunks(found):
            ids = [one.invoice_id for one in some]
            rows, opened = invoices.get_rows(session, ids), cases.get_rows(session, ids)
            for invoice in some:
                try:
                    _check_known(self._possible(invoice, rehearsal=False), rows, opened, rehearsal=False)
                    if invoice.invoice_id in unasked:
                        raise nobody_to_ask()
                except Refused as error:
                    refused[invoice.invoice_id] = error
        return refused

    # What the file alone decides -------------------------------------------------------------------------

    def _checked(self, invoice: Invoice, *, rehearsal: bool) -> _Checked:
        one = self._possible(invoice, rehearsal=rehearsal)
        self._keep_ladder(one.policy)
        return one

    def _possible(self, invoice: Invoice, *, rehearsal: bool) -> _Checked:
        if rehearsal:
            invoice = for_rehearsal(invoice)
        elif is_rehearsal(invoice.customer.customer_id):
            raise Refused("customer.id", "begins as only the customers of rehearsals do; choose another id")
        return _Checked(invoice, self.ladder(invoice), _document(invoice))

    def _keep_ladder(self, policy: Policy) -> None:
        if policy.name in self._kept:
            return
        with self._deps.database.writing() as session:
            try:
                policies.register(session, policy)
            except policies.PolicyChanged as error:
                raise Refused("policy", str(error)) from None
        self._kept.add(policy.name)

    # What the database adds ------------------------------------------------------------------------------

    def _keep(
        self, found: Sequence[_Checked | Refused], now: datetime, clock: Clock, principal: Principal
    ) -> list[Registered | Refused]:
        with self._deps.database.writing() as session:
            customer_ids = {one.customer.customer_id for one in _good(found)}
            accounts.lock(session, customer_ids)
            ids = [one.invoice_id for one in _good(found)]
            rows, opened = invoices.get_rows(session, ids), cases.get_rows(session, ids)
            found = _each(found, lambda one: _check_known(one, rows, opened, rehearsal=clock.rehearsal))
            people = People(session, customer_ids, now)
            found = _each(found, lambda one: self._taken(people, one, known=one.invoice_id in rows))
            kept = self._write(session, people, _good(found), rows)
            openings = self._opener.open_all(
                session,
                invoices.get_rows(session, kept).values(),
                {one.customer.customer_id: one.customer for one in kept.values()},
                now,
                clock.rehearsal,
            )
            timeline.write_all(session, people.entries)
            _audit(session, principal, [kept[one] for one in kept if one not in rows], people.changes)
            tell = contact_replacement.follow(session, self._deps, people, now)
        answers = _each(found, lambda one: _registered(kept[one.invoice_id], openings[one.invoice_id], clock))
        return _with_changes(answers, people, tell)

    def _taken(self, people: People, one: _Checked, *, known: bool) -> _Checked:
        """With the customer and their people as they are by this record. Raises Refused when nobody can be asked."""
        customer = one.customer
        if customer.language == UNDETERMINED and customer.customer_id not in people.customers:
            spoken = self._deps.catalogue.spoken(*languages_for(customer), one.policy.language)
            customer = customer.model_copy(update={"language": spoken})
        if not known and not _somebody_to_ask(one.invoice, people.known(customer.customer_id)):
            raise nobody_to_ask()
        given = one.invoice.model_copy(update={"customer": customer})
        return replace(one, invoice=people.take(given, known=known))

    def _write(
        self, session: Session, people: People, found: Sequence[_Checked], rows: Mapping[str, InvoiceRow]
    ) -> dict[str, Invoice]:
        """The invoices as they are kept, by id."""
        people.save_customers()
        new = [one for one in found if one.invoice_id not in rows]
        invoices.add_invoices(session, ((one.invoice, _ref(one.policy)) for one in new))
        self._renew_terms(session, people, found, rows)
        people.save()
        for one in found:
            if one.document and one.invoice.document:
                invoice_documents.put(session, one.invoice_id, one.invoice.document.name, one.document)
        return {one.invoice_id: one.invoice for one in found}

    def _renew_terms(
        self, session: Session, people: People, found: Sequence[_Checked], rows: Mapping[str, InvoiceRow]
    ) -> None:
        """What a newer record says about the claim counts from now on, and stands in the timeline."""
        for one in found:
            row = rows.get(one.invoice_id)
            if row is not None:
                people.note_terms(one.invoice, invoices.renew_terms(row, one.invoice))
        session.flush()


def _audit(session: Session, principal: Principal, new: Sequence[Invoice], changes: Sequence[Change]) -> None:
    """Write who brought the new invoices, and what their record changed about known customers."""
    now = datetime.now(UTC)
    made = {f"invoice/{one.invoice_id}": {"customer": one.customer.customer_id} for one in new}
    audit.append_firsts(session, principal, made, "registered", now)
    changed: dict[str, set[str]] = {}
    for change in changes:
        changed.setdefault(change.customer_id, set()).add(change.field or change.kind)
    for customer_id in sorted(changed):
        details = {"what": sorted(changed[customer_id])}
        audit.append(session, principal, f"customer/{customer_id}", "record_taken", now, details=details)


def _each(found: Iterable[T | Refused], step: Callable[[T], U]) -> list[U | Refused]:
    """What `step` makes of each that is not refused yet; it may refuse some more."""

    def tried(one: T) -> U | Refused:
        try:
            return step(one)
        except Refused as refused:
            return refused

    return [one if isinstance(one, Refused) else tried(one) for one in found]


def _good(found: Iterable[T | Refused]) -> list[T]:
    return [one for one in found if not isinstance(one, Refused)]


def _document(invoice: Invoice) -> bytes | None:
    try:
        return read(invoice.document) if invoice.document else None
    except InvalidValue as error:
        raise Refused("document", str(error)) from None


def _check_steps(invoice: Invoice, policy: Policy) -> None:
    """Raises Refused when the file names a step that its ladder does not have."""
    steps = [step.id for step in policy.steps]
    for one in invoice.history.reminded:
        if one.step not in steps:
            raise Refused(
                "reminded", f"{one.step!r} is no step of the ladder {policy.name}; it has {', '.join(steps)}"
            )


def _check_known(
    one: _Checked, rows: Mapping[str, InvoiceRow], opened: Mapping[str, CaseRow], *, rehearsal: bool
) -> _Checked:
    row, case = rows.get(one.invoice_id), opened.get(one.invoice_id)
    if case is not None and case.rehearsal != rehearsal:
        raise Refused("invoice_id", _REHEARSED if case.rehearsal else _NOT_REHEARSED)
    if row is not None:
        _check_unchanged(one, row, Case.model_validate(case.state) if case else None)
    return one


_REHEARSED = "is known as a rehearsal, which keeps its id: give the invoice another id, such as ID-1"
_NOT_REHEARSED = "is known as a real case; give the rehearsal ids of its own, by --id-prefix trial-"

_AMENDS = {"amount": "--amount", "due_on": "--due-on"}


def _check_unchanged(one: _Checked, row: InvoiceRow, case: Case | None) -> None:
    """Raises Refused when the file says something else than the case, with both values and what to do."""
    changed = invoices.differences(row, case, one.invoice)
    if not changed:
        return
    said = ", ".join(
        f"{name} is {known} in the case and {given} in the file" for name, (known, given) in changed.items()
    )
    if _AMENDS.keys() >= changed.keys():
        options = " ".join(f"{_AMENDS[name]} {given}" for name, (_, given) in changed.items())
        advice = f"if the file is right: starter.py amend {one.invoice_id} {options}"
    else:
        advice = "these cannot be amended: cancel the case, and give the new invoice an id of its own"
    raise Refused(next(iter(changed)), f"{said}; {advice}")


def without_people(session: Session | None, found: Sequence[Invoice]) -> set[str]:
    """Return the ids of those new invoices that are refused because nobody can be asked about them.

    session: None where there is no database, and no customer is known
    """
    unasked, met = set[str](), set[str]()  # met: customers of whom a record before has named somebody
    for some in _in_chunks(found):
        silent = [one for one in some if not one.customer.contacts]  # their records name nobody of the customer
        rows: Collection[str] = ()
        people: Mapping[str, Sequence[Person]] = {}
        if session is not None and silent:
            rows = invoices.get_rows(session, [one.invoice_id for one in silent])
            people = contacts.people(session, {one.customer.customer_id for one in silent})
        for invoice in some:
            customer_id = invoice.customer.customer_id
            if invoice.customer.contacts:
                met.add(customer_id)
                continue
            new = invoice.invoice_id not in rows and customer_id not in met
            if new and not _somebody_to_ask(invoice, people.get(customer_id, ())):
                unasked.add(invoice.invoice_id)
    return unasked


def known_cases(session: Session, found: Sequence[Invoice]) -> dict[str, Case]:
    """Return the cases that these invoices have already, by invoice id."""
    rows = {
        invoice_id: row
        for some in _in_chunks(found)
        for invoice_id, row in cases.get_rows(session, [one.invoice_id for one in some]).items()
    }
    return {invoice_id: Case.model_validate(row.state) for invoice_id, row in rows.items()}


def _in_chunks(found: Sequence[Invoice]) -> Iterator[Sequence[Invoice]]:
    """Yield the invoices, as many at a time as are looked up by one query."""
    for begin in range(0, len(found), _AT_ONCE):
        yield found[begin : begin + _AT_ONCE]


def nobody_to_ask() -> Refused:
    return Refused("customer.contacts", NOBODY)


def _somebody_to_ask(invoice: Invoice, known: Sequence[Person]) -> bool:
    """Whether somebody can be asked about a new invoice: of its own, or of the customer as known."""
    if invoice.customer.contacts:
        return True  # the reader of the file has looked
    of_customer = [] if invoice.names_contacts else [one.contact for one in known if one.open and one.shared]
    named = [*(invoice.contacts or ()), *of_customer]
    return any(can_be_asked(one.role, one.email, one.phone, one.post) for one in named)


def _with_changes(
    found: list[Registered | Refused], people: People, tell: Sequence[str]
) -> list[Registered | Refused]:
    """The answers, the first of each customer's with what became different about the customer."""
    changes: dict[str, list[Change]] = {}
    for change in (*people.changes, *people.turnover()):
        changes.setdefault(change.customer_id, []).append(change)
    waiting = {invoice_id: people.open_invoices[invoice_id] for invoice_id in tell}
    answers: list[Registered | Refused] = []
    for one in found:
        if isinstance(one, Refused):
            answers.append(one)
            continue
        customer_id = one.opening.case.customer_id
        concerned = tuple(invoice_id for invoice_id, owner in waiting.items() if owner == customer_id)
        waiting = {name: owner for name, owner in waiting.items() if name not in concerned}
        answers.append(replace(one, changes=tuple(changes.pop(customer_id, ())), tell=concerned))
    return answers


def _registered(invoice: Invoice, opening: Opening, clock: Clock) -> Registered:
    ended = opening.case.finished
    start = None if ended else CaseStart(invoice_id=invoice.invoice_id, clock=clock, opening=opening)
    return Registered(invoice, opening, start)


def _ref(policy: Policy) -> PolicyRef:
    return PolicyRef(name=policy.name, version=policy.version)

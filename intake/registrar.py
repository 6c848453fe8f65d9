"""Takes an invoice into the house: checks its ladder, keeps it, and prepares the start of its case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from activities.desk import Desk
from activities.planning import Opening, Planning
from domain.clock import Clock
from domain.invoice import UNDETERMINED, Invoice, for_rehearsal, is_rehearsal
from domain.policy import Policy
from domain.refusal import Refused
from intake.documents import read
from intake.ladders import DEFAULT_LADDER
from intake.languages import spoken_in
from intake.refusals import Unfit
from store import cases, documents, invoices, policies
from store.tables import InvoiceRow
from workflows.messages import CaseStart


@dataclass(frozen=True)
class Registered:
    """An invoice in the database. `start` is None when its case has ended already."""

    invoice: Invoice
    opening: Opening
    start: CaseStart | None


class Registrar:
    def __init__(self, desk: Desk, ladders: Mapping[str, Policy]) -> None:
        self._desk = desk
        self._ladders = ladders
        self._planning = Planning(desk)
        self._kept = set[str]()  # ladders that this registrar has seen in the database

    def register(self, invoice: Invoice, now: datetime, clock: Clock | None = None) -> Registered:
        """Keep the invoice and open its case. Safe to repeat; the same invoice is kept once.

        Raises Refused when the ladder is unknown or changed, or the invoice differs from what is known.
        """
        clock = clock or Clock()
        if clock.rehearsal:
            invoice = for_rehearsal(invoice)
        elif is_rehearsal(invoice.customer.customer_id):
            raise Refused("customer.id", "begins as only the customers of rehearsals do; choose another id")
        policy, document = self.ladder(invoice), _document(invoice)
        customer_id = invoice.customer.customer_id
        with self._desk.database.writing() as session:
            if policy.name not in self._kept:
                _keep(session, policy)
            invoice = self._with_language(session, invoice, policy)
            invoices.put_customer(session, invoice.customer)
        self._kept.add(policy.name)
        with self._desk.database.writing(customer_id) as session:
            known = cases.get_row(session, invoice.invoice_id)
            if known is not None and known.rehearsal != clock.rehearsal:
                kind = "a rehearsal" if known.rehearsal else "a real case"
                raise Refused("invoice_id", f"is known as {kind}; a rehearsal needs invoice ids of its own")
            row = invoices.get_row(session, invoice.invoice_id)
            if row is None:
                invoices.add_invoice(session, invoice, policy.name, policy.version)
            else:
                _check_same(row, invoice)
            if invoice.document and document:
                documents.put(session, invoice.invoice_id, invoice.document.name, document)
            opening = self._planning.open_in(session, invoice.invoice_id, invoice.number, now, clock.rehearsal)
        ended = opening.case.finished
        start = None if ended else CaseStart(invoice_id=invoice.invoice_id, clock=clock, opening=opening)
        return Registered(invoice, opening, start)

    def _with_language(self, session: Session, invoice: Invoice, policy: Policy) -> Invoice:
        """What a customer speaks of whom nobody said so: as known from before, else by country, else by ladder."""
        customer = invoice.customer
        if customer.language != UNDETERMINED:
            return invoice
        known = invoices.find_customer(session, customer.customer_id)
        language = (
            known.language if known else self._desk.catalogue.spoken(*spoken_in(customer.country), policy.language)
        )
        return invoice.model_copy(update={"customer": customer.model_copy(update={"language": language})})

    def ladder(self, invoice: Invoice) -> Policy:
        """The ladder an invoice asks for, else the default one."""
        name = invoice.policy or DEFAULT_LADDER
        if name not in self._ladders:
            raise Refused("policy", f"{name!r} is not a ladder; known are {', '.join(sorted(self._ladders))}")
        return self._ladders[name]


def _document(invoice: Invoice) -> bytes | None:
    try:
        return read(invoice.document) if invoice.document else None
    except Unfit as error:
        raise Refused("document", str(error)) from None


def _keep(session: Session, policy: Policy) -> None:
    try:
        policies.register(session, policy)
    except policies.PolicyChanged as error:
        raise Refused("policy", str(error)) from None


def _check_same(row: InvoiceRow, invoice: Invoice) -> None:
    changed = invoices.differences(row, invoice)
    if changed:
        raise Refused(changed[0], "differs from the running case: use starter.py amend to change it")

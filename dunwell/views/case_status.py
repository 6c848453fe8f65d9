"""The status of a case as the database has it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.contact_labels import with_names
from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.store import cases, invoices, standstills, timeline
from dunwell.store.database import Database
from dunwell.store.tables import ContactRow
from dunwell.views.claim import claim_or_reason
from dunwell.views.credit import credit_beside
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice
from workflows.status import Line, Status, lines_of, status_of


def case_facts(session: Session, status: Status, seller: str | None) -> Facts:
    """A status as JSON, with what the case itself does not know. seller: the setting SENDER_COUNTRY.

    number, customer_id, customer  of the invoice; None of one that is not registered yet
    standstill                     what holds every message and consequence back; None when they leave
    credits_beside                 the credit on the customer's other invoices
    claim, no_claim                what may be claimed today, or why that is not known
    """
    row, stands = invoices.get_row(session, status.invoice_id), standstills.in_force(session)
    return status.model_dump(mode="json") | {
        "standstill": stands.model_dump(mode="json") if stands else None,
        "credits_beside": credit_beside(session, row) if row else [],
        **(claim_or_reason(session, status.invoice_id, seller) if row else {"claim": None, "no_claim": None}),
        "number": row.number if row else None,
        "customer_id": row.customer_id if row else None,
        "customer": invoices.customer_row(session, row.customer_id).name if row else None,
    }


def with_written(database: Database, status: Status) -> Status:
    """`status` with what the database has beyond it: names, and what a webhook wrote before the case next wakes."""
    with database.reading() as session:
        written = [entry for _, entry in timeline.read(session, status.invoice_id)]
        row = invoices.get_row(session, status.invoice_id)
        customer_id = row.customer_id if row else ""
        names = _names(session, customer_id)
        stored = cases.get(session, status.invoice_id) if status.credit else None
    if stored is not None:
        # Where credit went, the case learns with its next answer from the database.
        status = status.model_copy(update={"credit": stored.credit})
    in_roles = lines_of(written, customer_id)
    named = [_named(entry, line, customer_id, names) for entry, line in zip(_by_time(written), in_roles, strict=True)]
    lines = [*named, *(Counter(status.timeline) - Counter(in_roles) - Counter(named)).elements()]
    return status.model_copy(update={"timeline": sorted(lines, key=lambda line: line.at)})


def stored_status(database: Database, invoice_id: str) -> Status:
    """The status by the database's copy of the case. Raises Refused when there is none."""
    with database.reading() as session:
        find_invoice(session, invoice_id)
        case = cases.get(session, invoice_id)
        entries = [entry for _, entry in timeline.read(session, invoice_id)]
        names = _names(session, case.customer_id) if case else {}
    if case is None:
        raise Refused("invoice", f"{invoice_id!r} is registered, but its case was never opened: start its file again")
    status = status_of(case, entries)
    named = [
        _named(entry, line, case.customer_id, names)
        for entry, line in zip(_by_time(entries), status.timeline, strict=True)
    ]
    return status.model_copy(update={"timeline": named})


def named_reasons(session: Session, customer_id: str, reason: str) -> str:
    """A reason as people read it outside of the engine, with the names of the customer's people."""
    return with_names(reason, customer_id, _names(session, customer_id))


def _names(session: Session, customer_id: str) -> dict[str, str]:
    people = select(ContactRow.contact_id, ContactRow.name).where(ContactRow.customer_id == customer_id)
    return {row.contact_id: row.name for row in session.execute(people)}


def _by_time(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.at)


def _named(entry: Entry, line: Line, customer_id: str, names: Mapping[str, str]) -> Line:
    return line.model_copy(update={"reason": with_names(entry.reason, customer_id, names)})

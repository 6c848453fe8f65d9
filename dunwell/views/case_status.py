"""What the database knows of a case without asking it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.contact_labels import with_names
from dunwell.domain.refusal import Refused
from dunwell.domain.spelling import same_numbers
from dunwell.domain.timeline import Entry
from dunwell.store import cases, invoices, timeline
from dunwell.store.database import Database
from dunwell.store.tables import ContactRow, InvoiceRow
from workflows.messages import Line, Status, lines_of, status_of

_NEIGHBOURS = 5_000  # ids looked through for the one that was meant


def check_known(session: Session, invoice_id: str) -> InvoiceRow:
    """Raises Refused for an invoice that nobody registered, naming those that may have been meant."""
    known = invoices.get_row(session, invoice_id)
    if known is not None:
        return known
    near = _neighbours(session, invoice_id)
    advice = f"did you mean {', '.join(near)}?" if near else "`starter.py list` shows those that are"
    raise Refused("invoice", f"{invoice_id[:60]!r} is not registered; {advice}")


def _neighbours(session: Session, wanted: str) -> list[str]:
    ids = select(InvoiceRow.invoice_id)
    numbered = session.scalars(ids.where(InvoiceRow.number == wanted).limit(3)).all()
    if numbered:
        return list(numbered)
    known = {name.lower(): name for name in session.scalars(ids.order_by(InvoiceRow.invoice_id).limit(_NEIGHBOURS))}
    near = get_close_matches(wanted[:60].lower(), known, n=9, cutoff=0.75)
    # Another number is another invoice: to propose it would send money there.
    return [known[name] for name in near if same_numbers(name, wanted)][:3]


def about(session: Session, invoice_id: str) -> dict[str, str | None]:
    """The invoice's number and its customer, which no engine may know; None of one that is not registered yet."""
    row = invoices.get_row(session, invoice_id)
    if row is None:
        return dict.fromkeys(("number", "customer_id", "customer"))
    customer = invoices.customer_row(session, row.customer_id)
    return {"number": row.number, "customer_id": row.customer_id, "customer": customer.name}


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
        check_known(session, invoice_id)
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

"""What the database knows of a case without asking it."""

from collections import Counter
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.refusal import Refused
from domain.spelling import same_numbers
from store import cases, invoices, timeline
from store.database import Database
from store.tables import InvoiceRow
from workflows.messages import Status, lines_of, status_of

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


def with_written(database: Database, status: Status) -> Status:
    """`status` with what the database has beyond it: what a webhook wrote shows before the case next wakes."""
    with database.reading() as session:
        written = [entry for _, entry in timeline.read(session, status.invoice_id)]
        stored = cases.get(session, status.invoice_id) if status.credit else None
    if stored is not None:
        # Where credit went, the case learns with its next answer from the database.
        status = status.model_copy(update={"credit": stored.credit})
    told = Counter(status.timeline)
    lines = [*status.timeline, *((Counter(lines_of(written)) - told).elements())]
    return status.model_copy(update={"timeline": sorted(lines, key=lambda line: line.at)})


def stored_status(database: Database, invoice_id: str) -> Status:
    """The status by the database's copy of the case. Raises Refused when there is none."""
    with database.reading() as session:
        check_known(session, invoice_id)
        case = cases.get(session, invoice_id)
        entries = [entry for _, entry in timeline.read(session, invoice_id)]
    if case is None:
        raise Refused("invoice", f"{invoice_id!r} is registered, but its case was never opened: start its file again")
    return status_of(case, entries)

"""Free words that people of ours or of the customer wrote about invoices of one customer."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from dunwell.store import notes
from dunwell.views.facts import Facts
from dunwell.views.names import Names


def notes_about(session: Session, customer_id: str, invoice_ids: Collection[str]) -> dict[str, Facts]:
    """Return the notes of these invoices by id, oldest first, each with the name of who wrote it."""
    names = Names(session, customer_id)
    return {
        row.note_id: {
            "invoice_id": row.invoice_id,
            "author": names.within(row.author),
            "text": row.text,
            "at": row.at,
        }
        for row in notes.of_invoices(session, invoice_ids)
    }

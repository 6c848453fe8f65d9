"""The invoices that travel with a mail that asks for them to be paid."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from activities.job import Job
from gateways.base import Attachment
from store import documents, invoices

_MOST_BYTES = 10 * 1024 * 1024  # in all: beyond that mailboxes begin to refuse
_PDF = "application/pdf"


@dataclass(frozen=True)
class Enclosure:
    """A document and the number of its invoice."""

    number: str
    file: Attachment


def find(session: Session, jobs: Sequence[Job]) -> tuple[Enclosure, ...]:
    """The documents of these jobs' invoices, in their order, as far as they fit into one mail."""
    found, room = list[Enclosure](), _MOST_BYTES
    for job in jobs:
        invoice, document = (
            invoices.get_row(session, job.case.invoice_id),
            documents.get(session, job.case.invoice_id),
        )
        if invoice is None or document is None or len(document.content) > room:
            continue
        room -= len(document.content)
        found.append(Enclosure(invoice.number, Attachment(document.name, _PDF, document.content)))
    return tuple(found)

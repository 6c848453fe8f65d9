"""The PDFs of the invoices that an e-mail asks to be paid, as its attachments."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count

from sqlalchemy.orm import Session

from dunwell.gateways.base import Attachment
from dunwell.services.dispatch import Dispatch
from dunwell.store import invoice_documents, invoices

_MOST_BYTES = 10 * 1024 * 1024  # in all: beyond that mailboxes begin to refuse
_PDF = "application/pdf"


@dataclass(frozen=True)
class Enclosure:
    """A document and the number of its invoice."""

    number: str
    file: Attachment


def find(session: Session, jobs: Sequence[Dispatch]) -> tuple[Enclosure, ...]:
    """The documents of these jobs' invoices, in their order, as far as they fit into one mail."""
    found, room = list[Enclosure](), _MOST_BYTES
    for dispatch in jobs:
        invoice, document = (
            invoices.get_row(session, dispatch.case.invoice_id),
            invoice_documents.get(session, dispatch.case.invoice_id),
        )
        if invoice is None or document is None or len(document.content) > room:
            continue
        room -= len(document.content)
        name = _file_name(invoice.number, [one.file.name for one in found])
        found.append(Enclosure(invoice.number, Attachment(name, _PDF, document.content)))
    return tuple(found)


def _file_name(number: str, taken: Collection[str]) -> str:
    """A generated name: the original file name may have a wrong suffix, or hold internal or personal data."""
    plain = re.sub("[^A-Za-z0-9]+", "-", number).strip("-")[:80] or "invoice"
    names = (f"{plain}{f'-{n}' if n else ''}.pdf" for n in count())
    return next(name for name in names if name not in taken)

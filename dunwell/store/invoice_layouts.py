"""What the columns of invoice files hold, by the digest of their header."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.invoice_layout import InvoiceLayout
from dunwell.domain.principals import Principal
from dunwell.store import audit
from dunwell.store.tables import InvoiceLayoutRow

_SHOWN = 20  # of a digest, in the audit


@dataclass(frozen=True)
class Remembered:
    """A layout with who said it, and when."""

    layout: InvoiceLayout
    by: str
    at: datetime


def find(session: Session, header: str) -> Remembered | None:
    """Return what was said last of files with this header; None when nothing was."""
    row = session.get(InvoiceLayoutRow, header)
    return None if row is None else Remembered(InvoiceLayout.model_validate(row.body), row.by, row.at)


def put(session: Session, header: str, layout: InvoiceLayout, principal: Principal, now: datetime) -> None:
    """Keep what somebody says of files with this header, in place of what was said before."""
    known = find(session, header)
    if layout == (known.layout if known else InvoiceLayout()):
        return
    body = layout.model_dump(mode="json")
    session.merge(InvoiceLayoutRow(header=header, body=body, by=principal.label, at=now))
    audit.append(session, principal, f"invoice-layout/{header[:_SHOWN]}", "set", now, details=body)

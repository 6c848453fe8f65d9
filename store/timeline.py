"""The timeline of each case. Call inside a transaction that holds the customer's lock."""

import re
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.timeline import Entry
from store.tables import TimelineRow

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What a sender may have slipped into a name; PostgreSQL refuses to keep some of it."""


def write(session: Session, invoice_id: str, entries: Iterable[Entry]) -> None:
    """Add what is new; an entry whose key is known stays as it was first written."""
    wanted = list(entries)
    if not wanted:
        return
    keys = [entry.key for entry in wanted]
    known = set(
        session.scalars(
            select(TimelineRow.key).where(TimelineRow.invoice_id == invoice_id, TimelineRow.key.in_(keys))
        )
    )
    last = session.scalar(select(func.max(TimelineRow.seq)).where(TimelineRow.invoice_id == invoice_id)) or 0
    for entry in wanted:
        if entry.key not in known:
            known.add(entry.key)
            last += 1
            facts = entry.model_dump() | {"reason": _UNPRINTABLE.sub("?", entry.reason)}
            session.add(TimelineRow(invoice_id=invoice_id, seq=last, **facts))
    session.flush()


def read(session: Session, invoice_id: str, after: int = 0) -> list[tuple[int, Entry]]:
    """The entries written after number `after`, oldest first, each with its number."""
    rows = session.scalars(
        select(TimelineRow)
        .where(TimelineRow.invoice_id == invoice_id, TimelineRow.seq > after)
        .order_by(TimelineRow.seq)
    )
    return [
        (
            row.seq,
            Entry(
                key=row.key,
                at=row.at,
                kind=row.kind,
                reason=row.reason,
                step=row.step,
                channel=row.channel,
                ref=row.ref,
            ),
        )
        for row in rows
    ]

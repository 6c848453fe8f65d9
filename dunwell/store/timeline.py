"""The timeline of each case. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session, aliased

from dunwell.domain.cleaning import clean
from dunwell.domain.timeline import Entry
from dunwell.store.bulk_rows import add_all
from dunwell.store.tables import TimelineRow

_OURS = TimelineRow.invoice_id.in_(bindparam("invoice_ids", expanding=True))
_SAME = aliased(TimelineRow)
_LAST = select(func.max(_SAME.seq)).where(_SAME.invoice_id == TimelineRow.invoice_id).scalar_subquery()
_KNOWN = select(TimelineRow.invoice_id, TimelineRow.key, TimelineRow.seq).where(
    _OURS, TimelineRow.key.in_(bindparam("keys", expanding=True)) | (TimelineRow.seq == _LAST)
)
_AFTER = (
    select(TimelineRow)
    .where(_OURS, TimelineRow.seq > bindparam("after"))
    .order_by(TimelineRow.invoice_id, TimelineRow.seq)
)


def write(session: Session, invoice_id: str, entries: Iterable[Entry]) -> None:
    """Add the entries whose keys are new. An entry with a known key stays as it was first written."""
    write_all(session, {invoice_id: list(entries)})


def write_all(session: Session, entries: Mapping[str, Collection[Entry]]) -> None:
    """Add entries to many timelines, given by invoice id, as `write` does."""
    keys = {entry.key for some in entries.values() for entry in some}
    if not keys:
        return
    known, last = set[tuple[str, str]](), dict[str, int]()
    for invoice_id, key, number in session.execute(_KNOWN, {"invoice_ids": list(entries), "keys": list(keys)}):
        known.add((invoice_id, key))
        last[invoice_id] = max(number, last.get(invoice_id, 0))
    new = []
    for invoice_id, some in entries.items():
        for entry in some:
            if (invoice_id, entry.key) not in known:
                known.add((invoice_id, entry.key))
                last[invoice_id] = last.get(invoice_id, 0) + 1
                facts = entry.model_dump() | {"reason": clean(entry.reason)}
                new.append({"invoice_id": invoice_id, "seq": last[invoice_id], **facts})
    add_all(session, TimelineRow, new)


def correct(session: Session, invoice_id: str, entries: Iterable[Entry]) -> None:
    """Give entries that are there under the same keys the time and reason that these have."""
    for entry in entries:
        same = (TimelineRow.invoice_id == invoice_id, TimelineRow.key == entry.key)
        session.execute(update(TimelineRow).where(*same).values(at=entry.at, reason=clean(entry.reason)))


def read(session: Session, invoice_id: str, after: int = 0) -> list[tuple[int, Entry]]:
    """Return the entries with a number above `after`, oldest first, as (number, entry)."""
    return read_all(session, [invoice_id], after)[invoice_id]


def read_all(session: Session, invoice_ids: Collection[str], after: int = 0) -> dict[str, list[tuple[int, Entry]]]:
    """Return the entries with a number above `after` of many timelines, by invoice id, as `read` does."""
    found: dict[str, list[tuple[int, Entry]]] = {invoice_id: [] for invoice_id in invoice_ids}
    for row in session.scalars(_AFTER, {"invoice_ids": list(found), "after": after}):
        found[row.invoice_id].append((row.seq, _entry(row)))
    return found


def last_number(session: Session, invoice_id: str) -> int:
    """Return the number of the timeline's last entry; 0 for none."""
    return session.scalar(select(func.max(TimelineRow.seq)).where(TimelineRow.invoice_id == invoice_id)) or 0


def has_key(session: Session, invoice_id: str, prefix: str) -> bool:
    """Return whether the timeline has an entry whose key begins with `prefix`."""
    ours = TimelineRow.invoice_id == invoice_id
    return (
        session.scalar(select(TimelineRow.seq).where(ours, TimelineRow.key.startswith(prefix)).limit(1)) is not None
    )


def unknown_keys(session: Session, invoice_id: str, keys: Collection[str]) -> set[str]:
    """Return those of the keys that no entry of the timeline has."""
    known = select(TimelineRow.key).where(TimelineRow.invoice_id == invoice_id)
    return set(keys) - set(session.scalars(known))


def _entry(row: TimelineRow) -> Entry:
    return Entry(
        key=row.key,
        at=row.at,
        kind=row.kind,
        reason=row.reason,
        step=row.step,
        channel=row.channel,
        ref=row.ref,
    )

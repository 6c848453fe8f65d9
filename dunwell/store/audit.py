"""The audit. Entries are written in the transaction of what they tell, one chain for each object."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from dunwell.domain.audit import AuditEntry, broken, seal
from dunwell.domain.evidence import FIRST, plain
from dunwell.domain.principals import Principal, PrincipalKind
from dunwell.store.bulk_rows import add_all
from dunwell.store.tables import AuditRow

_CHAIN = 4_862_004  # the first half of a PostgreSQL advisory lock; the second is the object's
_REASON = 200  # characters
_AT_ONCE = 500


def append(
    session: Session,
    principal: Principal,
    about: str,
    action: str,
    now: datetime,
    *,
    key: str | None = None,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
    request_id: str | None = None,
) -> bool:
    """Write that the principal did this to the object `about`. Returns False when this `key` was written before.

    Holds the lock of this object's chain until the transaction ends, and no other.
    """
    _lock(session, about)
    if key is not None and has(session, about, key):
        return False
    last = select(AuditRow.number, AuditRow.hash).where(AuditRow.object == about).order_by(AuditRow.number.desc())
    before = session.execute(last.limit(1)).first()
    number, prev = (before[0], before[1]) if before else (0, FIRST)
    entry = _entry_of(principal, about, action, now, number + 1, key, reason, details, request_id)
    session.add(AuditRow(**entry.model_dump(), prev=prev, hash=seal(entry, prev)))
    session.flush()
    return True


def append_firsts(
    session: Session, principal: Principal, objects: Mapping[str, Mapping[str, Any]], action: str, now: datetime
) -> None:
    """Write for many new objects, given with their details, that the principal made them. For large imports.

    Objects that have entries already are left out. Call under a lock that lets nobody else write about them.
    """
    known: set[str] = set()
    names = list(objects)
    for first in range(0, len(names), _AT_ONCE):
        some = select(AuditRow.object).where(AuditRow.object.in_(names[first : first + _AT_ONCE]))
        known.update(session.scalars(some.distinct()))
    rows = []
    for about, details in objects.items():
        if about not in known:
            entry = _entry_of(principal, about, action, now, 1, action, None, details, None)
            rows.append(entry.model_dump() | {"prev": FIRST, "hash": seal(entry, FIRST)})
    add_all(session, AuditRow, rows)


def _entry_of(
    principal: Principal,
    about: str,
    action: str,
    now: datetime,
    number: int,
    key: str | None,
    reason: str | None,
    details: Mapping[str, Any] | None,
    request_id: str | None,
) -> AuditEntry:
    return AuditEntry(
        object=about,
        number=number,
        key=key or f"{action}.{uuid4().hex}",
        at=now,
        kind=principal.kind,
        principal=principal.id,
        role=None if principal.kind is PrincipalKind.ENGINE else principal.role,
        credential=principal.credential,
        action=action,
        reason=reason[:_REASON] if reason else None,
        details={name: value for name, value in plain(details or {}).items() if value is not None},
        request_id=request_id,
    )


def _lock(session: Session, about: str) -> None:
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer
        session.execute(select(func.pg_advisory_xact_lock(_CHAIN, func.hashtext(about))))


def has(session: Session, about: str, key: str) -> bool:
    """Whether the object has an entry of this key."""
    return (
        session.scalars(select(AuditRow.entry_id).where(AuditRow.object == about, AuditRow.key == key)).first()
        is not None
    )


def read(
    session: Session,
    *,
    about: str | None = None,
    who: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    after: int = 0,
    before: int | None = None,
    limit: int | None = None,
    latest_first: bool = False,
) -> Sequence[AuditRow]:
    """Return entries about an object, by a principal, of an action, since a time, after and before two ids.

    The oldest comes first, or the latest.
    """
    wanted: list[ColumnElement[bool]] = [AuditRow.entry_id > after]
    if about is not None:
        wanted.append(AuditRow.object == about)
    if who is not None:
        wanted.append(AuditRow.principal == who)
    if action is not None:
        wanted.append(AuditRow.action == action)
    if since is not None:
        wanted.append(AuditRow.at >= since)
    if before is not None:
        wanted.append(AuditRow.entry_id < before)
    order = AuditRow.entry_id.desc() if latest_first else AuditRow.entry_id.asc()
    return session.scalars(select(AuditRow).where(*wanted).order_by(order).limit(limit)).all()


def verify(session: Session, about: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield each object whose chain is broken, with where and how; with `about`, of this object alone."""
    query = select(AuditRow).order_by(AuditRow.object, AuditRow.number)
    if about is not None:
        query = query.where(AuditRow.object == about)
    rows = session.scalars(query.execution_options(yield_per=1000))
    for name, of_object in groupby(rows, key=lambda row: row.object):
        problem = broken((_entry(row), row.prev, row.hash) for row in of_object)
        if problem is not None:
            yield name, problem


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(**{name: getattr(row, name) for name in AuditEntry.model_fields})

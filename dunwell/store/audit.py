"""The audit. Entries are written in the transaction of what they tell, one chain for each object."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from dunwell.domain.audit import AuditEntry, broken, seal
from dunwell.domain.evidence import FIRST, plain
from dunwell.domain.principals import Principal, PrincipalKind
from dunwell.store.tables import AuditRow

_CHAIN = 4_862_004  # the first half of a PostgreSQL advisory lock; the second is the object's
_REASON = 200  # characters


def append(
    session: Session,
    principal: Principal,
    about: str,
    action: str,
    now: datetime,
    *,
    key: str,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
    request_id: str | None = None,
) -> bool:
    """Write that the principal did this to the object `about`. Returns False when this `key` was written before.

    Holds the lock of this object's chain until the transaction ends, and no other.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_CHAIN, func.hashtext(about))))
    if session.scalars(select(AuditRow.entry_id).where(AuditRow.object == about, AuditRow.key == key)).first():
        return False
    last = session.scalars(select(AuditRow).where(AuditRow.object == about).order_by(AuditRow.number.desc()).limit(1))
    before = last.first()
    entry = AuditEntry(
        object=about,
        number=before.number + 1 if before else 1,
        key=key,
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
    prev = before.hash if before else FIRST
    session.add(AuditRow(**entry.model_dump(), prev=prev, hash=seal(entry, prev)))
    session.flush()
    return True


def read(
    session: Session,
    *,
    about: str | None = None,
    who: str | None = None,
    since: datetime | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Sequence[AuditRow]:
    """Return entries, the oldest first: about an object, by a principal, since a time, after the entry of an id."""
    wanted: list[ColumnElement[bool]] = [AuditRow.entry_id > after]
    if about is not None:
        wanted.append(AuditRow.object == about)
    if who is not None:
        wanted.append(AuditRow.principal == who)
    if since is not None:
        wanted.append(AuditRow.at >= since)
    return session.scalars(select(AuditRow).where(*wanted).order_by(AuditRow.entry_id).limit(limit)).all()


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

"""The audit as people and programs read it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.principals import PrincipalKind
from dunwell.store import audit
from dunwell.store.tables import AuditRow
from dunwell.views.facts import Facts
from dunwell.views.names import user_names


def audit_facts(
    session: Session,
    *,
    about: str | None = None,
    who: str | None = None,
    since: datetime | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Facts]:
    """Return the entries about an object, by a principal, since a time, after an entry's id; the oldest first.

    name  the user's own, where the principal is a user; it stays on pages and in answers to those who may read it
    """
    return _facts(session, audit.read(session, about=about, who=who, since=since, after=after, limit=limit))


def latest_entries(session: Session, *, about: str, who: str, before: int, limit: int) -> list[Facts]:
    """Return the entries about an object and by a principal, each if given, the latest first.

    before: only those before the entry of this id; 0 begins with the latest.
    """
    rows = audit.read(
        session, about=about or None, who=who or None, before=before or None, limit=limit, latest_first=True
    )
    return _facts(session, rows)


def _facts(session: Session, rows: Iterable[AuditRow]) -> list[Facts]:
    names = user_names(session)
    return [
        {
            "entry_id": row.entry_id,
            "at": row.at,
            "kind": row.kind,
            "principal": row.principal,
            "name": names.get(row.principal) if row.kind in {PrincipalKind.PERSON, PrincipalKind.COMMAND} else None,
            "role": row.role,
            "credential": row.credential,
            "action": row.action,
            "object": row.object,
            "number": row.number,
            "reason": row.reason,
            "details": row.details,
            "request_id": row.request_id,
            "hash": row.hash,
        }
        for row in rows
    ]

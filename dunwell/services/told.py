"""Who told a case an event: kept until the case writes the event down, and then part of the audit.

An event that nobody announced came straight from the engine: it is audited as the engine's.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean, one_line
from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.domain.evidence import plain
from dunwell.domain.principals import ENGINE, SYSTEM, Principal
from dunwell.store import audit
from dunwell.store.tables import ToldRow

KEPT = timedelta(days=30)
"""How long it is known who told an event: a workflow that is reset is told its events again."""

_REQUEST_ID = 200  # characters; of other clients of Temporal it may be any text
_REASONS = ("reason", "reason_code", "outcome")


def announce(
    session: Session,
    request_id: str,
    principal: Principal,
    invoice_id: str,
    name: str,
    content: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep who is about to tell the case this event. The same request again changes nothing."""
    if name not in PERSONAL_DECISIONS or session.get(ToldRow, request_id) is not None:
        return
    session.add(
        ToldRow(
            request_id=request_id,
            invoice_id=invoice_id,
            digest=_digest(name, content),
            kind=principal.kind,
            principal=principal.id,
            role=principal.role,
            credential=principal.credential,
            at=now,
        )
    )
    session.flush()


def withdraw(session: Session, request_id: str) -> None:
    """Forget the event of a request that was refused."""
    session.execute(delete(ToldRow).where(ToldRow.request_id == request_id))


def write_entry(
    session: Session,
    invoice_id: str,
    name: str,
    content: Mapping[str, Any],
    now: datetime,
    *,
    request_id: str | None,
    revision: int = 0,
) -> Principal:
    """Write into the audit who told this event, and return them: Dunwell itself for one that people do not tell.

    Call in the transaction that writes the event itself.

    request_id  of its update, if it came as one
    revision    of the case that has applied it, which tells apart two events of the same content
    """
    if name not in PERSONAL_DECISIONS:
        return SYSTEM
    row = _announced(session, invoice_id, _digest(name, content), request_id)
    by, key = ENGINE, f"{name}.{_digest(name, content)[:24]}.{revision}"
    if row is not None:
        by = Principal(row.kind, id=row.principal, name=row.principal, role=row.role, credential=row.credential)
        key = row.request_id
    given = _given(content)
    reason = next((str(given[field]) for field in _REASONS if field in given), None)
    request = row.request_id if row is not None else one_line(request_id or "")[:_REQUEST_ID] or None
    audit.append(
        session, by, f"invoice/{invoice_id}", name, now, key=key, reason=reason, details=given, request_id=request
    )
    return by


def forget(session: Session, before: datetime) -> None:
    """Delete what was told before that time."""
    session.execute(delete(ToldRow).where(ToldRow.at < before))


def _announced(session: Session, invoice_id: str, digest: str, request_id: str | None) -> ToldRow | None:
    """Return who told the event: by its request, or for a signal the first of this content that is not audited."""
    if request_id is not None:
        row = session.get(ToldRow, request_id) if is_clean(request_id) else None
        return row if row is not None and row.invoice_id == invoice_id else None
    ours = select(ToldRow).where(ToldRow.invoice_id == invoice_id, ToldRow.digest == digest).order_by(ToldRow.at)
    rows = session.scalars(ours).all()
    return next((row for row in rows if not audit.has(session, f"invoice/{invoice_id}", row.request_id)), None)


def _digest(name: str, content: Mapping[str, Any]) -> str:
    canonical = json.dumps([name, _given(content)], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()


def _given(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not None, at any depth: what is left out and what is null are the same event."""
    given: dict[str, Any] = _without_none(plain(content))
    return given


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value

"""The layouts of banks' CSV files, by name."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.statement_layout import StatementLayout
from dunwell.store import audit
from dunwell.store.tables import StatementLayoutRow


def put(session: Session, name: str, layout: StatementLayout, principal: Principal, now: datetime) -> None:
    """Keep a layout under this name, in place of an earlier one."""
    body = layout.model_dump(mode="json")
    session.merge(StatementLayoutRow(name=name, body=body, by=principal.label, at=now))
    audit.append(session, principal, f"statement-layout/{name}"[:200], "set", now, details=body)


def find(session: Session, name: str) -> StatementLayout:
    """Return the layout of this name. Raises Refused for an unknown one, naming those that there are."""
    row = session.get(StatementLayoutRow, name)
    if row is None:
        known = ", ".join(names(session)) or "none yet"
        raise Refused("layout", f"{name[:60]!r} is not known ({known}): make it by `starter.py statement-layout`")
    return StatementLayout.model_validate(row.body)


def names(session: Session) -> Sequence[str]:
    """Return the names of all layouts."""
    return session.scalars(select(StatementLayoutRow.name).order_by(StatementLayoutRow.name)).all()

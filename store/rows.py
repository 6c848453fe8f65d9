"""Many rows of one table in two statements, however many they are."""

from collections.abc import Sequence

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from store.tables import Base


def put_all(session: Session, rows: Sequence[Base]) -> None:
    """Insert or renew rows of one table, whose key is one column. Of two with the same key the later counts."""
    if not rows:
        return
    table = type(rows[0])
    (key,) = inspect(table).primary_key
    latest = {str(getattr(row, key.name)): row for row in rows}
    # Held until the flush: the session forgets rows that nobody else holds, and would ask for each again.
    known = {getattr(row, key.name): row for row in session.scalars(select(table).where(key.in_(latest)))}
    session.add_all(row for name, row in latest.items() if name not in known)
    for name in known:
        session.merge(latest[name])
    session.flush()

"""Many rows of one table in one or two statements, however many they are. A row's facts are its columns by name."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, inspect, select
from sqlalchemy.orm import Session

from dunwell.store.tables import Base

Facts = dict[str, Any]


def add_all(session: Session, table: type[Base], facts: Sequence[Facts]) -> None:
    """Insert rows that are new. Each has to name the same columns."""
    if facts:
        # Otherwise rows are told apart by which of their facts are None, and inserted a few at a time.
        session.execute(insert(table), facts, execution_options={"render_nulls": True})


def put_all(session: Session, table: type[Base], facts: Iterable[Facts]) -> None:
    """Insert or renew rows of a table whose key is one column. Of two with the same key the later counts."""
    (key,) = inspect(table).primary_key
    latest = {one[key.name]: one for one in facts}
    for row in session.scalars(select(table).where(key.in_(list(latest)))):
        for name, value in latest.pop(getattr(row, key.name)).items():
            setattr(row, name, value)
    add_all(session, table, list(latest.values()))
    session.flush()

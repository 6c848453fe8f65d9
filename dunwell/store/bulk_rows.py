"""Writes many rows of one table in one or two statements. A row is given as a dictionary of its columns by name."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, inspect, select
from sqlalchemy.orm import Session

from dunwell.store.tables import Base

Facts = dict[str, Any]


def add_all(session: Session, table: type[Base], facts: Sequence[Facts]) -> None:
    """Insert new rows. All of them must name the same columns."""
    if facts:
        # Without render_nulls SQLAlchemy groups the rows by which columns are None, one statement for each group.
        session.execute(insert(table), facts, execution_options={"render_nulls": True})


def put_all(session: Session, table: type[Base], facts: Iterable[Facts]) -> None:
    """Insert or update rows of a table whose key is one column. Of two rows with the same key the later one wins."""
    (key,) = inspect(table).primary_key
    latest = {one[key.name]: one for one in facts}
    for row in session.scalars(select(table).where(key.in_(list(latest)))):
        for name, value in latest.pop(getattr(row, key.name)).items():
            setattr(row, name, value)
    add_all(session, table, list(latest.values()))
    session.flush()

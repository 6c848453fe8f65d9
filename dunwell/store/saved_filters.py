"""The filters of lists that users gave a name."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.store.tables import SavedFilterRow


def of_user(session: Session, user_id: str, of_list: str) -> Sequence[SavedFilterRow]:
    """Return the user's saved filters of one list, by name."""
    query = select(SavedFilterRow).where(SavedFilterRow.user_id == user_id, SavedFilterRow.list == of_list)
    return session.scalars(query.order_by(SavedFilterRow.name)).all()


def put(session: Session, user_id: str, of_list: str, name: str, query: str, now: datetime) -> None:
    """Save filters under a name, in place of those that it had."""
    row = session.get(SavedFilterRow, (user_id, of_list, name))
    if row is None:
        session.add(SavedFilterRow(user_id=user_id, list=of_list, name=name, query=query, at=now))
    else:
        row.query, row.at = query, now
    session.flush()


def drop(session: Session, user_id: str, of_list: str, name: str) -> bool:
    """Delete saved filters. Returns False when there were none of this name."""
    row = session.get(SavedFilterRow, (user_id, of_list, name))
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True

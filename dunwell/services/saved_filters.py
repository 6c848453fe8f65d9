"""Filters of a list under a name: each user has their own, and nobody else sees them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from sqlalchemy.orm import Session

from dunwell.domain.cleaning import clean, one_line
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.store import audit, saved_filters
from dunwell.store.database import Database

_MOST = 50
"""Of one list and user."""
_LONGEST_NAME, _LONGEST_QUERY = 60, 600


@dataclass(frozen=True)
class SavedFilters:
    """`query` is that of the list's address: `stage=open&policy=gentle-saas`."""

    name: str
    query: str


def of_user(session: Session, by: Principal, of_list: str) -> Sequence[SavedFilters]:
    """Return what somebody has saved of a list, by name."""
    return [SavedFilters(row.name, row.query) for row in saved_filters.of_user(session, by.id, of_list)]


def save(
    database: Database, by: Principal, of_list: str, name: str, query: str, fields: Collection[str], now: datetime
) -> str:
    """Save filters, in place of those that had the name. Returns their query as it was saved.

    fields: the fields that the list can be narrowed by. Raises Refused for no name, for no filter, for too many.
    """
    words, kept = one_line(clean(name)).strip(), _narrowed(query, fields)
    if not 0 < len(words) <= _LONGEST_NAME:
        raise Refused("name", f"must have 1 to {_LONGEST_NAME} characters")
    if not kept:
        raise Refused("name", "has no filters to stand for: narrow the list first")
    with database.writing_beside_customers() as session:
        audit.append(session, by, f"user/{by.id}", "filters_saved", now, details={"list": of_list})
        known = {row.name for row in saved_filters.of_user(session, by.id, of_list)}
        if words not in known and len(known) >= _MOST:
            raise Refused("name", f"would be one more than {_MOST}: delete one first")
        saved_filters.put(session, by.id, of_list, words, kept, now)
    return kept


def delete(database: Database, by: Principal, of_list: str, name: str, now: datetime) -> None:
    """Delete saved filters. Does nothing when there are none of this name."""
    with database.writing_beside_customers() as session:
        if saved_filters.drop(session, by.id, of_list, name[:_LONGEST_NAME]):
            audit.append(session, by, f"user/{by.id}", "filters_deleted", now, details={"list": of_list})


def _narrowed(query: str, fields: Collection[str]) -> str:
    """Return the query with nothing but filters in it."""
    pairs = parse_qsl(query[:_LONGEST_QUERY])
    return urlencode([(name, one_line(clean(text))) for name, text in pairs if name in fields and text])

"""The names of our own users, for pages: what cases hold names them by their id."""

import re
from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from dunwell.store import users
from dunwell.views.facts import Facts

_ID = re.compile(r"\buser-\w+")


def user_names(session: Session) -> Mapping[str, str]:
    """Return the name of each user by their id, disabled ones included."""
    return {row.user_id: row.name for row in users.all_users(session)}


def with_user_names(text: str, names: Mapping[str, str]) -> str:
    """Return text with the names of users in place of their ids."""
    return _ID.sub(lambda found: names.get(found[0], found[0]), text)


def reasons_named(tasks: Iterable[Facts], names: Mapping[str, str]) -> list[Facts]:
    """Return tasks with the names of users in their reasons."""
    return [one | {"reason": with_user_names(one["reason"], names)} for one in tasks]

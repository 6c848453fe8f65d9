"""Who runs a command: the operating system's user, an administrator because they hold the database's password."""

import getpass
import os

from sqlalchemy.orm import Session

from dunwell.domain.cleaning import one_line
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.services import users
from dunwell.store.database import Database


def principal_in(session: Session) -> Principal:
    """Return who runs this command. Somebody who is a user of the console with this login is that user here too."""
    login = _login()
    user = users.of_login(session, login)
    if user is None:
        return Principal(PrincipalKind.COMMAND, id=login, name=login, role=Role.ADMINISTRATOR)
    return Principal(PrincipalKind.COMMAND, id=user.id, name=user.name, role=Role.ADMINISTRATOR, credential=login)


def current_principal(database: Database) -> Principal:
    """Return the same in a reading session of its own."""
    with database.reading() as session:
        return principal_in(session)


def _login() -> str:
    try:
        return one_line(getpass.getuser())[:100]
    except (OSError, KeyError):  # a container's user may have no name
        return f"uid-{os.getuid()}"

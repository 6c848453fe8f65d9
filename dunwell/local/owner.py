"""The link by which whoever runs the programs on this machine signs in to the console."""

from datetime import UTC, datetime

from dunwell.domain.principals import SYSTEM, Role
from dunwell.services.users import Users
from dunwell.store.database import Database

OWNER = "owner@dunwell.example"
"""The administrator that is made where nobody is a user yet. No mail goes to this address."""


def sign_in_link(database_url: str, web_url: str) -> str | None:
    """Return a link that signs the owner of this machine's database in, once.

    Makes the owner a user where there is none yet. None when others are users and the owner is none: an administrator
    of theirs adds users.
    """
    database, now = Database(database_url), datetime.now(UTC)
    try:
        users = Users(database)
        known = users.list()
        if not known:
            users.add(OWNER, Role.ADMINISTRATOR, SYSTEM, now, name="Owner")
        elif not any(one["email"] == OWNER and one["state"] != "disabled" for one in known):
            return None
        return f"{web_url}/console/sign-in?link={users.link(OWNER, SYSTEM, now, sets_password=False)}"
    finally:
        database.close()

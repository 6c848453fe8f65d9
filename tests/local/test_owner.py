"""The link that `make up` and `make demo` end with."""

from datetime import UTC, datetime

from dunwell.domain.principals import Role
from dunwell.local.owner import OWNER, sign_in_link
from dunwell.services.users import Users
from dunwell.store.database import Database
from tests.web.principals import OPERATOR

NOW = datetime.now(UTC)


def token_of(link: str | None) -> str:
    assert link is not None and link.startswith("http://127.0.0.1:8080/console/sign-in?link=")
    return link.rpartition("=")[2]


def test_the_owner_signs_in_by_a_new_link_each_time(database: Database) -> None:
    users, url = Users(database), "http://127.0.0.1:8080"
    first, second = (token_of(sign_in_link(str(database.url), url)) for _ in range(2))
    assert users.link_sets_password(first, NOW) is None  # only the newest counts
    assert users.use_link(second, None, NOW).principal.role is Role.ADMINISTRATOR
    assert [one["email"] for one in users.list()] == [OWNER]
    users.disable(OWNER, OPERATOR, NOW)
    assert sign_in_link(str(database.url), url) is None


def test_a_house_with_users_of_its_own_gets_no_owner(database: Database) -> None:
    Users(database).add("ada@example.com", Role.AGENT, OPERATOR, NOW)
    assert sign_in_link(str(database.url), "http://127.0.0.1:8080") is None
    assert len(Users(database).list()) == 1

"""Users: invited, signed in, disabled; and what strangers learn from trying."""

from datetime import UTC, datetime, timedelta

import pytest

from dunwell.domain.principals import PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.services import passwords
from dunwell.services.users import IDLE, LINK_LASTS, WHOLE, SignInRefused, Users, of_login, own_approval_allowed
from dunwell.store import audit
from dunwell.store.database import Database
from tests.web.principals import OPERATOR

NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "four words of a song"


def invited(database: Database, role: Role = Role.AGENT) -> tuple[Users, str]:
    users = Users(database)
    _, link = users.add("Ada@Example.com", role, OPERATOR, NOW, name="Ada Lopez", login="ada")
    return users, link


def test_from_invitation_to_sign_out(database: Database) -> None:
    users, link = invited(database)
    assert users.link_sets_password(link, NOW) is True
    signed_in = users.use_link(link, PASSWORD, NOW)
    assert (signed_in.principal.name, signed_in.principal.role) == ("Ada Lopez", Role.AGENT)
    assert "Ada" not in signed_in.principal.label
    assert users.link_sets_password(link, NOW) is None
    with pytest.raises(SignInRefused, match="used before"):
        users.use_link(link, PASSWORD, NOW)
    again = users.sign_in(" ada@EXAMPLE.com", PASSWORD, "192.0.2.1", NOW)
    assert again.token != signed_in.token
    assert users.principal(again.token, NOW) == again.principal
    users.sign_out(again.token)
    assert users.principal(again.token, NOW) is None
    assert users.principal(signed_in.token, NOW) is not None
    with database.reading() as session:
        entries = audit.read(session, about=f"user/{signed_in.principal.id}")
        rows = session.connection().exec_driver_sql("select * from users, sign_in_links, sessions").all()
    assert [(one.action, one.kind) for one in entries] == [
        ("user_added", PrincipalKind.COMMAND),
        ("password_set", PrincipalKind.PERSON),
        ("signed_in", PrincipalKind.PERSON),
        ("signed_in", PrincipalKind.PERSON),
    ]
    assert not any(secret in str(rows) for secret in (PASSWORD, link, signed_in.token))


def test_a_link_ends_after_a_day_and_by_a_newer_one(database: Database) -> None:
    users, first = invited(database)
    assert users.link_sets_password(first, NOW + LINK_LASTS) is None
    second = users.link("ada@example.com", OPERATOR, NOW, sets_password=False)
    assert users.link_sets_password(first, NOW) is None
    assert users.use_link(second, None, NOW).principal.role is Role.AGENT
    with pytest.raises(SignInRefused):
        users.sign_in("ada@example.com", "", "192.0.2.1", NOW)


@pytest.mark.parametrize("password", ["", "fourteen chars", "a" * 30, "ADA@example.com", "x" * 201])
def test_a_weak_password_is_refused_and_the_link_goes_on(database: Database, password: str) -> None:
    users, link = invited(database)
    with pytest.raises(Refused) as refused:
        users.use_link(link, password, NOW)
    assert refused.value.field == "password"
    assert users.link_sets_password(link, NOW) is True


def test_a_stranger_learns_nothing(database: Database) -> None:
    users, link = invited(database)
    users.use_link(link, PASSWORD, NOW)
    texts = set()
    for email, password in (("ada@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("\0", "x" * 10_000)):
        with pytest.raises(SignInRefused) as refused:
            users.sign_in(email, password, "192.0.2.1", NOW)
        texts.add(str(refused.value))
    assert len(texts) == 1
    users.disable("ada@example.com", OPERATOR, NOW)
    with pytest.raises(SignInRefused) as refused:
        users.sign_in("ada@example.com", PASSWORD, "192.0.2.1", NOW)
    assert str(refused.value) in texts


def test_a_wrong_password_costs_as_much_for_an_unknown_user(monkeypatch: pytest.MonkeyPatch) -> None:
    known, checked = passwords.hashed(PASSWORD), list[str]()
    real = passwords._HASHER.verify

    def verify(_: object, hashed: str, given: str) -> bool:
        checked.append(hashed)
        return bool(real(hashed, given))

    monkeypatch.setattr(type(passwords._HASHER), "verify", verify)
    assert passwords.is_right(PASSWORD, known)
    assert not passwords.is_right(PASSWORD, None)
    assert not passwords.is_right("the password of nobody", None)
    assert len({hashed.rpartition("$")[0].rpartition("$")[0] for hashed in checked}) == 1  # the same costs
    assert known.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_attempts_are_limited_by_account_and_by_address(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    users, link = invited(database)
    users.use_link(link, PASSWORD, NOW)
    monkeypatch.setattr(passwords, "is_right", lambda given, _: given == PASSWORD)
    for _ in range(10):
        with pytest.raises(SignInRefused, match="do not belong together"):
            users.sign_in("ada@example.com", "wrong", "192.0.2.1", NOW)
    with pytest.raises(SignInRefused, match="too many attempts"):
        users.sign_in("ada@example.com", PASSWORD, "192.0.2.9", NOW)
    for number in range(40):
        with pytest.raises(SignInRefused, match="do not belong together"):
            users.sign_in(f"{number}@example.com", "wrong", "192.0.2.1", NOW)
    with pytest.raises(SignInRefused, match="too many attempts"):
        users.sign_in("new@example.com", "wrong", "192.0.2.1", NOW)


def test_an_office_that_signs_in_from_one_address_is_not_shut_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, link = invited(database)
    users.use_link(link, PASSWORD, NOW)
    monkeypatch.setattr(passwords, "is_right", lambda given, _: given == PASSWORD)
    for _ in range(60):
        users.sign_in("ada@example.com", PASSWORD, "192.0.2.1", NOW)
    for number in range(50):  # and those who fail are still counted
        with pytest.raises(SignInRefused, match="do not belong together"):
            users.sign_in(f"{number}@example.com", "wrong", "192.0.2.1", NOW)
    with pytest.raises(SignInRefused, match="too many attempts"):
        users.sign_in("ada@example.com", PASSWORD, "192.0.2.1", NOW)


def test_a_session_ends_idle_after_half_an_hour_and_at_last_after_eight(database: Database) -> None:
    users, link = invited(database)
    token = users.use_link(link, PASSWORD, NOW).token
    now = NOW
    while now - NOW < WHOLE - IDLE:
        now += IDLE - timedelta(minutes=1)
        assert users.principal(token, now) is not None
    assert users.principal(token, NOW + WHOLE) is None
    other = users.sign_in("ada@example.com", PASSWORD, "192.0.2.1", NOW).token
    assert users.principal(other, NOW + IDLE) is None
    assert users.principal(other, NOW) is None  # it is gone, whatever the clock says


def test_disabling_ends_sessions_and_links_at_once(database: Database) -> None:
    users, link = invited(database)
    token = users.use_link(link, PASSWORD, NOW).token
    newer = users.link("ada@example.com", OPERATOR, NOW)
    user_id = users.disable("ada@example.com", OPERATOR, NOW)
    assert users.principal(token, NOW) is None
    assert users.link_sets_password(newer, NOW) is None
    with pytest.raises(SignInRefused, match="are no user here"):
        users.sign_in_as("ada@example.com", NOW)
    with pytest.raises(Refused, match="is disabled"):
        users.link(user_id, OPERATOR, NOW)
    users.enable(user_id, OPERATOR, NOW)
    assert users.sign_in_as("Ada@example.com", NOW).principal.id == user_id


def test_a_role_changes_from_the_next_request_on(database: Database) -> None:
    users, link = invited(database)
    token = users.use_link(link, PASSWORD, NOW).token
    users.set_role("ada@example.com", Role.AUDITOR, OPERATOR, NOW)
    found = users.principal(token, NOW)
    assert found is not None and found.role is Role.AUDITOR


@pytest.mark.parametrize(
    ("email", "login", "field"),
    [("ada@example.com", None, "email"), ("no address", None, "email"), ("b@example.com", "ada", "login")],
)
def test_a_user_is_added_once(database: Database, email: str, login: str | None, field: str) -> None:
    users, _ = invited(database)
    with pytest.raises(Refused) as refused:
        users.add(email, Role.AGENT, OPERATOR, NOW, login=login)
    assert refused.value.field == field
    assert len(users.list()) == 1


def test_somebody_at_the_command_line_is_the_user_with_their_login(database: Database) -> None:
    users, _ = invited(database)
    with database.reading() as session:
        found = of_login(session, "ada")
        assert found is not None and found.id == users.list()[0]["user_id"]
        assert of_login(session, "root") is None


def test_own_approval_is_off_until_it_is_switched_on_and_that_is_recorded(database: Database) -> None:
    users = Users(database)
    for on in (True, False):
        with database.reading() as session:
            assert own_approval_allowed(session) is not on
        users.allow_own_approval(OPERATOR, NOW, on=on)
    with database.reading() as session:
        assert not own_approval_allowed(session)
        entries = audit.read(session, about="setting/allow_own_approval")
    assert [(one.principal, one.details) for one in entries] == [
        ("operator", {"on": True}),
        ("operator", {"on": False}),
    ]

"""Users of the console: added and disabled by an administrator, signed in by link, password or identity provider."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy.orm import Session

from dunwell.domain.evidence import digest
from dunwell.domain.principals import NotAllowed, Principal, PrincipalKind, Right, Role, rights_of
from dunwell.domain.refusal import Refused
from dunwell.intake import address_checks, text_checks
from dunwell.intake.refusals import InvalidValue
from dunwell.services import passwords
from dunwell.services.attempts import Attempts
from dunwell.services.random_ids import random_id
from dunwell.store import audit, users
from dunwell.store.database import Database
from dunwell.store.tables import SessionRow, SignInLinkRow, UserRow

LINK_LASTS = timedelta(hours=24)
IDLE, WHOLE = timedelta(minutes=30), timedelta(hours=8)
"""How long a session lives without a request, and at most."""

OWN_APPROVAL = "allow_own_approval"
"""The switch by which one person may both ask for something and approve it."""

_SEEN_EXACT_TO = timedelta(minutes=1)
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,99}")
_OF_ACCOUNT = 10
_OF_ADDRESS = 50
_WITHIN = 15 * 60.0


class SignInRefused(Exception):
    """A sign-in that failed. The text says what everybody may know: never whether there is such a user."""


@dataclass(frozen=True)
class SignedIn:
    """`token` is the value of the session's cookie, and known to the browser alone."""

    token: str
    principal: Principal


class Users:
    """The users of one database. Blocking; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of_account = Attempts(_OF_ACCOUNT, _WITHIN)
        self._of_address = Attempts(_OF_ADDRESS, _WITHIN)

    # For administrators ----------------------------------------------------------------------------------

    def add(
        self, email: str, role: Role, by: Principal, now: datetime, *, name: str = "", login: str | None = None
    ) -> tuple[str, str]:
        """Add a user. Returns the user's id and the token of a link with which they choose a password.

        login  the name that they have on the machines where commands run

        Raises Refused when the address is none, or is another user's, and likewise for the login.
        """
        address = _checked("email", address_checks.email, email).lower()
        shown = _checked("name", text_checks.plain_name, name) if name else address.partition("@")[0]
        if login is not None and not _LOGIN.fullmatch(login):
            raise Refused("login", "must be the name of a user of the operating system")
        user_id = random_id("user")
        row = UserRow(user_id=user_id, email=address, name=shown, role=role, login=login, created_at=now)
        with self._database.writing_beside_customers() as session:
            audit.append(session, by, f"user/{user_id}", "user_added", now, details={"role": role})
            known = users.by_email(session, address)
            if known is not None:
                state = "is disabled" if known.disabled_at else "is a user"
                raise Refused("email", f"this address {state} already: {known.user_id}, {known.role.value}")
            if login is not None and users.by_login(session, login) is not None:
                raise Refused("login", "is another user's: `starter.py user list` shows whose")
            users.add(session, row)
            return user_id, _new_link(session, user_id, now, sets_password=True)

    def link(self, email: str, by: Principal, now: datetime, *, sets_password: bool = True) -> str:
        """Return the token of a new link for a user; earlier ones end. Raises Refused for an unknown user."""
        with self._database.writing_beside_customers() as session:
            row = _known(session, email)
            if row.disabled_at is not None:
                raise Refused("email", f"{row.user_id} is disabled: `starter.py user enable` first")
            token = _new_link(session, row.user_id, now, sets_password=sets_password)
            _audited(session, by, row.user_id, "link_made", now, {"sets_password": sets_password})
            return token

    def disable(self, email: str, by: Principal, now: datetime) -> str:
        """End the user's sessions and links at once, and let them sign in no more. Returns their id."""
        with self._database.writing_beside_customers() as session:
            row = _known(session, email)
            if row.disabled_at is not None:
                raise Refused("email", f"{row.user_id} is disabled already")
            row.disabled_at = now
            users.end_sessions(session, row.user_id)
            users.drop_links(session, row.user_id)
            _audited(session, by, row.user_id, "user_disabled", now)
            return row.user_id

    def enable(self, email: str, by: Principal, now: datetime) -> str:
        """Let a disabled user sign in again. Returns their id."""
        with self._database.writing_beside_customers() as session:
            row = _known(session, email)
            if row.disabled_at is None:
                raise Refused("email", f"{row.user_id} is not disabled")
            row.disabled_at = None
            _audited(session, by, row.user_id, "user_enabled", now)
            return row.user_id

    def set_role(self, email: str, role: Role, by: Principal, now: datetime) -> str:
        """Give a user another role. It counts from their next request on. Returns their id."""
        with self._database.writing_beside_customers() as session:
            row = _known(session, email)
            before, row.role = row.role, role
            _audited(session, by, row.user_id, "role_changed", now, {"from": before, "to": role})
            return row.user_id

    def set_digest(self, user: str, zone: str | None, by: Principal, now: datetime) -> str:
        """Send a user, by id or e-mail, a digest on the mornings of this time zone; None: no more. Returns their id.

        Raises Refused for an unknown zone, and for a role that has no work of the digest.
        """
        if zone is not None and zone not in available_timezones():
            raise Refused("time_zone", "is none that is known: write it like Europe/Berlin")
        with self._database.writing_beside_customers() as session:
            row = _known(session, user)
            if zone is not None and Right.TASKS_READ not in rights_of(row.role):
                raise Refused("time_zone", f"is not needed: the role {row.role.value} has no tasks to be told of")
            row.digest_zone = zone
            _audited(session, by, row.user_id, "digest_changed", now, {"on": zone is not None})
            return row.user_id

    def reader(self, user: str) -> tuple[Role, str]:
        """Return role and time zone of a user, by id or e-mail, as of whoever reads a digest."""
        with self._database.reading() as session:
            row = _known(session, user)
            return row.role, row.digest_zone or "UTC"

    def digest_zone(self, user_id: str) -> str | None:
        """Return the time zone of a user's digest; None when they get none."""
        with self._database.reading() as session:
            row = users.get(session, user_id)
            return row.digest_zone if row is not None else None

    def list(self) -> list[dict[str, Any]]:
        """Return the facts of every user."""
        with self._database.reading() as session:
            return [_facts(row) for row in users.all_users(session)]

    def allow_own_approval(self, by: Principal, now: datetime, *, on: bool) -> None:
        """Let one person ask for something and approve it, or no more."""
        with self._database.writing_beside_customers() as session:
            users.switch(session, OWN_APPROVAL, on=on)
            audit.append(session, by, f"setting/{OWN_APPROVAL}", "setting_changed", now, details={"on": on})

    # Signing in ------------------------------------------------------------------------------------------

    def sign_in(self, email: str, password: str, address: str, now: datetime) -> SignedIn:
        """Sign a user in by password. `address` is where the request comes from.

        Raises SignInRefused, with the same text and after the same time whether or not there is such a user.
        """
        account = email.strip().lower()[:254]
        if not (self._of_address.admit(address) and self._of_account.admit(account)):
            raise SignInRefused("There were too many attempts: wait a quarter of an hour, or ask for a link.")
        with self._database.reading() as session:
            row = users.by_email(session, account)
        right = passwords.is_right(password, row.password if row is not None else None)
        if row is None or not right or row.disabled_at is not None:
            raise SignInRefused("This e-mail address and password do not belong together.")
        self._of_account.forget(account)
        self._of_address.take_back(address)  # a whole office has one address
        with self._database.writing_beside_customers() as session:
            return _begin(session, row.user_id, "password", now)

    def sign_in_as(self, email: str, now: datetime) -> SignedIn:
        """Sign in the user whose address an identity provider has verified. Raises SignInRefused."""
        with self._database.writing_beside_customers() as session:
            row = users.by_email(session, email)
            if row is None or row.disabled_at is not None:
                raise SignInRefused("You are known to your company, but are no user here: ask an administrator.")
            return _begin(session, row.user_id, "provider", now)

    def link_sets_password(self, token: str, now: datetime) -> bool | None:
        """Return whether this link is for choosing a password; None when it cannot be used (any more)."""
        with self._database.reading() as session:
            row = users.link(session, digest(token), now)
            return None if row is None else row.sets_password

    def use_link(self, token: str, password: str | None, now: datetime) -> SignedIn:
        """Sign in with a link, once, and set the password if the link is for that. Ends the user's other sessions.

        Raises SignInRefused for a link that cannot be used, Refused for a password that will not do.
        """
        with self._database.reading() as session:
            link = users.link(session, digest(token), now)
            row = users.get(session, link.user_id) if link is not None else None
        if link is None or row is None:
            raise SignInRefused("This link was used before, or its time is over: ask an administrator for a new one.")
        hashed = None
        if link.sets_password:
            passwords.check_new(password or "", row.email)
            hashed = passwords.hashed(password or "")
        with self._database.writing_beside_customers() as session:
            if not users.take_link(session, link.link_hash):
                raise SignInRefused("This link was used before: ask an administrator for a new one.")
            user = _user(session, row.user_id)
            if hashed is not None:
                user.password = hashed
                users.end_sessions(session, user.user_id)
                person = _principal(user)
                _audited(session, person, user.user_id, "password_set", now)
            return _begin(session, user.user_id, "link", now)

    def sign_out(self, token: str) -> None:
        """End the session of this cookie."""
        with self._database.writing_beside_customers() as session:
            users.end_session(session, digest(token))

    def principal(self, token: str, now: datetime) -> Principal | None:
        """Return whose session this is; None when it is over. Notes that the session is used, once a minute."""
        with self._database.reading() as session:
            found = users.live_session(session, digest(token))
        if found is None:
            return None
        row, user = found
        if now - row.started_at >= WHOLE or now - row.seen_at >= IDLE:
            self.sign_out(token)
            return None
        if now - row.seen_at >= _SEEN_EXACT_TO:
            with self._database.writing_beside_customers() as session:
                kept = session.get(SessionRow, row.session_hash)
                if kept is not None:
                    kept.seen_at = now
        return _principal(user, row)


def of_login(session: Session, login: str) -> Principal | None:
    """Return the user who has this name on the machines where commands run; None when nobody has."""
    row = users.by_login(session, login)
    return _principal(row) if row is not None else None


def own_approval_allowed(session: Session) -> bool:
    """Whether one person may both ask for something and approve it."""
    return users.is_on(session, OWN_APPROVAL)


def check_not_own(session: Session, asked_by: str | None, by: Principal, why: str = "") -> None:
    """Raise NotAllowed for somebody who approves what they asked for, unless the house allows that.

    why  a sentence that says what makes it their own, where they may not know
    """
    if asked_by == by.id and not own_approval_allowed(session):
        raise NotAllowed(
            f"{why} Nobody approves their own request: ask another manager, or an administrator, who may allow it "
            "for a house with a single manager.".strip()
        )


def _new_link(session: Session, user_id: str, now: datetime, *, sets_password: bool) -> str:
    token = secrets.token_urlsafe(32)
    row = SignInLinkRow(
        link_hash=digest(token), user_id=user_id, sets_password=sets_password, expires_at=now + LINK_LASTS
    )
    users.put_link(session, row)
    return token


def _begin(session: Session, user_id: str, by: str, now: datetime) -> SignedIn:
    """Begin a session with a token of its own; sessions that are over go."""
    user = _user(session, user_id)
    if user.disabled_at is not None:
        raise SignInRefused("This e-mail address and password do not belong together.")
    users.drop_old_sessions(session, now - WHOLE, now - IDLE)
    token = secrets.token_urlsafe(32)
    row = SessionRow(session_hash=digest(token), user_id=user_id, started_at=now, seen_at=now)
    users.add_session(session, row)
    principal = _principal(user, row)
    _audited(session, principal, user_id, "signed_in", now, {"by": by})
    return SignedIn(token, principal)


def _audited(
    session: Session,
    by: Principal,
    user_id: str,
    action: str,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    audit.append(session, by, f"user/{user_id}", action, now, details=details)


def _principal(user: UserRow, row: SessionRow | None = None) -> Principal:
    credential = f"session-{row.session_hash[:12]}" if row is not None else None
    return Principal(PrincipalKind.PERSON, id=user.user_id, name=user.name, role=user.role, credential=credential)


def _user(session: Session, user_id: str) -> UserRow:
    row = users.get(session, user_id)
    if row is None:
        raise SignInRefused("There is no such user any more.")
    return row


def _known(session: Session, email: str) -> UserRow:
    row = users.by_email(session, email.strip()) or users.get(session, email.strip())
    if row is None:
        raise Refused("email", "is no user's: `starter.py user list` shows all")
    return row


def _checked(field: str, check: Any, value: str) -> str:
    try:
        checked: str = check(value)
    except InvalidValue as error:
        raise Refused(field, str(error)) from None
    return checked


def _facts(row: UserRow) -> dict[str, Any]:
    state = "disabled" if row.disabled_at else "active" if row.password else "invited"
    return {
        "user_id": row.user_id,
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "login": row.login,
        "state": state,
        "digest_zone": row.digest_zone,
        "created_at": row.created_at,
        "disabled_at": row.disabled_at,
    }

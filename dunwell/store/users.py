"""Users, the links with which they sign in once, and their sessions. Passwords, links and sessions are hashes."""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dunwell.domain.cleaning import is_clean
from dunwell.store.tables import SessionRow, SignInLinkRow, SignInStateRow, SwitchRow, UserRow

_ID = re.compile(r"\buser-\w+")


def add(session: Session, row: UserRow) -> None:
    session.add(row)
    session.flush()


def get(session: Session, user_id: str) -> UserRow | None:
    return session.get(UserRow, user_id) if is_clean(user_id) else None


def name_of(session: Session, by: str) -> str:
    """Return the name of the user with this id; whoever is no user, as they are called."""
    row = get(session, by)
    return row.name if row is not None else by


def with_names(session: Session, text: str) -> str:
    """Return text with the names of our users in place of their ids."""
    return _ID.sub(lambda found: name_of(session, found[0]), text)


def by_email(session: Session, email: str) -> UserRow | None:
    """Return the user with this address; addresses are stored in lower case."""
    if not is_clean(email):
        return None
    return session.scalars(select(UserRow).where(UserRow.email == email.lower())).first()


def by_login(session: Session, login: str) -> UserRow | None:
    return session.scalars(select(UserRow).where(UserRow.login == login)).first()


def all_users(session: Session) -> Sequence[UserRow]:
    return session.scalars(select(UserRow).order_by(UserRow.email)).all()


# Links ---------------------------------------------------------------------------------------------------


def put_link(session: Session, row: SignInLinkRow) -> None:
    """Add a link. Earlier links of this user end."""
    drop_links(session, row.user_id)
    session.add(row)
    session.flush()


def link(session: Session, link_hash: str, now: datetime) -> SignInLinkRow | None:
    """Return the link if it can be used: it is not used, not over, and its user is not disabled."""
    row = session.get(SignInLinkRow, link_hash)
    if row is None or row.expires_at <= now:
        return None
    user = session.get(UserRow, row.user_id)
    return row if user is not None and user.disabled_at is None else None


def take_link(session: Session, link_hash: str) -> bool:
    """Use the link up. Returns False when somebody else did so at the same moment."""
    found = session.scalars(
        delete(SignInLinkRow).where(SignInLinkRow.link_hash == link_hash).returning(SignInLinkRow.user_id)
    ).first()
    return found is not None


def drop_links(session: Session, user_id: str) -> None:
    session.execute(delete(SignInLinkRow).where(SignInLinkRow.user_id == user_id))


# Sign-in by a provider -----------------------------------------------------------------------------------


def put_state(session: Session, row: SignInStateRow, now: datetime) -> None:
    """Add a sign-in that the provider has to answer; those that nobody answered in time go."""
    session.execute(delete(SignInStateRow).where(SignInStateRow.expires_at <= now))
    session.add(row)
    session.flush()


def take_state(session: Session, state_hash: str, now: datetime) -> tuple[str, str] | None:
    """Return nonce and verifier of the sign-in, once; None when there is none or its time is over."""
    row = session.get(SignInStateRow, state_hash)
    if row is None:
        return None
    found = (row.nonce, row.verifier) if row.expires_at > now else None
    session.delete(row)
    session.flush()
    return found


# Sessions ------------------------------------------------------------------------------------------------


def add_session(session: Session, row: SessionRow) -> None:
    session.add(row)
    session.flush()


def live_session(session: Session, session_hash: str) -> tuple[SessionRow, UserRow] | None:
    """Return the session with its user, who is not disabled; None when there is none."""
    query = select(SessionRow, UserRow).join(UserRow, UserRow.user_id == SessionRow.user_id)
    found = session.execute(
        query.where(SessionRow.session_hash == session_hash, UserRow.disabled_at.is_(None))
    ).first()
    return (found[0], found[1]) if found else None


def end_session(session: Session, session_hash: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.session_hash == session_hash))


def end_sessions(session: Session, user_id: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))


def drop_old_sessions(session: Session, started_before: datetime, seen_before: datetime) -> None:
    session.execute(
        delete(SessionRow).where((SessionRow.started_at <= started_before) | (SessionRow.seen_at <= seen_before))
    )


# Switches ------------------------------------------------------------------------------------------------


def is_on(session: Session, name: str) -> bool:
    row = session.get(SwitchRow, name)
    return row is not None and row.on


def switch(session: Session, name: str, *, on: bool) -> None:
    session.merge(SwitchRow(name=name, on=on))
    session.flush()

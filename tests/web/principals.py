"""API keys and sessions for tests: one of each role."""

from datetime import UTC, datetime
from hashlib import sha256

from dunwell.domain.evidence import digest
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.services.api_keys import PREFIX, checksum
from dunwell.store.database import Database
from dunwell.store.tables import ApiKeyRow, SessionRow, UserRow

OPERATOR = Principal(PrincipalKind.COMMAND, id="operator", name="operator", role=Role.ADMINISTRATOR)
"""Somebody at the command line."""


def key_of(role: Role) -> str:
    """Return the key of the role that `give_keys` stores."""
    random = sha256(role.value.encode()).hexdigest()[:30]
    return f"{PREFIX}{random}{checksum(random)}"


def bearer(role: Role) -> dict[str, str]:
    """Return the header with the key of the role."""
    return {"Authorization": f"Bearer {key_of(role)}"}


def give_keys(database: Database) -> None:
    """Store a key of each role, named as the role. Safe to repeat."""
    now = datetime.now(UTC)
    with database.writing_beside_customers() as session:
        for role in Role:
            row = ApiKeyRow(
                key_id=f"key-{role.value}",
                name=role.value,
                role=role,
                key_hash=sha256(key_of(role).encode()).hexdigest(),
                created_at=now,
                used_at=now,
            )
            session.merge(row)


def sign_in(database: Database, role: Role, *, secure: bool = True) -> dict[str, str]:
    """Return the header with the cookie of a new session of a user of the role, `user-ROLE`, `ROLE@example.com`.

    secure  whether PUBLIC_URL is an HTTPS address, as in `tests.web.conftest`
    """
    now, token = datetime.now(UTC), f"session-of-{role.value}"
    with database.writing_beside_customers() as session:
        user_id = f"user-{role.value}"
        if session.get(UserRow, user_id) is None:
            row = UserRow(user_id=user_id, email=f"{role.value}@example.com", name=role.name.title(), role=role)
            row.created_at = now
            session.add(row)
            session.flush()
        session.merge(SessionRow(session_hash=digest(token), user_id=user_id, started_at=now, seen_at=now))
    return {"Cookie": f"{'__Host-dunwell' if secure else 'dunwell'}={token}"}


def from_our_page(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers of a form that a page of the console sends."""
    return headers | {"Sec-Fetch-Site": "same-origin"}

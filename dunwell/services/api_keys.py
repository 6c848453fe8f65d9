"""API keys: made, revoked, and recognised.

A key is `dwl_`, 30 random characters and a checksum of 6, which tells a mistyped key from an unknown one without the
database. A name may have two live keys, so that a program can change to the new one before the old one ends.
"""

import logging
import re
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from zlib import crc32

from sqlalchemy.exc import SQLAlchemyError

from dunwell.domain.evidence import digest
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.services.random_ids import random_id
from dunwell.store import api_keys, audit
from dunwell.store.database import Database, problem_of
from dunwell.store.tables import ApiKeyRow

PREFIX = "dwl_"
CACHED = timedelta(seconds=30)
"""How long a key that was found is not looked up again: a revoked key may be used for so long."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECKSUM = 30, 6
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_RANDOM}}})([0-9A-Za-z]{{{_CHECKSUM}}})")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_MOST_LIVE = 2
_MOST_DAYS = 3650
_MOST_CACHED = 10_000
_USE_EXACT_TO = timedelta(minutes=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewKey:
    """A key that was made. `key` is shown now and never again."""

    key_id: str
    key: str


def is_well_formed(text: str) -> bool:
    """Whether a text can be a key: its shape and its checksum are right."""
    match = _SHAPE.fullmatch(text)
    return match is not None and checksum(match[1]) == match[2]


def checksum(text: str) -> str:
    """Return the last characters of a key, over its random ones."""
    number, digits = crc32(text.encode()), ""
    while len(digits) < _CHECKSUM:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


class ApiKeys:
    """The keys of one database. Blocking; safe to share between threads."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._known: dict[str, tuple[float, ApiKeyRow]] = {}
        self._noted: dict[str, datetime] = {}
        self._lock = Lock()

    def create(self, name: str, role: Role, days: int | None, by: Principal, now: datetime) -> NewKey:
        """Make a key that ends after so many days, or never. Raises Refused for a third live key of one name."""
        if not _NAME.fullmatch(name):
            raise Refused("name", "must be 1 to 40 of a-z, 0-9, '.', '_' and '-', such as billing")
        if days is not None and not 1 <= days <= _MOST_DAYS:
            raise Refused("expires", f"must be a number of days from 1 to {_MOST_DAYS}")
        random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
        key, key_id = f"{PREFIX}{random}{checksum(random)}", random_id("key")
        expires = now + timedelta(days=days) if days is not None else None
        with self._database.writing_beside_customers() as session:
            details = {"key": key_id, "role": role, "expires_at": expires}
            audit.append(session, by, f"key/{name}", "key_created", now, details=details)
            # The lock of the name's chain is held: two keys made at once are counted one after the other.
            live = api_keys.live_of(session, name, now)
            if len(live) >= _MOST_LIVE:
                ids = " and ".join(row.key_id for row in live)
                raise Refused("name", f"{name} has two live keys, {ids}: revoke one of them first")
            if live and live[0].role is not role:
                raise Refused("role", f"{name} is {live[0].role.value}: keys of one name have one role")
            row = ApiKeyRow(
                key_id=key_id, name=name, role=role, key_hash=digest(key), created_at=now, expires_at=expires
            )
            api_keys.add(session, row)
        return NewKey(key_id, key)

    def revoke(self, key_id: str, by: Principal, now: datetime) -> None:
        """End a key. Programs that use it are refused within CACHED. Raises Refused for an unknown or ended one."""
        with self._database.writing_beside_customers() as session:
            row = api_keys.get(session, key_id)
            if row is None:
                raise Refused("key", f"{key_id[:60]!r} is not known: `starter.py key list` shows the ids")
            if row.revoked_at is not None:
                raise Refused("key", f"{key_id} was revoked at {row.revoked_at:%Y-%m-%d %H:%M} UTC")
            row.revoked_at = now
            details = {"key": key_id}
            audit.append(session, by, f"key/{row.name}", "key_revoked", now, details=details)
        with self._lock:
            self._known.clear()

    def list(self, now: datetime) -> list[dict[str, Any]]:
        """Return the facts of every key, also of those that ended."""
        with self._database.reading() as session:
            return [_facts(row, now) for row in api_keys.all_keys(session)]

    def principal(self, key: str, now: datetime) -> Principal | None:
        """Return whose key this is; None when it is none, or not live. Notes its use, once a minute."""
        if not is_well_formed(key):
            return None
        row = self._row(digest(key))
        if row is None or not api_keys.is_live(row, now):
            return None
        self._note_use(row.key_id, now)
        return _principal(row)

    def recall(self, key: str, now: datetime) -> Principal | None:
        """Return the same without asking the database; None when it has to be asked. Does not block."""
        with self._lock:
            until, row = self._known.get(digest(key), (0.0, None))
            noted = self._noted.get(row.key_id) if row is not None else None
        if row is None or noted is None or self._clock() >= until or now - noted >= _USE_EXACT_TO:
            return None
        return _principal(row) if api_keys.is_live(row, now) else None

    def _row(self, key_hash: str) -> ApiKeyRow | None:
        with self._lock:
            until, row = self._known.get(key_hash, (0.0, None))
        if row is not None and self._clock() < until:
            return row
        with self._database.reading() as session:
            row = api_keys.by_hash(session, key_hash)
        with self._lock:
            if row is None:
                self._known.pop(key_hash, None)
            else:
                if len(self._known) >= _MOST_CACHED:
                    self._known.clear()
                self._known[key_hash] = (self._clock() + CACHED.total_seconds(), row)
        return row

    def _note_use(self, key_id: str, now: datetime) -> None:
        with self._lock:
            noted = self._noted.get(key_id)
            if noted is not None and now - noted < _USE_EXACT_TO:
                return
            self._noted[key_id] = now
        try:
            with self._database.writing_beside_customers() as session:
                api_keys.note_use(session, key_id, now, _USE_EXACT_TO)
        except SQLAlchemyError as error:  # the request may be answered all the same
            _log.warning("the use of %s was not noted: the database %s", key_id, problem_of(error))


def _principal(row: ApiKeyRow) -> Principal:
    return Principal(PrincipalKind.KEY, id=row.name, name=row.name, role=row.role, credential=row.key_id)


def _facts(row: ApiKeyRow, now: datetime) -> dict[str, Any]:
    state = "live" if api_keys.is_live(row, now) else "revoked" if row.revoked_at else "expired"
    return {
        "key_id": row.key_id,
        "name": row.name,
        "role": row.role,
        "state": state,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "used_at": row.used_at,
    }

"""Remembers requests that carry a key of the caller's choice, so that a repetition is carried out once.

A row in the database remembers, per caller and invoice, and not the engine, which forgets with every new run. A
refused request is forgotten together with its note: nothing was carried out, and the key may be used again.
"""

import asyncio
import json
import logging
import math
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.refusal import Refused
from dunwell.services import told
from dunwell.store import idempotency_keys, notes
from dunwell.store.database import Database, problem_of
from dunwell.store.tables import RequestRow

_KEY = re.compile(r"[!-~]{1,200}")
LEASE = timedelta(seconds=15)
"""How long a request is its process's own. The process renews that while it waits; one that is gone does not."""
RENEWAL = LEASE / 3

_log = logging.getLogger(__name__)


class StillRunning(Exception):
    """The first request of this key has no answer yet. The text says what to do.

    `retry_after`: in how many seconds its repetition is carried out, should its process be gone.
    """

    def __init__(self, key: str, retry_after: int) -> None:
        super().__init__(
            f"The request {key} is being carried out just now: ask for its answer again in {retry_after} s, with the "
            "same key. If its process is gone, it is carried out then."
        )
        self.retry_after = retry_after


@dataclass(frozen=True)
class Note:
    """Free words that go with a request; they stay in the database."""

    text: str
    author: str


@dataclass(frozen=True)
class Request:
    """What somebody wants of a case. `kept`: a row remembers it by its key, which the caller chose."""

    principal: str
    invoice_id: str
    event: str
    key: str
    content: Mapping[str, Any]
    note: Note | None
    kept: bool

    @classmethod
    def of(
        cls,
        *,
        principal: str,
        invoice_id: str,
        event: str,
        key: str | None,
        content: Mapping[str, Any],
        note: Note | None,
    ) -> "Request":
        """Without a key it gets a random one, and no row. Raises Refused for a key that is none."""
        if key is not None and not _KEY.fullmatch(key):
            raise Refused("request_id", "must be 1 to 200 characters of ASCII, without spaces")
        return cls(principal, invoice_id, event, key or uuid4().hex, content, note, kept=key is not None)

    @property
    def request_id(self) -> str:
        """The same for the same request, and never for another."""
        note = self.note.text if self.note else None
        parts = [self.principal, self.invoice_id, self.key, self.event, dict(self.content), note]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def note_id(self) -> str | None:
        return f"note-{self.request_id}" if self.note else None


@dataclass(frozen=True)
class Begun:
    """`answer`: what the first request of this key was answered. `taken`: it has none, but was carried out."""

    answer: dict[str, Any] | None = None
    taken: bool = False


class Idempotency:
    """The requests of one database. Blocking; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        request: Request,
        customer_id: str,
        principal: Principal = SYSTEM,
        payload: Mapping[str, Any] | None = None,
    ) -> Begun:
        """Remember the request, its note and who tells it, or find what became of it.

        payload  the event as it goes to the case, if not as its content

        Raises Refused when the key was used for another request, StillRunning while the first is under way.
        """
        now = datetime.now(UTC)
        with self._database.writing(customer_id) as session:
            if request.kept:
                row = idempotency_keys.get(session, request.principal, request.invoice_id, request.key)
                if row is None:
                    idempotency_keys.add(session, _row(request, now))
                else:
                    _check_same(row, request)
                    if row.answer is not None or row.taken_at is not None:
                        return Begun(row.answer, taken=row.taken_at is not None)
                    if row.leased_until is not None and row.leased_until > now:
                        raise StillRunning(request.key, math.ceil((row.leased_until - now).total_seconds()))
                    row.leased_until = now + LEASE
            told.announce(
                session,
                request.request_id,
                principal,
                request.invoice_id,
                request.event,
                payload or request.content,
                now,
            )
            if request.note is not None and request.note_id is not None:
                notes.add(
                    session,
                    note_id=request.note_id,
                    invoice_id=request.invoice_id,
                    author=request.note.author,
                    text=request.note.text,
                    now=now,
                )
            return Begun()

    @asynccontextmanager
    async def leased(self, request: Request, customer_id: str) -> AsyncIterator[None]:
        """Renew the request's lease for as long as the block runs. Most are answered before the first renewal."""
        if not request.kept:
            yield
            return
        renewing = asyncio.create_task(self._renew(request, customer_id))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, request: Request, customer_id: str) -> None:
        while True:
            await asyncio.sleep(RENEWAL.total_seconds())
            try:
                await asyncio.to_thread(self._renewed, request, customer_id)
            except SQLAlchemyError as error:  # the request itself goes on, and says so if it cannot be kept
                _log.warning("The lease of a request was not renewed: the database %s", problem_of(error))

    def _renewed(self, request: Request, customer_id: str) -> None:
        with self._database.writing(customer_id) as session:
            idempotency_keys.renew(session, request.request_id, datetime.now(UTC) + LEASE)

    def refused(self, request: Request, customer_id: str) -> None:
        """Forget the request and its note, which an earlier attempt without an answer may have left."""
        with self._database.writing(customer_id) as session:
            row = (
                idempotency_keys.get(session, request.principal, request.invoice_id, request.key)
                if request.kept
                else None
            )
            if row is not None and row.request_id == request.request_id:
                idempotency_keys.remove(session, row)
            if request.note_id is not None:
                notes.remove(session, request.note_id)
            told.withdraw(session, request.request_id)

    def answered(self, request: Request, answer: dict[str, Any], customer_id: str) -> None:
        """Keep the answer for every repetition."""
        if request.kept:
            with self._database.writing(customer_id) as session:
                idempotency_keys.answered(session, request.request_id, answer)

    def unanswered(self, request: Request, customer_id: str) -> None:
        """Nobody took the request in time: its repetition, by this key, goes on with it."""
        with self._database.writing(customer_id) as session:
            if idempotency_keys.get(session, request.principal, request.invoice_id, request.key) is None:
                idempotency_keys.add(session, _row(request, datetime.now(UTC)))
            idempotency_keys.answered(session, request.request_id, None)


def _row(request: Request, now: datetime) -> RequestRow:
    return RequestRow(
        principal=request.principal,
        invoice_id=request.invoice_id,
        key=request.key,
        request_id=request.request_id,
        event=request.event,
        first_at=now,
        leased_until=now + LEASE,
    )


def _check_same(row: RequestRow, request: Request) -> None:
    if row.request_id != request.request_id:
        raise Refused(
            "request_id",
            f"was used at {row.first_at:%Y-%m-%d %H:%M} UTC for another request about this invoice ({row.event}): "
            "nothing was done now; a new request needs a new key",
        )

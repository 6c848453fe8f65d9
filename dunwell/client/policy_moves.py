"""Moves running cases to another version of their policy: previewed first, then confirmed with each case."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from dunwell.client.bounded import gather
from dunwell.client.cases import Cases
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.case import Case
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.domain.policy_move import Move, preview
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.services.dependencies import Dependencies
from dunwell.services.idempotency import StillRunning
from dunwell.store import cases, policies
from dunwell.store.tables import CaseRow
from dunwell.views.lookup import find_invoice

_REF = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]{0,59})@(?P<version>[1-9][0-9]{0,5})")


@dataclass(frozen=True)
class MoveResult:
    """The answer of a case to its move. `refused` None: it goes on by the new version."""

    invoice_id: str
    refused: str | None = None


def read_ref(field: str, text: str) -> PolicyRef:
    """ "gentle-saas@2". Raises Refused."""
    match = _REF.fullmatch(text)
    if match is None:
        raise Refused(field, f"{text[:60]!r} names no version of a ladder: write it like gentle-saas@2")
    return PolicyRef(name=match["name"], version=int(match["version"]))


def read_seen(path: Path) -> dict[str, str]:
    """Invoice to fingerprint, of a preview kept with --json. Raises Refused."""
    try:
        moves = json.loads(path.read_text(encoding="utf-8"))["moves"]
        return {str(move["invoice_id"]): str(move["fingerprint"]) for move in moves if move["refused"] is None}
    except OSError as error:
        raise Refused("seen", f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except (ValueError, LookupError, TypeError):
        raise Refused("seen", f"{path} is no preview: write one with --json, without --confirm") from None


class PolicyMoves:
    """One move from a version of a ladder to another. Raises Refused when there is no such pair."""

    def __init__(self, deps: Dependencies, ladders: Mapping[str, Policy], old: PolicyRef, new: PolicyRef) -> None:
        if old.name != new.name:
            raise Refused("to", f"is another ladder: a case of {old.name} can only change its version")
        if old.version == new.version:
            raise Refused("to", "is the version it comes from")
        self._deps = deps
        self._from = old
        with deps.database.reading() as session:
            self._old = _stored(session, old)
            self._new = _target(session, ladders, new)

    def preview(self, by: str, invoice_id: str | None = None) -> list[Move]:
        """What the move would change for each running case, or for one. Changes nothing.

        Raises Refused when the one named is unknown or is on another ladder.
        """
        with self._deps.database.reading() as session:
            if invoice_id is not None:
                self._check_on_ladder(session, invoice_id)
            return [self._preview(session, row, case, by) for row, case in self._candidates(session, invoice_id)]

    async def confirm(self, talk: Cases, moves: Sequence[Move], principal: Principal) -> list[MoveResult]:
        """Send each case its move, told by `principal`, with the fingerprint of the preview.

        A case that has changed since refuses.
        """
        await asyncio.to_thread(self._register)
        return await gather(_tell(talk, move, principal) for move in moves)

    def _candidates(self, session: Session, invoice_id: str | None) -> list[tuple[CaseRow, Case]]:
        if invoice_id is None:
            rows = [row for row, _, _ in cases.rows(session)]
        else:
            row = cases.get_row(session, invoice_id)
            rows = [row] if row is not None else []
        found = [(row, Case.model_validate(row.state)) for row in rows]
        return [(row, case) for row, case in found if case.policy == self._from and case.ended is None]

    def _check_on_ladder(self, session: Session, invoice_id: str) -> None:
        find_invoice(session, invoice_id)
        case = cases.get(session, invoice_id)
        if case is None or case.ended:
            raise Refused("invoice", f"{invoice_id} has no running case")
        if case.policy != self._from:
            raise Refused("from", f"{invoice_id} is on {case.policy.name}@{case.policy.version}")

    def _preview(self, session: Session, row: CaseRow, case: Case, by: str) -> Move:
        # A rehearsal has a time of its own, which is known only as of its last step.
        now = row.updated_at if row.rehearsal else max(datetime.now(UTC), row.updated_at)
        calendar = self._deps.case_calendar(session, case, now)
        return preview(case, self._old, self._new, calendar, now, by)

    def _register(self) -> None:
        with self._deps.database.writing() as session:
            try:
                policies.register(session, self._new)
            except policies.PolicyChanged as error:
                raise Refused("to", str(error)) from None


async def _tell(talk: Cases, move: Move, principal: Principal) -> MoveResult:
    content = move.event.model_dump(mode="json")
    try:
        await talk.tell(
            move.invoice_id,
            "policy_moved",
            content,
            principal=principal,
            request_id=f"move-{move.event.fingerprint}",
        )
    except (Refused, StillRunning, NoAnswer, ServerAway) as error:
        return MoveResult(move.invoice_id, str(error))
    return MoveResult(move.invoice_id)


def as_seen(moves: Sequence[Move], seen: Mapping[str, str]) -> tuple[list[Move], list[MoveResult]]:
    """The moves somebody looked at before, each with the fingerprint of then, so that a changed case refuses.

    Beside them the cases that are gone: they ended, or were moved by somebody else.
    """
    here = {move.invoice_id for move in moves}
    gone = [MoveResult(name, "runs on that version no more") for name in sorted(seen.keys() - here)]
    known = [
        move.model_copy(update={"event": move.event.model_copy(update={"fingerprint": seen[move.invoice_id]})})
        for move in moves
        if move.invoice_id in seen
    ]
    return known, gone


def _stored(session: Session, ref: PolicyRef) -> Policy:
    try:
        return policies.load(session, ref.name, ref.version)
    except LookupError:
        raise Refused("from", f"no case was ever started by {ref.name}@{ref.version}") from None


def _target(session: Session, ladders: Mapping[str, Policy], ref: PolicyRef) -> Policy:
    """The version as it was registered, else as its file has it; the two must not differ."""
    written = ladders.get(ref.name)
    try:
        known = policies.load(session, ref.name, ref.version)
    except LookupError:
        if written is None or written.version != ref.version:
            here = f"policies/{ref.name}.toml is version {written.version}" if written else "there is no such file"
            raise Refused("to", f"{ref.name}@{ref.version} is not known: {here}") from None
        return written
    if written is not None and written.version == ref.version and written != known:
        reason = f"policies/{ref.name}.toml differs from version {ref.version} that is in use: raise its version"
        raise Refused("to", reason)
    return known

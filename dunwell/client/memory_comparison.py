"""Compares what a case remembers with the database."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Mark
from dunwell.store import cases, outbox, payments, timeline
from dunwell.store.database import Database
from dunwell.store.tables import CaseRow
from workflows.messages import Carried


@dataclass(frozen=True)
class Compared:
    """What a case remembered, what the database had then, and what is wrong; None: nothing."""

    memory: Carried | None
    why: str | None
    stored: Mark | None = None


def compare(database: Database, memory: Carried, before: Compared | None) -> Compared:
    """Compare once. `before` is the result of the first comparison, if this is the second.

    What was being written from one side to the other at the first one is written at the second.
    """
    case, written = memory.case, memory.written
    with database.reading() as session:
        row = cases.get_row(session, case.invoice_id)
        if row is None:
            return Compared(memory, None)
        stored, kept = cases.mark(row), Case.model_validate(row.state)
        booked = payments.reversed_amounts(session, case.invoice_id)
        lost = outbox.unanswered_ids(session, [one.message_id for one in case.messages])
        untold = lost_lines(session, memory)
    why = None
    known = {one.payment_id: case.money.taken_back(one.payment_id) for one in case.money.receipts}
    if written is not None and stored.precedes(written):
        why = f"the database is older than the case: {_standing(kept)}, the case {_standing(case)}"
    elif lost:
        why = f"the database lacks {len(lost)} message(s) that the case knows to have left"
    elif booked != known:
        why = f"{len(booked)} payment(s) are booked, the case knows {len(known)}, or not the same reversals"
    elif untold:
        why = f"the database lacks {untold} line(s) of the timeline that the case has read there"
    elif written is not None and stored.has_events_unknown_to(case.mark, written) and _stays(before, case.mark):
        why = f"the case is older than the database: {_standing(case)}, the database {_standing(kept)}"
    return Compared(memory, why, stored)


def lost_lines(session: Session, memory: Carried) -> int:
    """Return how many lines of the timeline the case has from the database, or wrote there, that are not in it."""
    unsaved = {entry.key for entry in memory.unsaved}
    kept = [entry.key for entry in memory.timeline if entry.key not in unsaved]
    return len(timeline.unknown_keys(session, memory.case.invoice_id, kept))


def _stays(before: Compared | None, case: Mark) -> bool:
    """Whether the case has not changed since the first comparison; before that it may be about to catch up."""
    return before is None or before.stored is None or case.turns < before.stored.turns or before.why is not None


def _standing(case: Case) -> str:
    return f"has {case.stage.value}, {case.open_amount} {case.currency} open"


def open_amount(row: CaseRow) -> float:
    """As the search attribute has it."""
    return float(Case.model_validate(row.state).open_amount)

"""Begins and ends the standstill of the installation, and delays messages and consequences while it is in force."""

from datetime import datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from dunwell.domain.keys import StepId
from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.standstill import Decision, Standstill
from dunwell.domain.timeline import Entry
from dunwell.services.contact_caps import TooOften
from dunwell.services.dispatch import Dispatch
from dunwell.store import accounts, audit, cases, customer_pauses, standstills, timeline
from dunwell.store.database import Database
from dunwell.store.tables import CaseRow

_LOOK_AGAIN = timedelta(hours=1)
_LOOK_AGAIN_IN_REHEARSALS = timedelta(days=1)
"""Longer for a rehearsal, whose days pass in seconds: it must not look a thousand times a minute."""

_AT_ONCE = 200


class Wait(NamedTuple):
    """When to look again, and why nothing leaves now."""

    until: datetime
    why: str
    since: datetime


def wait(session: Session, now: datetime, *, rehearsal: bool) -> Wait | None:
    """The wait that a standstill imposes; None without one. Call in the transaction that claims or acts."""
    standstill = standstills.in_force_until_commit(session)
    if standstill is None:
        return None
    until = now + (_LOOK_AGAIN_IN_REHEARSALS if rehearsal else _LOOK_AGAIN)
    return Wait(until, str(standstill), standstill.since)


def wait_for(session: Session, dispatch: Dispatch) -> Wait | None:
    """The same for one step, which also waits while its customer is paused.

    In such a pause the last word of a case that has ended leaves, and what a person writes to the customer.
    """
    everything = wait(session, dispatch.now, rehearsal=dispatch.rehearsal)
    by_a_person = StepId.parse(dispatch.execution.key.step).persons_answer is not None
    if everything is not None or dispatch.case.ended is not None or by_a_person:
        return everything
    pause = customer_pauses.in_force(session, dispatch.case.customer_id, dispatch.calendar.local_date(dispatch.now))
    if pause is None:
        return None
    until = dispatch.calendar.at(pause.until, time(0)) if pause.until else dispatch.now + timedelta(days=1)
    return Wait(until, f"the whole customer rests ({pause.reason}, by {pause.by})", pause.since)


def forbid(session: Session, dispatch: Dispatch) -> None:
    """Raises TooOften when nothing may leave in this transaction."""
    stands = wait_for(session, dispatch)
    if stands is not None:
        raise TooOften((), stands.until, stands.why)


def begin(database: Database, decision: Decision, now: datetime, principal: Principal = SYSTEM) -> bool:
    """Stop every message and consequence at once, then say so in the timelines. False when one is in force."""
    return _begin(database, decision, now, principal, anew=False)


def begin_anew(database: Database, decision: Decision, now: datetime, principal: Principal) -> Standstill | None:
    """Do the same, in place of a standstill in force, which is returned.

    After a restore that one may be an older one that had long been ended, and what began by itself ends by itself:
    what a person says now counts from now on, until a person ends it.
    """
    with database.reading() as session:
        before = standstills.in_force(session)
    _begin(database, decision, now, principal, anew=True)
    return before


def _begin(database: Database, decision: Decision, now: datetime, principal: Principal, *, anew: bool) -> bool:
    standstill = Standstill(since=now, by=decision.by, reason=decision.reason)
    with database.writing() as session:
        number = standstills.begin(session, standstill, anew=anew)
        if number is not None:
            audit.append(session, principal, "setting/hold", "hold_on", now, reason=decision.reason)
    if number is None:
        return False
    _say(database, f"{_key(number, now)}.begun", str(standstill), now)
    return True


def end(database: Database, decision: Decision, now: datetime, principal: Principal = SYSTEM) -> bool:
    """Let messages and consequences leave again, each when its case looks again. False when none is in force."""
    with database.writing() as session:
        number = standstills.end(session, decision.by, decision.reason, now)
        if number is not None:
            audit.append(session, principal, "setting/hold", "hold_off", now, reason=decision.reason)
    if number is None:
        return False
    said = f"messages and consequences leave again (by {decision.by}: {decision.reason})"
    _say(database, f"{_key(number, now)}.ended", said, now)
    return True


def _key(number: int, now: datetime) -> str:
    """With the time: a database that was restored from an older copy gives the same number once more."""
    return f"standstill.{number}.{now:%Y%m%d%H%M%S}"


def _say(database: Database, key: str, said: str, now: datetime) -> None:
    """A line in the timeline of each open case."""
    with database.reading() as session:
        customers = cases.open_customers(session)
    for first in range(0, len(customers), _AT_ONCE):
        some = customers[first : first + _AT_ONCE]
        with database.writing() as session:
            accounts.lock(session, some)
            kept = cases.open_of(session, some)
            timeline.write_all(session, {row.invoice_id: [_entry(row, key, said, now)] for row in kept})


def _entry(kept: CaseRow, key: str, said: str, now: datetime) -> Entry:
    return Entry(key=key, at=kept.updated_at if kept.rehearsal else now, kind="standstill", reason=said)

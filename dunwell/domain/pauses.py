"""Pauses: asked for by a person, or caused by an interrupted run."""

from datetime import datetime

from dunwell.domain import events as ev
from dunwell.domain.agreements import PauseState
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said


def begun(case: CaseState, event: ev.Pause, now: datetime) -> list[Said]:
    agreements = case.agreements
    if event.until is not None and event.until <= case.today(now):
        raise Refused("until", "must lie after today")
    pause = PauseState(reason=event.reason, by=event.by, since=now, until=event.until)
    end = f"until {event.until}" if event.until else "until somebody resumes"
    if event.scope == "customer":
        former = agreements.customer_pause
        if former is not None and pause == former.model_copy(update={"since": now}):
            return []
        agreements.customer_pause = pause
        return [Said("paused", f"the whole customer, by {event.by} {end}: {event.reason}")]
    agreements.forget_ended("pause")
    agreements.pause = pause
    return [Said("paused", f"by {event.by} {end}: {event.reason}")]


def resumed(case: CaseState, event: ev.Resume, now: datetime) -> list[Said]:
    agreements = case.agreements
    if event.scope == "customer":
        if agreements.customer_pause is None:
            raise Refused("stage", "its customer is not paused")
        agreements.customer_pause = None
        return [Said("resumed", f"the whole customer, by {event.by}")]
    if agreements.pause is None:
        paused = agreements.customer_pause is not None
        raise Refused("stage", "its whole customer is paused: resume the customer" if paused else "it is not paused")
    former, agreements.pause = agreements.pause.former, None
    said = [Said("resumed", f"by {event.by}")]
    if former is not None and (former.until is None or former.until > case.today(now)):
        agreements.pause = former
        said.append(Said("paused", f"by {former.by} as before: {former.reason}"))
    return said


def interrupted(case: CaseState, reason: str, now: datetime) -> list[Said]:
    pause = case.agreements.pause
    if case.ended or (pause is not None and pause.interrupted):
        return []
    until = case.agreements.paused_until
    said = over(case, now) if until is not None and until <= case.today(now) else []  # it ended meanwhile
    pause, rested = case.agreements.pause, case.resting
    case.agreements.pause = PauseState(reason=reason, by="the engine", since=now, interrupted=True, former=pause)
    case.turn(f"interrupted {reason} {now.isoformat()}")
    case.note_rest(rested, now)
    return [*said, Said("paused", f"{reason}: the case rests until a person says whether it ends or goes on")]


def over(case: CaseState, now: datetime) -> list[Said]:
    """The day has come on which the last of its pauses ends."""
    agreements, rested = case.agreements, case.resting
    if not agreements.pauses:
        return []
    until = agreements.paused_until
    agreements.pause = agreements.customer_pause = None
    case.turn(f"pause over {until}")
    # Seen late, after an outage: the days since then are lateness of the ladder and no more rest.
    case.note_rest(rested, min(now, case.begin_of(until)) if until else now)
    return [Said("resumed", f"the pause ended on {until}")]

"""Moves a case to another version of its policy."""

import json
from datetime import datetime, timedelta
from hashlib import sha256

from dunwell.domain import events as ev
from dunwell.domain.policy import PolicyRef
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said

_QUIET_AFTER_MOVE = timedelta(days=1)
"""A move never sends anything by itself: there is a day to look at what it did."""


def fingerprint(case: CaseState, move: ev.PolicyMoved) -> str:
    facts = {
        "invoice": case.invoice_id,
        "revision": case.revision,
        "stage": case.stage.value,
        "steps": [[done.step, done.outcome] for done in case.progress.steps],
        "amounts": [str(case.money.amount.normalize()), str(case.money.paid.normalize())],
        "due_on": case.due_on.isoformat(),
        "policy": [case.policy.name, case.policy.version],
        "move": move.model_dump(mode="json", exclude={"fingerprint", "by"}),
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def moved(case: CaseState, event: ev.PolicyMoved, now: datetime) -> list[Said]:
    """Move the case: drop what only the old version has, and send nothing for a day."""
    _check(case, event, now)
    progress, outstanding, before = case.progress, case.outstanding, case.policy
    passed = progress.passed_over(event.steps)
    case.former.append(before)
    case.policy = PolicyRef(name=event.name, version=event.to_version)
    case.rules = case.rules.model_copy(
        update={
            "promises": event.promises,
            "reactions": event.reactions,
            "grace": event.grace,
            "tolerance": event.tolerance,
        }
    )
    progress.ladder = list(event.steps)
    progress.pass_over(passed)
    outstanding.again = [step for step in outstanding.again if progress.knows(step)]
    outstanding.undecided = [step for step in outstanding.undecided if progress.knows(step)]
    outstanding.stuck = {step: stuck for step, stuck in outstanding.stuck.items() if progress.knows(step)}
    case.next_action = None  # made by the old version
    outstanding.block(now + _QUIET_AFTER_MOVE, None)
    text = f"from {before.name}@{before.version} to @{event.to_version} by {event.by}"
    return [Said("policy_moved", text + (f"; left out: {', '.join(passed)}" if passed else ""))]


def _check(case: CaseState, event: ev.PolicyMoved, now: datetime) -> None:
    """Raises Refused for a move that another one was looked at for, or that comes at a bad moment."""
    if event.name != case.policy.name:
        raise Refused("name", f"the case is on the ladder {case.policy.name}; only its version can change")
    if event.to_version == case.policy.version:
        raise Refused("to_version", f"the case is on version {event.to_version} already")
    if event.fingerprint != fingerprint(case, event):
        raise Refused("fingerprint", "the case has changed since the preview; look at it again")
    if case.next_action is not None and case.next_action.at <= now:
        # The step may be on its way by the old version: what it becomes must be known first.
        raise Refused("stage", f"{case.next_action.step} is being carried out; try again in a moment")

"""Applies outcomes of steps to a case, and a person's decisions about steps."""

from datetime import datetime
from typing import Literal

from dunwell.domain import events as ev
from dunwell.domain import grace
from dunwell.domain.claim_summary import AccessoryClaim
from dunwell.domain.keys import StepId
from dunwell.domain.ladder import StepDone
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said, StepOutcome
from dunwell.domain.terms import AccessoryRule, Stage


def taken(case: CaseState, outcome: StepOutcome) -> list[Said]:  # noqa: PLR0911 - one line a kind of step
    """A step of the ladder, or an answer, came to something."""
    outstanding, step = case.outstanding, outcome.step
    if outcome.status == "stale":
        return []
    case.revision += 1
    if outcome.status == "failed":
        return _cannot(case, outcome)
    of_ladder = StepId.parse(step).message is None and step != grace.GRACE_OVER
    if outcome.round not in {None, case.progress.round} and of_ladder:
        return _of_earlier_round(case, outcome)
    outstanding.stuck.pop(step, None)
    if outcome.claimed is not None:
        case.money.claimed, case.money.claim_until = outcome.claimed, outcome.claim_until
    if outcome.status in {"delayed", "blocked"}:
        outstanding.block(outcome.until, step)
        outstanding.blocked_why = outcome.why
        if outcome.undecided and step not in outstanding.undecided:
            outstanding.undecided.append(step)
        return []
    outstanding.blocked_until = None
    if case.asks_for_accessory(step):
        return _accessory_asked(case, outcome)
    if step == grace.GRACE_OVER:
        return grace.over(case, outcome) if outcome.status == "done" else grace.left_out(case, outcome)
    if step not in outstanding.again and step in outstanding.owed and outcome.status == "done":
        outstanding.last_answer_at = outcome.at
        grace.confirmed(case, step, outcome.at)
    return [] if outstanding.is_behind(step) else _step_of_ladder(case, outcome)


def _accessory_asked(case: CaseState, outcome: StepOutcome) -> list[Said]:
    """The message that asks for interest and costs after the payment had its turn; there is no other."""
    case.outstanding.is_behind(outcome.step)
    left = case.accessory
    if left is None or case.accessory_asked_on is not None or not case.may_ask_for_accessory:
        return []
    if outcome.status == "done" and outcome.claimed is not None:
        case.accessory_asked_on = case.today(outcome.at)
        text = f"{left.shown(case.currency)} were asked for, by {outcome.claim_until}; what does not come is waived"
        return [Said("accessory", text)]
    if outcome.status == "done":  # nobody could be reached, and a task asks a person
        case.accessory = left.model_copy(update={"rule": AccessoryRule.BILL})
        return [Said("accessory", f"{left.shown(case.currency)} are left to a person: no message about them arrived")]
    return _waive_accessory(case, left)


def _waive_accessory(case: CaseState, left: AccessoryClaim) -> list[Said]:
    case.accessory = left.model_copy(update={"rule": AccessoryRule.WAIVE})
    return [Said("accessory", f"{left.shown(case.currency)} are waived: no message about them could leave")]


def _of_earlier_round(case: CaseState, outcome: StepOutcome) -> list[Said]:
    """The due date moved while the step was carried out: it is history, and its hold was released."""
    if outcome.status == "done":
        done = StepDone(step=outcome.step, at=outcome.at, outcome="done", shift=outcome.shift)
        case.progress.former_steps.append(done)
    return []


def _cannot(case: CaseState, outcome: StepOutcome) -> list[Said]:
    """Note that the step lacks a fact. A step of the ladder stays next; an answer is dropped and others follow."""
    step, why = outcome.step, outcome.why
    if case.outstanding.is_behind(step):
        said = [Said("trouble", f"{step} is left out, because it cannot be carried out: {why}")]
        return said + (
            _waive_accessory(case, case.accessory) if case.asks_for_accessory(step) and case.accessory else []
        )
    case.outstanding.block(outcome.until, step)
    case.outstanding.note_stuck(step, why, outcome.at, lasting=True)
    return [Said("trouble", f"{step} cannot be carried out: {why}; {_tried_again(outcome.until)}")]


def _step_of_ladder(case: CaseState, outcome: StepOutcome) -> list[Said]:
    progress, step = case.progress, outcome.step
    if progress.has(step):
        return []
    if outcome.placed_hold and outcome.reopened not in {None, case.reopened}:
        case.call_for_again([step], outcome.at)  # money came and went meanwhile, and the hold with it
        return []
    progress.shift += outcome.shift
    kind: Literal["done", "skipped"] = "skipped" if outcome.status == "skipped" else "done"
    if case.today(outcome.at) > case.due_on:  # what speaks of a due date to come keeps its day, and hurries nothing
        progress.hurry = False
    progress.steps.append(StepDone(step=step, at=outcome.at, outcome=kind, shift=progress.shift))
    progress.legal = progress.legal or outcome.legal
    progress.threatened = progress.threatened or (kind == "done" and outcome.threat)
    if kind == "done":
        progress.announced |= dict.fromkeys(outcome.announces, step)
    if outcome.placed_hold:
        progress.consequences.append(step)
    if outcome.ends and not case.ended:
        return case.end(outcome.ends, "the last step of the ladder", outcome.at)
    if case.ended is Stage.PAID and kind == "done" and len(progress.steps) == 1:
        case.outstanding.owe(case.rules.reactions.paid)  # the money came while the first message was leaving
    return []


def in_trouble(case: CaseState, step: str, why: str, now: datetime, until: datetime) -> list[Said]:
    case.outstanding.block(until, None)
    case.outstanding.note_stuck(step, why, now, lasting=False)
    return [Said("trouble", f"the step could not be carried out ({why}); {_tried_again(until)}")]


def _tried_again(until: datetime | None) -> str:
    return f"tried again at {until:%Y-%m-%d %H:%M} UTC" if until else "it waits for a person"


# A person's decision about a step --------------------------------------------------------------------------------


def decided(case: CaseState, step: str | None, event: ev.CallOutcome, now: datetime) -> list[Said]:
    """Apply the manager's decision about a step that needs approval: it is carried out or left out."""
    if case.ended:
        raise Refused("stage", f"the case has ended ({case.ended.value}); nothing waits for a decision")
    if step is None:
        raise Refused("task_id", "no step of this case waits for this decision")
    if event.outcome not in {"approved", "declined"}:
        raise Refused("outcome", "this task asks for a decision: approved or declined")
    case.outstanding.undecided.remove(step)
    case.outstanding.blocked_until = None
    if event.outcome == "approved":
        case.outstanding.approved.append(step)
        return [Said("approved", f"{step}: yes, by {_who(event)}", ref=event.task_id)]
    case.progress.leave_out(step, now)
    text = f"{step}: declined by {_who(event)}; left out, the ladder goes on"
    return [Said("declined", text, ref=event.task_id)]


def unstuck(case: CaseState, step: str, event: ev.CallOutcome, now: datetime) -> list[Said]:
    """Apply a person's decision about a step that cannot be carried out: it is tried again at once, or left out."""
    if event.outcome not in {"approved", "declined"}:
        raise Refused("outcome", "this task asks whether to try again: approved, or declined to leave it out")
    del case.outstanding.stuck[step]
    case.outstanding.blocked_until = None
    if event.outcome == "approved":
        return [Said("approved", f"{step}: tried again, by {_who(event)}", ref=event.task_id)]
    if step == grace.GRACE_OVER:
        grace.withdrawn(case)
    elif not case.outstanding.is_behind(step):
        case.progress.leave_out(step, now)
    return [Said("declined", f"{step}: left out by {_who(event)}; the rest goes on", ref=event.task_id)]


def _who(event: ev.CallOutcome) -> str:
    return f"{event.by} ({event.reason_code})" if event.reason_code else event.by

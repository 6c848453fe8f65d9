"""Previews the move of a running case to another version of its policy."""

from collections.abc import Iterator, Mapping
from datetime import datetime, time

from dunwell.domain import ladder, next_action
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.events import PolicyMoved
from dunwell.domain.ladder import NextAction
from dunwell.domain.model import Value
from dunwell.domain.policy import Policy, digest_of
from dunwell.domain.refusal import Refused

_UNSEEN = "0" * 16


class Change(Value):
    """What is different about one step that comes before and after the move: "when: ... -> ..."."""

    step: str
    what: tuple[str, ...]


class Move(Value):
    """One case, before and after.

    event    the event for the case, with the fingerprint of what was seen here
    vanish   steps that would have come and will not
    appear   steps that will come and would not have
    changes  steps that come in both versions, but at another time or otherwise
    rules    what the new version says otherwise about the whole ladder, such as its window
    passed   steps of the new version that will not come, because they stand above one that is done
    refused  why this case cannot be moved; None: it can
    """

    invoice_id: str
    event: PolicyMoved
    before: NextAction | None
    after: NextAction | None = None
    vanish: tuple[str, ...] = ()
    appear: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    rules: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    refused: str | None = None


def preview(case: Case, old: Policy, new: Policy, calendar: BusinessCalendar, now: datetime, by: str) -> Move:
    """Move a copy of the case from `old` to `new` at case time `now` and say what became of it."""
    event = _event(case, new, by)
    known = Move(invoice_id=case.invoice_id, event=event, before=case.next_action)
    moved = case.model_copy(deep=True)
    try:
        moved.apply(event, now)
        _check_announced(case, moved, old, new)
    except Refused as refused:
        return known.model_copy(update={"refused": str(refused)})
    # Nothing comes within the quiet day after a move.
    later = max(now, moved.outstanding.blocked_until or now)
    before, after = _to_come(case, old, calendar, now), _to_come(moved, new, calendar, later)
    return known.model_copy(
        update={
            "after": next_action.next_action(moved, new, calendar, now),
            "vanish": tuple(step for step in before if step not in after),
            "appear": tuple(step for step in after if step not in before),
            "changes": tuple(_changes(before, after, old, new)),
            "rules": tuple(_differences(old, new, _NO_RULES)),
            "passed": tuple(case.progress.passed_over(event.steps)),
        }
    )


def _event(case: Case, new: Policy, by: str) -> PolicyMoved:
    event = PolicyMoved(
        name=new.name,
        to_version=new.version,
        fingerprint=_UNSEEN,
        by=by,
        digest=digest_of(new),
        steps=tuple(step.id for step in new.steps),
        promises=new.promises,
        reactions=new.reactions,
        grace=new.grace,
        tolerance=new.tolerance,
    )
    return event.model_copy(update={"fingerprint": case.fingerprint(event)})


def _to_come(case: Case, policy: Policy, calendar: BusinessCalendar, now: datetime) -> dict[str, datetime]:
    """The steps to come if nobody pays or speaks, with their moments."""
    return {line.step: line.at for line in ladder.preview(policy, next_action.standing(case), calendar, now)}


_NO_RULES = frozenset({"name", "version", "title", "language", "steps"})
_NO_MATTER = frozenset({"id", "when", "asks", "days_after_due"})


def _changes(
    before: Mapping[str, datetime], after: Mapping[str, datetime], old: Policy, new: Policy
) -> Iterator[Change]:
    for step in before:
        if step not in after:
            continue
        what = _differences(old.step(step), new.step(step), _NO_MATTER)
        if before[step] != after[step]:
            what.insert(0, f"when: {before[step]:%Y-%m-%d %H:%M} -> {after[step]:%Y-%m-%d %H:%M} UTC")
        if what:
            yield Change(step=step, what=tuple(what))


def _differences(old: Value, new: Value, unimportant: frozenset[str]) -> list[str]:
    """ "window: 09:00-17:00 -> 08:00-18:00": each field in which the two differ."""
    return [
        f"{name}: {_shown(getattr(old, name))} -> {_shown(getattr(new, name))}"
        for name in type(old).model_fields
        if name not in unimportant and getattr(old, name) != getattr(new, name)
    ]


def _shown(value: object) -> str:
    """As people read it: words in a row, only what a group of rules says, "none" for what is not there."""
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, tuple):
        return ", ".join(_shown(one) for one in value) or "none"
    if isinstance(value, Value):
        return ", ".join(f"{name} {_shown(getattr(value, name))}" for name in type(value).model_fields)
    return "none" if value is None else str(value)


def _check_announced(case: Case, moved: Case, old: Policy, new: Policy) -> None:
    """No consequence may come that nobody was or will be warned of. Raises Refused."""
    behind = {done.step for done in moved.progress.steps}
    coming = [step for step in new.steps if step.id not in behind]
    to_be_said = {target for step in coming for target in step.announces}
    said = _announced(case, old)
    for step in coming:
        if (
            step.consequence
            and step.id not in to_be_said
            and step.does not in said
            and step.id not in case.progress.redo
        ):
            reason = f"{step.id} would come unannounced: what announces it stands above a step that is done"
            raise Refused("steps", reason)


def _announced(case: Case, old: Policy) -> set[str | None]:
    """The consequences that the done steps announced to the debtor."""
    done = {one.step for one in case.progress.steps if one.outcome == "done"}
    return {old.step(target).does for step in old.steps if step.id in done for target in step.announces}

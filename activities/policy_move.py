"""Checks a move to another version of a ladder against the version as it is registered."""

from temporalio import activity

from dunwell.domain.events import PolicyMoved
from dunwell.domain.model import MutableValue
from dunwell.domain.policy import digest_of
from dunwell.services.dependencies import Dependencies
from dunwell.store import policies


class Objection(MutableValue):
    """Why a move is refused."""

    field: str
    reason: str


class PolicyMoveActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    @activity.defn(name="check_move")
    def check(self, move: PolicyMoved) -> Objection | None:
        """None when the version is registered and everything the move says of it is true."""
        with self._deps.database.reading() as session:
            try:
                policy = policies.load(session, move.name, move.to_version)
            except LookupError:
                known = policies.versions(session, move.name)
                there = f"; known are {', '.join(map(str, known))}" if known else ""
                return Objection(field="to_version", reason=f"{move.name}@{move.to_version} is not registered{there}")
        if move.digest != digest_of(policy):
            reason = f"is not that of {move.name}@{move.to_version} as it is registered; make the preview anew"
            return Objection(field="digest", reason=reason)
        for field, told, known_as in (
            ("steps", move.steps, tuple(step.id for step in policy.steps)),
            ("promises", move.promises, policy.promises),
            ("reactions", move.reactions, policy.reactions),
        ):
            if told != known_as:
                return Objection(field=field, reason=f"differ from those of {move.name}@{move.to_version}")
        return None

"""Checks a move of a case to another version of its policy."""

from temporalio import activity

from dunwell.domain.events import PolicyMoved
from dunwell.domain.model import MutableValue
from dunwell.domain.refusal import Refused
from dunwell.services.dependencies import Dependencies
from dunwell.services.policy_check import check_move


class Objection(MutableValue):
    """Why a move is refused."""

    field: str
    reason: str


class PolicyMoveActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    @activity.defn(name="check_move")
    def check(self, move: PolicyMoved) -> Objection | None:
        """Return None when the version is registered and all that the move says of it is true; else what is not."""
        try:
            check_move(self._deps.database, move)
        except Refused as refused:
            return Objection(field=refused.field, reason=refused.reason)
        return None

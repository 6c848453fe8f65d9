"""The standstill of a whole installation: while one is in force no message and no consequence leaves."""

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from dunwell.domain.events import Spoken
from dunwell.domain.model import Value
from dunwell.domain.refusal import refusal_of


class Standstill(Value):
    """Since when nothing leaves, who said so and why. Money still counts."""

    since: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        return (
            f"nothing leaves since {self.since:%Y-%m-%d %H:%M} UTC, no message and no consequence; money still "
            f"counts (by {self.by}: {self.reason})"
        )


class Decision(Value):
    """Who begins or ends a standstill, and why: a role or an id, and a short code."""

    by: Spoken
    reason: Spoken


def decision(by: str, reason: str) -> Decision:
    """Raises Refused, naming the field, for what is no role or code: both stand in the engine's history."""
    facts: dict[str, Any] = {"by": by, "reason": reason}
    try:
        return Decision.model_validate(facts)
    except ValidationError as error:
        raise refusal_of(error) from None

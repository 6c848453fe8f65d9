"""The answer to an event that was sent to a case."""

from dataclasses import dataclass
from enum import StrEnum

from workflows.status import Status


class TellOutcome(StrEnum):
    """What became of an event that was sent to a case.

    DONE      the case accepted and recorded it
    ACCEPTED  the case has it and decides about it; the same request again answers what came of it
    SENT      the server keeps it as a signal for the next worker; a refusal would stand in the timeline
    REOPENED  no workflow of this case was running: a new run was started with it
    """

    DONE = "done"
    ACCEPTED = "accepted"
    SENT = "sent"
    REOPENED = "reopened"


@dataclass(frozen=True)
class TellResult:
    """`status` is the case's own answer; None without one. `remark` says what the caller has to know besides."""

    how: TellOutcome
    status: Status | None = None
    remark: str | None = None

"""What whoever tells a case something is answered."""

from dataclasses import dataclass
from enum import StrEnum

from workflows.messages import Status


class TellOutcome(StrEnum):
    """What became of an event that a case was told.

    DONE      the case took it in and wrote it down
    ACCEPTED  the case took it in; the writing is under way and will be done
    SENT      the server keeps it as a signal for the next worker; a refusal would stand in the timeline
    REOPENED  no workflow of this case was running: a new run was started with it
    """

    DONE = "done"
    ACCEPTED = "accepted"
    SENT = "sent"
    REOPENED = "reopened"


@dataclass(frozen=True)
class TellResult:
    """`status` is the case's own answer; None until it has given one. `remark` is what else has to be known."""

    how: TellOutcome
    status: Status | None = None
    remark: str | None = None

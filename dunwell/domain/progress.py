"""The progress of a case on its ladder: steps done, rounds, and the time that the ladder has rested."""

from collections.abc import Collection, Sequence
from datetime import datetime

from pydantic import Field

from dunwell.domain.keys import StepId
from dunwell.domain.ladder import StepDone
from dunwell.domain.model import MutableValue


class Progress(MutableValue):
    """The steps that are behind the case, in the order they happened, and what they did."""

    ladder: list[str] = Field(default_factory=list)  # step ids of the version it was moved to; empty: never moved
    legal: bool = False
    threatened: bool = False  # a consequence was announced, or happened
    steps: list[StepDone] = Field(default_factory=list)
    round: int = 1  # of the ladder, which begins anew when the due date moves into the future
    round_since: datetime | None = None  # when the present round began, if it is not the first
    former_steps: list[StepDone] = Field(default_factory=list)  # of earlier rounds
    shift: int = 0  # seconds the ladder has rested
    rest_since: datetime | None = None
    awake_since: datetime | None = None
    hurry: bool = False  # a promise was broken: the next message does not wait for its day
    hurry_why: str = "a promise was not kept"
    consequences: list[str] = Field(default_factory=list)  # steps that put a hold on the account
    announced: dict[str, str] = Field(default_factory=dict)  # consequences, each with the last step that announced it
    redo: list[str] = Field(default_factory=list)  # steps that a payment undid and that are called for again
    returned: dict[str, int] = Field(default_factory=dict)  # restrictions that came back, each after which grace

    def has(self, step: str) -> bool:
        """Whether the step is behind the case."""
        return any(done.step == step for done in self.steps)

    @property
    def left_out_again(self) -> set[str]:
        """The steps that were called for again and then left out."""
        return {done.step for done in self.steps if done.outcome == "skipped" and done.step in self.redo}

    def leave_out(self, step: str, at: datetime) -> None:
        """Put the step behind the case without doing it."""
        self.steps.append(StepDone(step=step, at=at, outcome="skipped", shift=self.shift))

    def knows(self, step: str) -> bool:
        """Whether the ladder has this step. Answers belong to every ladder."""
        return not self.ladder or step in self.ladder or StepId.parse(step).message is not None

    # Where it stands -------------------------------------------------------------------------------------

    def passed_over(self, ladder: Sequence[str]) -> list[str]:
        """The steps of `ladder` that would come too late: they stand above one that is behind the case.

        What a reversed payment calls for again is none of them: it is due again, wherever it stands.
        """
        behind = {done.step for done in self.steps}
        reached = max((place for place, step in enumerate(ladder) if step in behind), default=0)
        return [step for step in ladder[:reached] if step not in behind and step not in self.redo]

    def pass_over(self, steps: Sequence[str]) -> None:
        """Put the steps behind the case without moving the moments from which other steps are counted."""
        if not steps:
            return
        place = max(n for n, done in enumerate(self.steps) if done.step in self.ladder)
        last = self.steps[place]
        self.steps[place:place] = [
            StepDone(step=step, at=last.at, outcome="skipped", shift=last.shift) for step in steps
        ]

    def undo_consequences(self) -> list[StepDone]:
        """Make the done consequences due again, and the last announcement of each that is still to come.

        Earlier warnings stay done. Returns the steps that are due again.
        """
        behind = {done.step for done in self.steps if done.step not in self.consequences}
        again = {*self.consequences, *(step for what, step in self.announced.items() if what not in behind)}
        undone = [done for done in self.steps if done.step in again]
        self.steps = [done for done in self.steps if done not in undone]
        self.consequences.clear()
        return undone

    def begin_anew(self, keep: Collection[str], now: datetime, *, rests: bool) -> None:
        """Begin another round: steps done about the old due date do not count, except the steps `keep`."""
        self.former_steps += [done for done in self.steps if done.step not in keep]
        self.steps = [done.model_copy(update={"shift": 0}) for done in self.steps if done.step in keep]
        self.round, self.round_since = self.round + 1, now
        self.shift, self.awake_since, self.rest_since = 0, None, now if rests else None
        self.hurry = self.legal = self.threatened = False
        self.consequences.clear()
        self.announced.clear()
        self.returned.clear()
        self.redo.clear()

    # How time counts -------------------------------------------------------------------------------------

    def note_rest(self, now: datetime, *, rested: bool, rests: bool) -> None:
        """Note that a rest begins or ends. When it ends, the steps to come move by its length."""
        if rests and not rested:
            self.rest_since = now
        elif rested and not rests:
            if self.rest_since is not None:
                self.shift += max(int((now - self.rest_since).total_seconds()), 0)
            self.rest_since = None
            self.awake_since = now

    def wake(self, now: datetime) -> None:
        """End the rest without moving the steps to come by its length."""
        self.rest_since, self.awake_since = None, now

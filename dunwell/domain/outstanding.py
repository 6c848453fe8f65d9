"""What a case still owes: answers to send, steps to try once more, and what keeps a step from being carried out."""

from datetime import datetime

from pydantic import Field

from dunwell.domain.keys import StepId
from dunwell.domain.model import MutableValue


class Stuck(MutableValue):
    """A step that cannot be carried out since `since`, and why.

    lasting  a fact is missing, which does not come by itself; otherwise a provider may only be away
    """

    why: str
    since: datetime
    lasting: bool = False


class Outstanding(MutableValue):
    """See the module. Steps by their ids; an answer's is "<message key>~<n>"."""

    owed: list[str] = Field(default_factory=list)  # answers still to be sent
    reminded: list[str] = Field(default_factory=list)  # reminders of agreed days that had their turn
    last_answer_at: datetime | None = None
    answers: int = 0  # how many answers were ever owed: makes each one's step id unique
    corrects_after: int | None = None  # the correction speaks of answers later than this: they thanked for a mistake
    blocked_until: datetime | None = None  # a step that may not happen yet is looked at again then
    blocked_why: str | None = None  # what it waits for, where that is more than a better hour
    blocked_step: str | None = None  # that step; None means whichever comes next
    stuck: dict[str, Stuck] = Field(default_factory=dict)  # steps that cannot be carried out
    again: list[str] = Field(default_factory=list)  # done steps whose message bounced: reach further
    undecided: list[str] = Field(default_factory=list)  # steps that wait for our manager's yes
    approved: list[str] = Field(default_factory=list)  # steps that have it

    # Answers ---------------------------------------------------------------------------------------------

    def owe(self, message: str | None) -> str | None:
        """Have the message sent. Returns the step that sends it; None without a message."""
        if not message:
            return None
        if self.blocked_step is None:
            self.blocked_until = None  # the quiet day after a move does not hold back an answer
        self.answers += 1
        step = str(StepId(name=message, occasion=str(self.answers)))
        self.owed.append(step)
        return step

    def answer(self, answer_id: str) -> None:
        """Have a person's answer to a reply sent, before all else."""
        step = str(StepId(name=StepId.ANSWER, occasion=answer_id, agreed=True))
        persons = self._persons_answers
        self.owed = [*persons, step, *(owed for owed in self.owed if owed not in persons)]

    @property
    def _persons_answers(self) -> list[str]:
        return [owed for owed in self.owed if StepId.parse(owed).persons_answer is not None]

    def owes(self, message: str | None) -> bool:
        """Whether the message is still to be sent, or sent elsewhere because it did not arrive."""
        return any(StepId.parse(step).name == message for step in (*self.owed, *self.again))

    def drop(self, message: str | None) -> None:
        """What has been replaced is not confirmed any more, when that was not sent yet."""
        self.owed = [owed for owed in self.owed if StepId.parse(owed).name != message]

    def replace(self, message: str | None) -> str | None:
        """Have the message sent instead of an earlier one of its kind. Returns the step that sends it."""
        self.drop(message)
        return self.owe(message)

    def drop_but(self, message: str | None) -> None:
        """No other answer is owed any more, but what a person answers."""
        kept = self._persons_answers
        self.owed = [owed for owed in self.owed if owed in kept or StepId.parse(owed).name == message]

    def is_behind(self, step: str) -> bool:
        """Take note that an answer, a reminder of an agreed day or one more try is over. False: it is none.

        When a message fails while its step is carried out for the first time, the step stays due: it is carried out
        once more, skips whom it has reached, and reaches further where it has not.
        """
        if step in self.again:
            self.again.remove(step)
        elif step in self.owed:
            self.owed.remove(step)
        elif StepId.parse(step).message is not None:
            self.reminded.append(step)  # or an answer that ceased to be owed while it left
        else:
            return False
        return True

    # Obstacles -------------------------------------------------------------------------------------------

    def block(self, until: datetime | None, step: str | None) -> None:
        """Look again at `until`; `step` None holds up whichever comes next."""
        self.blocked_until, self.blocked_step = until, step

    def not_before(self, step: str) -> datetime | None:
        """When `step`, which could not be carried out, is looked at again."""
        return self.blocked_until if self.blocked_step in {None, step} else None

    def note_stuck(self, step: str, why: str, now: datetime, *, lasting: bool) -> None:
        """Remember why the step cannot be carried out, and since when."""
        known = self.stuck.get(step)
        since = known.since if known is not None else now
        self.stuck[step] = Stuck(why=why, since=since, lasting=lasting)

    # Ends ------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """The case has ended: only what a person answers is wanted still. What was approved stays known."""
        self.owed = self._persons_answers
        for waiting in (self.again, self.undecided, self.stuck):
            waiting.clear()

    def begin_anew(self, still_owed: str | None) -> None:
        """The due date moved into the future: but for the answer `still_owed`, all of it speaks of the old one."""
        self.block(None, None)
        for noted in (self.again, self.undecided, self.approved, self.stuck):
            noted.clear()
        self.drop_but(still_owed)

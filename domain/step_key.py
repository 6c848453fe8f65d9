"""The key under which a step's messages are claimed: the step, and which time it is carried out."""

import re

from domain.model import Value
from domain.terms import COPY

_KEY = re.compile(r"(?P<step>[^.]*)(\.round(?P<round>\d+))?(\.again(?P<again>\d+))?(?P<copy>\.copy)?")


class StepKey(Value):
    """Written "restrict", "restrict.round2", "restrict.again1" or "restrict.round2.again1.copy".

    round  of the ladder: it begins anew when the due date moves into the future
    again  how often the case had been reopened when a returned payment called for the step once more; 0: not at all
    copy   whether the message is a copy for information
    """

    step: str
    round: int = 1
    again: int = 0
    copied: bool = False

    @classmethod
    def parse(cls, text: str) -> "StepKey":
        """Anything after a point that is no such mark is left out: keys are made here alone."""
        found = _KEY.match(text)
        if found is None:
            return cls(step=text)
        return cls(
            step=found["step"],
            round=int(found["round"] or 1),
            again=int(found["again"] or 0),
            copied=found["copy"] is not None,
        )

    def __str__(self) -> str:
        marks = [f".round{self.round}"] if self.round > 1 else []
        marks += [f".again{self.again}"] if self.again else []
        return "".join([self.step, *marks, COPY if self.copied else ""])

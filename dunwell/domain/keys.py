"""Keys with several parts, which are stored and passed around as one text: built and read here alone.

No key names a person. What the parts are is said at each class.
"""

import re
import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import ClassVar

from dunwell.domain.channels import Channel
from dunwell.domain.model import Value
from dunwell.domain.terms import Level

_AGREED, _OCCASION, _COPY = "@", "~", ".copy"
_STEP_KEY = re.compile(
    r"(?P<step>[^.]*)(\.round(?P<round>\d+))?(\.again(?P<again>\d+))?(\.grace(?P<grace>\d+))?(?P<copy>\.copy)?"
)
_ATTEMPT = re.compile(r"(?P<name>.*)~(?P<attempt>[2-9]|[1-9][0-9]+)", re.DOTALL)
_UNFIT_FOR_A_TASK = re.compile(r"[^\w.:~-]")
_LONGEST_TASK_ID = 200
_CHANGED_AT = "%Y%m%dT%H%M%S"
_MESSAGES = uuid.UUID("6b2d8f3e-5f0a-4f5e-9a53-0d0a6c1e7b11")

UNPOSTED = "unposted"
"""The topic of a task about a letter of which nobody said that it was posted."""

COPIES = f"%{_COPY}"
"""What the step keys of copies look like, for the database's LIKE."""


class StepId(Value):
    """What a case can carry out.

    "restrict"                a step of its ladder
    "promise-confirmed~2"     an answer: the message, and which answer of the case it is
    "promise-due~2027-03-19"  a reminder of a day agreed: the message, and the day
    "@promise"                such a day itself, when it has come; no ladder can use this name
    "@answer~17"              a person's answer to a reply, by its id
    """

    ANSWER: ClassVar[str] = "answer"

    name: str
    occasion: str | None = None
    agreed: bool = False

    @classmethod
    def parse(cls, text: str) -> "StepId":
        name, mark, occasion = text.partition(_OCCASION)
        agreed = name.startswith(_AGREED)
        return cls(name=name[1:] if agreed else name, occasion=occasion if mark else None, agreed=agreed)

    @property
    def message(self) -> str | None:
        """The message key of an answer or a reminder; None for a step of the ladder, which says it itself."""
        return None if self.occasion is None else self.name

    @property
    def persons_answer(self) -> str | None:
        """The id of a person's answer to a reply; None for anything else."""
        return self.occasion if self.agreed and self.name == self.ANSWER else None

    def __str__(self) -> str:
        text = f"{_AGREED}{self.name}" if self.agreed else self.name
        return text if self.occasion is None else f"{text}{_OCCASION}{self.occasion}"


class StepKey(Value):
    """The key under which a step's messages are claimed: the step, and which time it is carried out.

    Written "restrict", "restrict.round2", "restrict.again1", "restrict.grace1" or "restrict.round2.again1.copy".

    step   its id
    round  of the ladder: it begins anew when the due date moves into the future
    again  how often consequences had come to be due anew when the step was called for once more; 0: not at all
    grace  after which grace it was carried out once more; 0: after none
    copied whether the message is a copy for information
    """

    step: str
    round: int = 1
    again: int = 0
    grace: int = 0
    copied: bool = False

    @classmethod
    def parse(cls, text: str) -> "StepKey":
        """Anything after a point that is no such mark is left out."""
        found = _STEP_KEY.match(text)
        if found is None:
            return cls(step=text)
        return cls(
            step=found["step"],
            round=int(found["round"] or 1),
            again=int(found["again"] or 0),
            grace=int(found["grace"] or 0),
            copied=found["copy"] is not None,
        )

    def of_copies(self) -> "StepKey":
        """The key of copies of this message."""
        return self.model_copy(update={"copied": True})

    def of_original(self) -> "StepKey":
        """The key of the message itself, of which this may be a copy."""
        return self.model_copy(update={"copied": False})

    def __str__(self) -> str:
        marks = [_round(self.round)]
        marks += [f".again{self.again}"] if self.again else []
        marks += [f".grace{self.grace}"] if self.grace else []
        return "".join([self.step, *marks, _COPY if self.copied else ""])


class MessageKey(Value):
    """What makes a message one and the same.

    address_key  only for one more message to a contact whose address changed, and changed back
    """

    invoice_id: str
    step: StepKey
    contact_id: str
    channel: Channel
    address_key: str | None = None

    @property
    def message_id(self) -> str:
        """A digest of the parts: always the same for the same parts, and without anything readable about them."""
        step = str(self.step) if self.address_key is None else f"{self.step}/{self.address_key}"
        return uuid.uuid5(_MESSAGES, "/".join((self.invoice_id, step, self.contact_id, self.channel.value))).hex


class TaskId(Value):
    """A task for a person: what it is about, and which attempt this is, as "INV-17.final-notice.user~2"."""

    name: str
    attempt: int = 1

    @classmethod
    def of(cls, about: str, *topic: str | int | StepKey) -> "TaskId":
        """The first task of this `topic` about an invoice, a customer or a message.

        Characters that no task id may have are replaced, so that a person can name every task.
        """
        wanted = ".".join([about, *map(str, topic)]).replace(_AGREED, _OCCASION)
        name = _UNFIT_FOR_A_TASK.sub("-", wanted)
        if name != wanted or len(name) > _LONGEST_TASK_ID:
            # Two payments whose ids differ in such characters only are two tasks.
            digest = sha256(wanted.encode()).hexdigest()[:8]
            name = f"{name[: _LONGEST_TASK_ID - len(digest) - 1]}-{digest}"
        return cls(name=name)

    @classmethod
    def parse(cls, text: str) -> "TaskId":
        found = _ATTEMPT.fullmatch(text)
        return cls(name=text) if found is None else cls(name=found["name"], attempt=int(found["attempt"]))

    def next(self) -> "TaskId":
        """The task of the next attempt."""
        return self.model_copy(update={"attempt": self.attempt + 1})

    def is_of(self, about: str, topic: str) -> bool:
        """Whether it is about that, and its topic is or begins with this word."""
        return f"{self.name}.".startswith(f"{about}.{topic}.")

    def __str__(self) -> str:
        return self.name if self.attempt == 1 else f"{self.name}{_OCCASION}{self.attempt}"


def task_ending(topic: str) -> str:
    """What the database adds to an invoice's or message's id for the id of its task of this topic."""
    return f".{topic}"


def anew(reopened: int, round_: int) -> str:
    """The mark in the ids of tasks after consequences came to be due anew, or of a later round of the ladder."""
    return (str(reopened) if reopened else "") + _round(round_)


def _round(number: int) -> str:
    return f".round{number}" if number > 1 else ""


class HoldId(Value):
    """The hold of an invoice on its customer's account: the how manieth of its level."""

    invoice_id: str
    level: Level
    number: int

    @classmethod
    def parse(cls, text: str) -> "HoldId":
        """Raises ValueError for another text."""
        invoice_id, level, number = _last_two(text)
        return cls(invoice_id=invoice_id, level=Level(level), number=int(number))

    def __str__(self) -> str:
        return f"{self.invoice_id}.{self.level.value}.{self.number}"


class AccessChangeId(Value):
    """A change of what an account may do: the how manieth of its customer, and when.

    With its time, for after a restore the numbers begin again, and the product knows each id once.
    """

    customer_id: str
    number: int
    at: datetime

    @classmethod
    def parse(cls, text: str) -> "AccessChangeId":
        """Raises ValueError for another text. The time has no fraction of a second."""
        customer_id, number, at = _last_two(text)
        moment = datetime.strptime(at, _CHANGED_AT).replace(tzinfo=UTC)
        return cls(customer_id=customer_id, number=int(number), at=moment)

    def __str__(self) -> str:
        return f"{self.customer_id}.{self.number}.{self.at.astimezone(UTC):{_CHANGED_AT}}"


class ContactId(Value):
    """A person to contact at a customer: their role, and a number within it."""

    customer_id: str
    role: str
    number: str

    @classmethod
    def parse(cls, text: str) -> "ContactId":
        """A text of another form is wholly a number, of nobody."""
        try:
            customer_id, role, number = _last_two(text)
        except ValueError:
            return cls(customer_id="", role="", number=text)
        return cls(customer_id=customer_id, role=role, number=number)

    @property
    def count(self) -> int:
        """The number as one; zero when it is none."""
        return int(self.number) if self.number.isascii() and self.number.isdigit() else 0

    def __str__(self) -> str:
        return ".".join(part for part in (self.customer_id, self.role, self.number) if part)


def _last_two(text: str) -> tuple[str, str, str]:
    """A key's first part, which may hold points itself, and its last two. Raises ValueError."""
    first, second, third = text.rsplit(".", 2)
    return first, second, third

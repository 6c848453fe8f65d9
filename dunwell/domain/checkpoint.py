"""What a case remembers of its payments and messages: enough to complete a database restored from an older copy.

Ids, amounts and dates only, because all of it stands in the engine's history.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from dunwell.domain.channels import Channel
from dunwell.domain.model import MutableValue, Value
from dunwell.domain.terms import Head


class Receipt(MutableValue):
    """A payment as it came in. `from_invoice`: it is credit of that invoice."""

    payment_id: str
    amount: Decimal
    received_at: datetime
    method: str | None = None
    from_invoice: str | None = None
    designation: Head | None = None


class Reversal(MutableValue):
    """What was taken back of a payment, when and why. `key` tells it from other reversals of the same payment."""

    payment_id: str
    key: str
    amount: Decimal
    at: datetime
    reason: str


class Sent(MutableValue):
    """A message that a provider has or may have. `carried`: the step it carries, by invoice. `gone`: it came back."""

    message_id: str
    contact_id: str
    channel: Channel
    message: str
    at: datetime
    carried: dict[str, str]
    gone: bool = False


class Mark(Value):
    """How far a copy of a case is.

    turns   how many events and agreed days have changed it
    digest  over them, so that two copies with different events differ
    """

    revision: int = 0
    turns: int = 0
    digest: str = ""

    def precedes(self, other: "Mark") -> bool:
        """Whether this copy lacks something that the other has.

        A step that was under way while a database was restored counts the revision up, and no turn.
        """
        return self.revision < other.revision or self.turns < other.turns

    def has_events_unknown_to(self, case: "Mark", written: "Mark") -> bool:
        """Whether this copy in the database has events that a workflow's case never got.

        written: the mark of the database's copy in the last answer that the workflow got.
        """
        return self.digest not in {case.digest, written.digest} and self.turns >= written.turns

    def later(self, other: "Mark | None") -> "Mark":
        """The one of the two that is further on."""
        return self if other is None or (self.turns, self.revision) >= (other.turns, other.revision) else other


def merged(known: Iterable[Sent], newer: Iterable[Sent]) -> list[Sent]:
    """The messages of both, oldest first; of one in both, the version in `newer`."""
    by_id = {sent.message_id: sent for sent in (*known, *newer)}
    return sorted(by_id.values(), key=lambda sent: (sent.at, sent.message_id))

"""How many messages arrived."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dunwell.domain.terms import MessageState


@dataclass(slots=True)
class Deliveries:
    """Messages of one channel that a provider took. `unconfirmed`: nothing was heard of them by then."""

    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    failed: int = 0
    unconfirmed: int = 0

    def add(self, state: MessageState | None, number: int) -> None:
        """Count so many messages in this state; None: nothing was heard of them."""
        self.sent += number
        match state:
            case MessageState.DELIVERED:
                self.delivered += number
            case MessageState.BOUNCED:
                self.bounced += number
            case MessageState.FAILED:
                self.failed += number
            case _:
                self.unconfirmed += number

    @property
    def share(self) -> Decimal | None:
        """What was delivered, in per cent of what was sent; None when nothing was."""
        return Decimal(self.delivered) / self.sent * 100 if self.sent else None


def total(some: Iterable[Deliveries]) -> Deliveries:
    """Return the sum over channels."""
    found = Deliveries()
    for one in some:
        found.sent += one.sent
        found.delivered += one.delivered
        found.bounced += one.bounced
        found.failed += one.failed
        found.unconfirmed += one.unconfirmed
    return found

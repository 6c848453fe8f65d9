"""What a case has to be told about one payment, from everything that its provider said of it, in any order.

Nothing here depends on the order in which facts arrived: they are added up, compared with what is booked, and the
difference is told. So repeated, late and overtaking events end in the same amounts.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from dunwell.domain.billing_events import CreditNoted, Fact, Paid, RefundedInAll, TakenBack
from dunwell.domain.refusal import Refused

REFUND, DISPUTE = "refund", "dispute"
"""The reasons of reversals that are told here."""

REFUND_UNDONE, DISPUTE_WON = "refund-undone", "dispute-won"
COME_BACK = frozenset({REFUND_UNDONE, DISPUTE_WON})
"""The methods of payments by which money came back that had gone."""

_NOTHING = Decimal(0)


@dataclass
class Booked:
    """A payment as it is booked: what came in, and each reversal with its reason."""

    amount: Decimal
    reversals: dict[str, tuple[Decimal, str]] = field(default_factory=dict)

    @property
    def left(self) -> Decimal:
        return self.amount - sum((amount for amount, _ in self.reversals.values()), _NOTHING)

    def taken(self, reason: str) -> Decimal:
        """Return how much went back for this reason."""
        return sum((amount for amount, why in self.reversals.values() if why == reason), _NOTHING)


@dataclass(frozen=True)
class News:
    """An event that a case has to be told, by its name in domain.events."""

    name: str
    content: Mapping[str, Any]


def news(payment_id: str, facts: Sequence[Fact], booked: Mapping[str, Booked]) -> list[News]:
    """Return what a case has to be told about the payment, in order; empty when all of it is booked.

    `booked` holds the payment and what came back of it under ids of its own, by id.

    Raises Refused when a payment is taken back that nobody reported, and when two amounts of it were reported.
    """
    return _Account(payment_id, facts, booked).news()


def named_first(facts: Iterable[Fact], of: str) -> str | None:
    """Return the first name of this kind that a fact has, the highest rank first.

    of  invoice_id, number, billed or payment_id
    """
    ranked = sorted((one for one in facts if hasattr(one, "named")), key=lambda one: -getattr(one, "rank", 0))
    return next((name for one in ranked if (name := getattr(one.named, of))), None)


def free_key(key: str, taken: Container[str]) -> str:
    """Return the key, or with a number when it is taken: the same sum may go back, come back, and go back again."""
    return next(name for number in count(1) if (name := f"{key} ({number})" if number > 1 else key) not in taken)


class _Account:
    """The amounts of one payment while it is compared: `booked` grows with each piece of news."""

    def __init__(self, payment_id: str, facts: Sequence[Fact], booked: Mapping[str, Booked]) -> None:
        self._id, self._facts = payment_id, facts
        self._booked = {name: Booked(one.amount, dict(one.reversals)) for name, one in booked.items()}
        self._told: list[News] = []

    def news(self) -> list[News]:
        self._take_in()
        if self._id in self._booked:
            self._balance_refunds()
            self._balance_disputes()
        elif any(isinstance(one, TakenBack | RefundedInAll) for one in self._facts):
            raise Refused("payment", "is taken back, and nobody has reported that it came in")
        return self._told

    # What came in ----------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        paid = [one for one in self._facts if isinstance(one, Paid)]
        if not paid or self._id in self._booked:
            return
        best = [one for one in paid if one.rank == max(fact.rank for fact in paid)]
        if len({(one.amount, one.currency) for one in best}) > 1:
            amounts = " and ".join(sorted(f"{one.amount} {one.currency}" for one in best))
            raise Refused("amount", f"is reported twice and differs: {amounts}")
        first = min(best, key=lambda one: one.at)
        self._pay(self._id, first.amount, first.at, first.method, first.currency, first.designation)

    # What went back --------------------------------------------------------------------------------------

    def _balance_refunds(self) -> None:
        """Refunds add up to what all of them together came to, less those that failed or were never owed."""
        refunds = self._items(REFUND)
        totals = [one.amount for one in self._facts if isinstance(one, RefundedInAll)]
        went = max([*totals, sum((one.amount for one in refunds.values()), _NOTHING)])
        back = {name: one.amount for name, one in refunds.items() if one.returned}
        back |= {name: amount for name, amount in self._credited().items() if name not in back}
        came_back = sum(back.values(), _NOTHING)
        told = sum((one.taken(REFUND) for one in self._booked.values()), _NOTHING)
        told_back = sum((self._booked[name].amount for name in refunds if name in self._booked), _NOTHING)
        owed = (went - came_back) - (told - told_back)
        at = max((one.at for one in self._facts if isinstance(one, RefundedInAll | TakenBack)), default=None)
        if owed > 0:
            self._take(owed, REFUND, f"{self._id} refunded {went - came_back}", at)
        for name, amount in sorted(back.items()):
            if owed < 0 and name not in self._booked:
                again = min(amount, -owed)
                self._pay(name, again, at, REFUND_UNDONE)
                owed += again

    def _balance_disputes(self) -> None:
        for name, one in sorted(self._items(DISPUTE).items()):
            taken = any(name in booked.reversals for booked in self._booked.values())
            if not taken and not one.returned:
                self._take(one.amount, DISPUTE, name, one.at)
            elif taken and one.returned and name not in self._booked:
                amount = sum(
                    (booked.reversals[name][0] for booked in self._booked.values() if name in booked.reversals),
                    _NOTHING,
                )
                self._pay(name, amount, one.at, DISPUTE_WON)

    def _items(self, reason: str) -> dict[str, TakenBack]:
        """Return each refund or dispute as it stands: once returned, always returned; the largest amount counts."""
        found: dict[str, TakenBack] = {}
        for one in self._facts:
            if isinstance(one, TakenBack) and one.reason == reason:
                known = found.get(one.item_id, one)
                found[one.item_id] = known.model_copy(
                    update={
                        "returned": known.returned or one.returned,
                        "amount": max(known.amount, one.amount),
                        "at": min(known.at, one.at),
                    }
                )
        return found

    def _credited(self) -> dict[str, Decimal]:
        """Return the refunds of this payment that a valid credit note covers: they lower claim and payment alike."""
        notes: dict[str, CreditNoted] = {}
        for one in self._facts:
            if isinstance(one, CreditNoted) and not (known := notes.get(one.note_id, one)).void:
                notes[one.note_id] = one if one.void else known
        ours = self._items(REFUND)
        covered: dict[str, Decimal] = {}
        for note in notes.values():
            for refund, amount in {} if note.void else note.refunds.items():
                if refund in ours:
                    covered[refund] = min(ours[refund].amount, covered.get(refund, _NOTHING) + amount)
        return covered

    # Telling ---------------------------------------------------------------------------------------------

    def _pay(
        self,
        payment_id: str,
        amount: Decimal,
        at: datetime | None,
        method: str | None,
        currency: str | None = None,
        designation: str | None = None,
    ) -> None:
        content = {
            "payment_id": payment_id,
            "amount": str(amount),
            "currency": currency or self._currency,
            "received_at": at.isoformat() if at else None,
            "method": method,
            "designation": designation,
            "from_provider": True,
        }
        self._booked[payment_id] = Booked(amount)
        self._tell("payment_received", content)

    def _take(self, amount: Decimal, reason: str, key: str, at: datetime | None) -> None:
        """Take so much back, from this payment first, then from what had come back of it; never more than is left."""
        rest = amount
        came = [one.at for one in self._facts if isinstance(one, Paid)]
        at = max(at, *came) if at is not None and came else at  # a case takes nothing back before it came
        for payment_id in (self._id, *sorted(name for name in self._booked if name != self._id)):
            booked = self._booked[payment_id]
            part = min(rest, booked.left)
            if part <= 0:
                continue
            name = free_key(key, booked.reversals)
            content = {
                "payment_id": payment_id,
                "reason": reason,
                "amount": str(part),
                "reversal_id": name,
                "reversed_at": at.isoformat() if at else None,
            }
            booked.reversals[name] = (part, reason)
            rest -= part
            self._tell("payment_reversed", content)

    def _tell(self, name: str, content: Mapping[str, Any]) -> None:
        self._told.append(News(name, {key: value for key, value in content.items() if value is not None}))

    @property
    def _currency(self) -> str:
        return next(one.currency for one in self._facts if isinstance(one, Paid | TakenBack | RefundedInAll))

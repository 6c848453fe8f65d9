"""The open heads of one claim and the payments that met them: unrounded, one event at a time."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction

from dunwell.domain.terms import Head

_NOTHING = Fraction(0)


class Bucket(StrEnum):
    """What is kept apart inside a claim: its heads, and of the interest the part that bears interest itself."""

    PRINCIPAL = Head.PRINCIPAL
    INTEREST = Head.INTEREST
    CAPITALISED = "capitalised"
    LUMP_SUM = Head.LUMP_SUM
    COSTS = Head.COSTS


def _buckets(order: Sequence[Head]) -> list[Bucket]:
    """The buckets of these heads; of the interest, the capitalised part comes last."""
    buckets = []
    for head in order:
        buckets.append(Bucket(head))
        if head is Head.INTEREST:
            buckets.append(Bucket.CAPITALISED)
    return buckets


def _by_head(met: Mapping[Bucket, Fraction]) -> dict[Head, Fraction]:
    """The same with interest that bears interest itself counted as interest."""
    found = {head: met[Bucket(head)] for head in Head}
    found[Head.INTEREST] += met[Bucket.CAPITALISED]
    return found


class _Met:
    """A payment: what is left of it, and what it met. What met nothing waits for something to meet."""

    def __init__(self, left: Fraction, order: Sequence[Head]) -> None:
        self.left, self.order = left, _buckets(order)
        self.met = dict.fromkeys(Bucket, _NOTHING)

    @property
    def free(self) -> Fraction:
        return self.left - sum(self.met.values())


class ClaimAccount:
    """What is open of each head. `amount` is the invoice's, as amended."""

    def __init__(self, amount: Fraction) -> None:
        self.amount = amount
        self.open = dict.fromkeys(Bucket, _NOTHING)
        self.open[Bucket.PRINCIPAL] = amount
        self._payments: dict[str, _Met] = {}

    @property
    def paid(self) -> Fraction:
        """All that came in and was not taken back."""
        return sum((payment.left for payment in self._payments.values()), _NOTHING)

    @property
    def settled(self) -> bool:
        """Whether as much was paid as the invoice amounts to, whatever the payments met."""
        return self.paid >= self.amount

    @property
    def open_interest(self) -> Fraction:
        return self.open[Bucket.INTEREST] + self.open[Bucket.CAPITALISED]

    @property
    def has_more_than_principal(self) -> bool:
        """Whether interest, a lump sum or costs are open."""
        return any(amount for bucket, amount in self.open.items() if bucket is not Bucket.PRINCIPAL)

    def add(self, head: Head, amount: Fraction) -> None:
        """Interest, a lump sum or a cost is owed from now on."""
        self.open[Bucket(head)] += amount
        self._use_what_is_free()

    def capitalise(self) -> None:
        """The open interest bears interest from now on."""
        self.open[Bucket.CAPITALISED] += self.open[Bucket.INTEREST]
        self.open[Bucket.INTEREST] = _NOTHING

    def amend(self, amount: Fraction) -> None:
        """The invoice has another amount. What payments met of the principal beyond it meets other heads."""
        self.open[Bucket.PRINCIPAL] += amount - self.amount
        self.amount = amount
        for payment in reversed(self._payments.values()):
            freed = min(payment.met[Bucket.PRINCIPAL], max(-self.open[Bucket.PRINCIPAL], _NOTHING))
            payment.met[Bucket.PRINCIPAL] -= freed
            self.open[Bucket.PRINCIPAL] += freed
        self._use_what_is_free()

    def pay(self, payment_id: str, amount: Fraction, order: Sequence[Head]) -> None:
        """A payment came in and meets the heads in this order."""
        self._payments[payment_id] = _Met(amount, order)
        self._use_what_is_free()

    def take_back(self, payment_id: str, amount: Fraction) -> None:
        """So much of a payment went back: first what had met nothing, then what it met last."""
        payment = self._payments[payment_id]
        payment.left -= amount
        for bucket in reversed(payment.order):
            reopened = min(payment.met[bucket], max(-payment.free, _NOTHING))
            payment.met[bucket] -= reopened
            self.open[bucket] += reopened
        self._use_what_is_free()

    def left_of(self, payment_id: str) -> Fraction:
        """What came by this payment, less what was taken back of it."""
        return self._payments[payment_id].left

    def heads(self, order: Sequence[Head]) -> dict[Head, Fraction]:
        """Return what is open of each head.

        Once the invoice is settled, its principal is met, and what was paid beyond it meets the rest in this order.
        """
        return self.beside_amount_due(order) if self.settled else _by_head(self.open)

    def beside_amount_due(self, order: Sequence[Head]) -> dict[Head, Fraction]:
        """Return the same where all that was paid counts for the principal first; the heads have the same sum."""
        open_ = {bucket: amount + self._met(bucket) for bucket, amount in self.open.items()}
        open_[Bucket.PRINCIPAL] = max(self.amount - self.paid, _NOTHING)
        beyond = max(self.paid - self.amount, _NOTHING)
        for bucket in _buckets(order):
            met = _NOTHING if bucket is Bucket.PRINCIPAL else min(open_[bucket], beyond)
            open_[bucket], beyond = open_[bucket] - met, beyond - met
        return _by_head(open_)

    def allocations(self, order: Sequence[Head]) -> dict[str, dict[Head, Fraction]]:
        """Return what each payment met of each head, by its id, in the order in which they came.

        Once the invoice is settled, they met its principal first, and what was paid beyond it the rest in this order.
        """
        if not self.settled:
            return {name: _by_head(payment.met) for name, payment in self._payments.items()}
        owed = {bucket: amount + self._met(bucket) for bucket, amount in self.open.items()}
        owed[Bucket.PRINCIPAL] = self.amount
        found = {}
        for name, payment in self._payments.items():
            left, met = payment.left, dict.fromkeys(Bucket, _NOTHING)
            for bucket in (Bucket.PRINCIPAL, *(one for one in _buckets(order) if one is not Bucket.PRINCIPAL)):
                met[bucket] = min(left, owed[bucket])
                left, owed[bucket] = left - met[bucket], owed[bucket] - met[bucket]
            found[name] = _by_head(met)
        return found

    @property
    def overpaid(self) -> Fraction:
        """What was paid beyond all that was owed."""
        return sum((payment.free for payment in self._payments.values()), _NOTHING)

    def _met(self, bucket: Bucket) -> Fraction:
        return sum((payment.met[bucket] for payment in self._payments.values()), _NOTHING)

    def _use_what_is_free(self) -> None:
        """What met nothing so far meets what is open now, the oldest payment first."""
        for payment in self._payments.values():
            for bucket in payment.order:
                met = min(payment.free, self.open[bucket])
                payment.met[bucket] += met
                self.open[bucket] -= met

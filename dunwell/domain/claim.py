"""What may be claimed for one invoice on a day: principal, interest, lump sum and costs, each kept apart.

A pure function of what happened and of the law. It computes with fractions and rounds once, at the end, half up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from math import floor
from typing import NamedTuple

from pydantic import ConfigDict, Field

from dunwell.domain.accrual import Accrual, Accruals, Disputes
from dunwell.domain.allocation import USUAL_ORDER, AllocationRule
from dunwell.domain.claim_account import ClaimAccount
from dunwell.domain.claim_history import ClaimHistory, ContractTerms, Cost, InterestTerms, Payment
from dunwell.domain.claim_rates import ClaimRates, starting_rule
from dunwell.domain.default_start import first_day_of_default
from dunwell.domain.given_up import GivenUp
from dunwell.domain.governing_law import counts_as
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.legal_fact import Doubt, LegalFact
from dunwell.domain.lump_sum_claim import LumpSumClaim, SumApart
from dunwell.domain.model import Value
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, Head

_ONE_DAY = timedelta(days=1)
_NOTHING = Fraction(0)


class ClaimCertainty(StrEnum):
    """How sure a claim is. The worst word that applies is the claim's.

    confirmed    every value in it is
    provisional  the last known rate stands for one that is not published or not imported yet
    unconfirmed  a value in it was not confirmed by a person; it enters no message to the customer
    """

    CONFIRMED = "confirmed"
    PROVISIONAL = "provisional"
    UNCONFIRMED = "unconfirmed"


class Period(Value):
    """Interest of days that follow each other, with one balance and one rate in per cent a year.

    base, margin  None where the rate is fixed or agreed
    amount        rounded so that the periods add up to all interest that accrued, rounded once
    """

    model_config = ConfigDict(validate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    days: int
    balance: Decimal
    base: Decimal | None
    margin: Decimal | None
    rate: Decimal
    amount: Decimal
    provisional: bool = False


class Allocated(Value):
    """What one payment met, by the day of the claim.

    amount      what came, less what was taken back of it
    met         of each head, together no more than the amount
    by          the rule by which it met them in this order
    """

    payment_id: str
    on: date
    amount: Decimal
    designation: Head | None = None
    met: Mapping[Head, Decimal]
    by: str


class Accessories(Value):
    """What is owed beside the amount due, for which all that was paid counts first.

    A law may let a payment meet interest or costs before the principal. Who is asked for the amount due owes those
    beside it, whatever the payment met.
    """

    interest: Decimal
    lump_sum: Decimal
    costs: Decimal


class Claim(Value):
    """What may be claimed on the day `as_of`, in `currency`.

    principal         open and not disputed; zero once the invoice is settled
    disputed          the part of the principal that is in dispute; not part of the total
    interest, lump_sum, costs  what is open of each
    total             principal, interest, lump sum and costs
    beside            what is owed beside the amount due; with that it adds up to the same total
    lump_sum_apart    the lump sum where the law names it in another currency
    settled           as much was paid as the invoice: the rest is an accessory claim, and nothing more accrues
    overpaid          what was paid beyond all of it
    first_day         of default, when it has begun by `as_of`
    doubts            values in it that nobody has confirmed, each with its key
    assumed           why it is provisional
    left_out          what was to be claimed and is not, and why
    basis             citations of the law for each head that was claimed
    gaps              rules of the law that it leaves out, with what to do about them
    payments          what each payment met
    given_up          what was written off or waived by then, and is no part of the rest
    remarks           what is easily misunderstood about it: why there is no interest yet, what a dispute changes
    """

    currency: str
    digits: int
    as_of: date
    principal: Decimal
    disputed: Decimal
    interest: Decimal
    lump_sum: Decimal
    costs: Decimal
    total: Decimal
    beside: Accessories
    lump_sum_apart: SumApart | None = None
    settled: bool
    overpaid: Decimal
    first_day: date | None = None
    doubts: tuple[Doubt, ...] = ()
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()
    basis: Mapping[Head, tuple[str, ...]] = {}
    gaps: tuple[str, ...] = ()
    payments: tuple[Allocated, ...] = ()
    given_up: GivenUp | None = None
    remarks: tuple[str, ...] = ()

    @property
    def certainty(self) -> ClaimCertainty:
        if self.doubts:
            return ClaimCertainty.UNCONFIRMED
        return ClaimCertainty.PROVISIONAL if self.assumed else ClaimCertainty.CONFIRMED

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not confirmed, each naming the value."""
        return (*(doubt.reason for doubt in self.doubts), *self.assumed)

    @property
    def accessory(self) -> Decimal:
        """What is open beside the principal."""
        return self.total - self.principal

    def without(self, given_up: GivenUp) -> "Claim":
        """The claim after that was given up: nothing is open any more."""
        heads = dict.fromkeys(("principal", "disputed", "interest", "lump_sum", "costs", "total"), self.total * 0)
        beside = Accessories(**{head: heads[head] for head in Accessories.model_fields})
        return self.model_copy(
            update=heads | {"beside": beside, "lump_sum_apart": None, "given_up": given_up, "remarks": ()}
        )

    def give_up(self, on: date, why: str) -> GivenUp:
        """All that is open of it, as given up on this day."""
        return GivenUp(
            on=on,
            why=why,
            principal=self.principal + self.disputed,
            interest=self.interest,
            lump_sum=self.lump_sum,
            costs=self.costs,
            total=self.total + self.disputed,
            lump_sum_apart=self.lump_sum_apart,
        )


def claim_of(
    history: ClaimHistory,
    law: Jurisdiction | None,
    customer: DebtorKind | None,
    seller: DebtorKind,
    terms: ContractTerms,
    as_of: date,
) -> Claim:
    """Return the claim on a day; what happened later does not count.

    law       None where nothing beside the principal is claimed
    customer  None when its kind is unknown; then the rate for consumers applies and no lump sum is claimed

    Raises Refused when the law does not say what is needed.
    """
    off = history.written_off_on
    if off is None or as_of < off:
        return _Computation(history, law, customer, seller, terms, as_of).result()
    given_up = _Computation(history, law, customer, seller, terms, off).result().give_up(off, "written off")
    return _Computation(history, law, customer, seller, terms, as_of).result().without(given_up)


class _Phase(IntEnum):
    """The order of what happens on one day. A law says whether the day of a payment bears interest."""

    AMENDED = 0
    OWED = 1
    DAY_WITH_PAYMENT = 2
    PAID = 3
    TAKEN_BACK = 4
    DAY_WITHOUT_PAYMENT = 5


class _Event(NamedTuple):
    on: date
    phase: _Phase
    happen: Callable[[], None]


class _Computation:
    """One claim in the making: what happened, in its order, and the interest between."""

    def __init__(
        self,
        history: ClaimHistory,
        law: Jurisdiction | None,
        customer: DebtorKind | None,
        seller: DebtorKind,
        terms: ContractTerms,
        as_of: date,
    ) -> None:
        self._history, self._law, self._terms, self._as_of = history, law, terms, as_of
        self._kinds = customer, seller
        self._parties = counts_as(customer), seller
        self._account = ClaimAccount(Fraction(history.amounts[0].amount))
        self._disputes = Disputes(history, as_of)
        self._cited: list[tuple[Head, LegalFact | None]] = []
        self._doubts: list[Doubt] = []
        self._day = _Phase.DAY_WITH_PAYMENT
        self._first_day: date | None = None
        self._rates: ClaimRates | None = None
        self._accruals: Accruals | None = None
        self._lump_sum: LumpSumClaim | None = None
        self._waits_for: str | None = None
        self._allocated_by: dict[str, str] = {}

    def result(self) -> Claim:
        events = sorted(self._events(), key=lambda event: (event.on, event.phase))
        for event in events:
            self._accrue(event.on if event.phase > self._day else event.on - _ONE_DAY)
            event.happen()
        self._accrue(self._last_day(self._as_of))
        return self._claim()

    def _accrue(self, last: date) -> None:
        if self._accruals is not None:
            off = self._history.written_off_on
            self._accruals.count_through(last if off is None else min(last, self._last_day(off)))

    def _last_day(self, day: date) -> date:
        """The last day that bears interest by the end of `day`: a payment then may be one that ends it."""
        return day if self._day is _Phase.DAY_WITH_PAYMENT else day - _ONE_DAY

    # What happened ---------------------------------------------------------------------------------------

    def _events(self) -> list[_Event]:
        """All that happened by the day of the claim."""
        account, history = self._account, self._history
        events = [
            *(
                _Event(row.on, _Phase.AMENDED, partial(account.amend, Fraction(row.amount)))
                for row in history.amounts
            ),
            *self._default(),
            *(_Event(cost.on, _Phase.OWED, partial(self._charge, cost)) for cost in history.costs),
            *(_Event(payment.on, _Phase.PAID, partial(self._pay, payment)) for payment in history.payments),
            *(
                _Event(one.on, _Phase.TAKEN_BACK, partial(account.take_back, one.payment_id, Fraction(one.amount)))
                for one in history.reversals
            ),
        ]
        return [event for event in events if event.on <= self._as_of]

    def _default(self) -> Iterator[_Event]:
        """Find out when default begins, and yield what that day brings."""
        law = _law_needed(self._law, self._terms)
        if law is None:
            return
        rule = starting_rule(law, self._parties, self._history.due_on)
        self._day = _Phase.DAY_WITH_PAYMENT if rule.through_payment_day else _Phase.DAY_WITHOUT_PAYMENT
        day = first_day_of_default(self._history, rule)
        if day is None:
            self._waits_for = " or ".join(str(start.event) for start in rule.starts)
        if day is None or day > min(self._as_of, self._history.written_off_on or day):
            return
        self._first_day = day
        self._rates = ClaimRates(law, self._parties, self._terms, self._history.due_on, day)
        self._accruals = Accruals(self._account, self._rates, self._disputes, day, rule.compounding)
        if self._terms.lump_sum:
            self._lump_sum = LumpSumClaim(self._account, self._disputes, self._history, self._terms, day)
            for on, happen in self._lump_sum.events(law, self._kinds, rule):
                yield _Event(on, _Phase.OWED, happen)

    def _charge(self, cost: Cost) -> None:
        self._account.add(Head.COSTS, Fraction(cost.amount))
        self._cited.append((Head.COSTS, self._law.fee_rule(*self._parties, cost.on) if self._law else None))

    def _pay(self, payment: Payment) -> None:
        rule = self._law.allocation_rule(*self._parties, payment.on) if self._law else None
        order = rule.order_for(payment.designation) if rule else USUAL_ORDER
        if rule is not None and self._account.has_more_than_principal:
            self._doubts += rule.doubts()
        self._allocated_by[payment.payment_id] = _allocation(rule, payment.designation, order)
        self._account.pay(payment.payment_id, Fraction(payment.amount), order)

    # The claim -------------------------------------------------------------------------------------------

    def _claim(self) -> Claim:
        account, digits = self._account, self._history.digits
        rule = self._law.allocation_rule(*self._parties, self._as_of) if self._law else None
        heads = account.heads(rule.order if rule else USUAL_ORDER)
        disputed = self._disputes.part(self._as_of, heads[Head.PRINCIPAL])
        heads[Head.PRINCIPAL] -= disputed
        shown = _rounded_heads(heads, digits)
        beside = _rounded_heads(account.beside_amount_due(rule.order if rule else USUAL_ORDER), digits)
        pieces = self._accruals.pieces if self._accruals else []
        lump_sum = self._lump_sum
        return Claim(
            currency=self._history.currency,
            digits=digits,
            as_of=self._as_of,
            principal=shown[Head.PRINCIPAL],
            disputed=_rounded(disputed, digits),
            interest=shown[Head.INTEREST],
            lump_sum=shown[Head.LUMP_SUM],
            costs=shown[Head.COSTS],
            total=_rounded(sum(heads.values(), _NOTHING), digits),
            beside=Accessories(
                interest=beside[Head.INTEREST], lump_sum=beside[Head.LUMP_SUM], costs=beside[Head.COSTS]
            ),
            lump_sum_apart=lump_sum.apart if lump_sum else None,
            settled=account.settled,
            overpaid=_rounded(account.overpaid, digits),
            first_day=self._first_day,
            doubts=self._all_doubts(pieces),
            assumed=tuple(dict.fromkeys(piece.rate.assumed for piece in pieces if piece.rate.assumed)),
            left_out=(lump_sum.left_out,) if lump_sum and lump_sum.left_out else (),
            periods=_periods(pieces, digits),
            basis=self._basis(pieces),
            payments=tuple(self._payments(rule.order if rule else USUAL_ORDER)),
            remarks=tuple(self._remarks(disputed)),
            gaps=tuple(dict.fromkeys(row.gap for _, row in self._used(pieces) if row is not None and row.gap)),
        )

    def _payments(self, order: Sequence[Head]) -> Iterator[Allocated]:
        settled, digits = self._account.settled, self._history.digits
        allocations = self._account.allocations(order)
        for payment in self._history.payments:
            if payment.payment_id in allocations:
                shares = allocations[payment.payment_id]
                met = _rounded_shares([shares[head] for head in Head], digits)
                by = _SETTLED if settled else self._allocated_by[payment.payment_id]
                yield Allocated(
                    payment_id=payment.payment_id,
                    on=payment.on,
                    amount=_rounded(self._account.left_of(payment.payment_id), digits),
                    designation=payment.designation,
                    met=dict(zip(Head, met, strict=True)),
                    by=by,
                )

    def _remarks(self, disputed: Fraction) -> Iterator[str]:
        customer, _ = self._kinds
        as_consumer = " (the customer's kind is unknown, and counts as a private person)" if customer is None else ""
        if self._waits_for is not None and self._terms.interest is not InterestTerms.NONE:
            yield f"no interest yet: it begins with {_STARTS.get(self._waits_for, self._waits_for)}{as_consumer}"
        if disputed and self._first_day is not None:
            yield (
                "the part in dispute bears interest for the days before the dispute, which is claimed here; since "
                "then it bears none, unless the dispute is rejected"
            )

    def _all_doubts(self, pieces: Sequence[Accrual]) -> tuple[Doubt, ...]:
        doubts = [doubt for piece in pieces for doubt in piece.rate.doubts]
        doubts += [doubt for row in (self._lump_sum.used if self._lump_sum else ()) for doubt in row.doubts()]
        return tuple(dict.fromkeys([*doubts, *self._doubts]))

    def _used(self, pieces: Sequence[Accrual]) -> list[tuple[Head, LegalFact | None]]:
        """The rows of the law that gave each head."""
        used: list[tuple[Head, LegalFact | None]] = list(self._cited)
        used += [(Head.INTEREST, self._rates.rule(piece.first)) for piece in pieces if self._rates]
        used += [(Head.LUMP_SUM, row) for row in (self._lump_sum.used if self._lump_sum else ())]
        return used

    def _basis(self, pieces: Sequence[Accrual]) -> dict[Head, tuple[str, ...]]:
        basis: dict[Head, dict[str, None]] = {}
        for head, row in self._used(pieces):
            if row is not None and row.basis is not None:
                basis.setdefault(head, {})[row.basis] = None
        return {head: tuple(citations) for head, citations in basis.items()}


_SETTLED = "the invoice is paid: its principal is met first, whatever the payments were for"
_STARTS = {"notice": "a reminder after the due date that reached the customer, and none has"}
"""In what words the missing events of a law's start are told."""


def _allocation(rule: AllocationRule | None, named: Head | None, order: Sequence[Head]) -> str:
    """By which rule a payment meets the heads in this order."""
    heads = ", ".join(head.replace("_", " ") for head in order)
    if rule is None:
        return f"the usual order, without a law: {heads}"
    law = rule.basis or "the order of the law as it is known here"
    if named is None:
        return f"{law}: {heads}"
    if rule.follows_the_customer:
        return f"the customer's word, then {law}: {heads}"
    return f"{law}: {heads}; the customer's word ({named.replace('_', ' ')}) is not followed"


def _law_needed(law: Jurisdiction | None, terms: ContractTerms) -> Jurisdiction | None:
    """The law, where something beside the principal is claimed. Raises Refused when it does not say enough."""
    if terms.interest is InterestTerms.NONE and not terms.lump_sum:
        return None
    if law is None:
        raise Refused("jurisdiction", "is not known here: interest and lump sums need a file of jurisdictions/")
    law.check_complete()
    return law


# Rounding --------------------------------------------------------------------------------------------------


def _periods(pieces: Sequence[Accrual], digits: int) -> tuple[Period, ...]:
    amounts = _rounded_shares([piece.amount for piece in pieces], digits)
    return tuple(
        Period(
            first=piece.first,
            last=piece.last,
            days=(piece.last - piece.first).days + 1,
            balance=_rounded(piece.balance, digits),
            base=piece.rate.base,
            margin=piece.rate.margin,
            rate=piece.rate.rate,
            amount=amount,
            provisional=piece.rate.assumed is not None,
        )
        for piece, amount in zip(pieces, amounts, strict=True)
    )


def _rounded_heads(heads: Mapping[Head, Fraction], digits: int) -> dict[Head, Decimal]:
    """The heads rounded so that they add up to their sum, rounded once. What is left over stays in the interest."""
    order = (Head.PRINCIPAL, Head.LUMP_SUM, Head.COSTS, Head.INTEREST)
    return dict(zip(order, _rounded_shares([heads[head] for head in order], digits), strict=True))


def _rounded_shares(parts: Sequence[Fraction], digits: int) -> list[Decimal]:
    """The parts rounded so that their sum is the sum of all, rounded once."""
    sums = [_rounded(amount, digits) for amount in accumulate(parts, initial=_NOTHING)]
    return [later - earlier for earlier, later in pairwise(sums)]


def _rounded(amount: Fraction, digits: int) -> Decimal:
    """Half up; amounts are never negative here."""
    return Decimal(floor(amount * 10**digits + Fraction(1, 2))).scaleb(-digits)

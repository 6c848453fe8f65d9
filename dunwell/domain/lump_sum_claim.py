"""The lump sum of one claim: whether, when and how much of it is owed."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import partial

from dunwell.domain.accrual import Disputes
from dunwell.domain.claim_account import Bucket, ClaimAccount
from dunwell.domain.claim_history import ClaimHistory, ContractTerms
from dunwell.domain.default_start import day_after
from dunwell.domain.interest_rule import InterestRule
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.lump_sums import LumpSumRule
from dunwell.domain.model import Value
from dunwell.domain.terms import DebtorKind, Head


class SumApart(Value):
    """A lump sum in another currency than the invoice's. It is not part of the total."""

    currency: str
    amount: Decimal


class LumpSumClaim:
    """Owes the lump sum to an account on its day. Its size goes by what is open on the first day of default.

    apart     the sum where the law names it in another currency and no exchange rate is given
    used      the rows of the law that were applied
    left_out  why it is not claimed although the terms ask for it
    """

    def __init__(
        self,
        account: ClaimAccount,
        disputes: Disputes,
        history: ClaimHistory,
        terms: ContractTerms,
        first_day: date,
    ) -> None:
        self._account, self._disputes, self._history = account, disputes, history
        self._terms, self._first_day = terms, first_day
        self._debt = self._owed = Decimal(0)
        self.apart: SumApart | None = None
        self.used: list[LumpSumRule] = []
        self.left_out: str | None = None

    def events(
        self, law: Jurisdiction, parties: tuple[DebtorKind | None, DebtorKind], start: InterestRule
    ) -> Iterator[tuple[date, Callable[[], None]]]:
        """Yield what happens to the account, and on which day, in order."""
        customer, seller = parties
        if customer is None:
            self.left_out = "the lump sum is not claimed: the kind of the customer is unknown"
            return
        yield self._first_day, self._note_debt
        rule = law.lump_sum_rule(customer, seller, self._first_day)
        if rule is None:
            return
        day = self._first_day if rule.arises is None else day_after(rule.arises, self._history)
        if day is not None:
            yield max(day, self._first_day), partial(self._owe, rule)

    def _note_debt(self) -> None:
        open_ = self._account.open[Bucket.PRINCIPAL]
        undisputed = open_ - self._disputes.part(self._first_day, open_)
        self._debt = Decimal(undisputed.numerator) / undisputed.denominator

    def _owe(self, rule: LumpSumRule) -> None:
        """Owe what this rule gives beyond what an earlier one gave."""
        if self._account.settled or not self._debt:
            return
        currency = self._history.currency
        limits = rule.debt_currency or rule.currency
        if rule.bands and limits != currency:
            self.left_out = f"the lump sum is not claimed: its bands are in {limits} and the invoice is in {currency}"
            return
        amount = rule.of(self._debt)
        if not amount:
            return
        self.used.append(rule)
        if rule.currency != currency and self._terms.exchange_rate is None:
            self.apart = SumApart(currency=rule.currency, amount=amount)
            return
        rate = self._terms.exchange_rate or Decimal(1) if rule.currency != currency else Decimal(1)
        owed = (amount * rate).quantize(Decimal(1).scaleb(-self._history.digits), ROUND_HALF_UP)
        self._account.add(Head.LUMP_SUM, Fraction(max(owed - self._owed, Decimal(0))))
        self._owed = max(owed, self._owed)

"""Interest that accrues on one claim, day by day, in as few pieces as its balance and its rate allow."""

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from dunwell.domain.claim_account import Bucket, ClaimAccount
from dunwell.domain.claim_history import ClaimHistory, DisputedSpan
from dunwell.domain.claim_rates import AppliedRate, ClaimRates
from dunwell.domain.day_count import capitalisation_days, year_fraction
from dunwell.domain.interest_rule import Compounding, InterestRule
from dunwell.domain.terms import Head

_ONE_DAY = timedelta(days=1)
_NOTHING = Fraction(0)


class Accrual(NamedTuple):
    """Unrounded interest of days with one balance and one rate. Both days are counted."""

    first: date
    last: date
    balance: Fraction
    rate: AppliedRate
    amount: Fraction

    def continues(self, other: "Accrual") -> bool:
        """Whether it is the same interest as the other, on the days after it."""
        same = self.balance == other.balance and self.rate == other.rate
        return same and self.first == other.last + _ONE_DAY

    def joined(self, later: "Accrual") -> "Accrual":
        return self._replace(last=later.last, amount=self.amount + later.amount)


class Disputes:
    """The parts of an invoice that were disputed, seen from a day on which some disputes are over."""

    def __init__(self, history: ClaimHistory, as_of: date) -> None:
        self._spans = [span for span in history.disputes if span.since <= as_of and not _was_owed(span, as_of)]

    def part(self, day: date, open_principal: Fraction) -> Fraction:
        """Return how much of the open principal is in dispute on `day`. Payments meet the other part first."""
        spans = [span for span in self._spans if span.since <= day and (span.until is None or day < span.until)]
        if any(span.amount is None for span in spans):
            return open_principal
        return min(sum((Fraction(span.amount or 0) for span in spans), _NOTHING), open_principal)

    def days_of_change(self) -> set[date]:
        return {day for span in self._spans for day in (span.since, span.until) if day is not None}


def _was_owed(span: DisputedSpan, as_of: date) -> bool:
    """Whether the dispute is over and its part had been owed all along."""
    return span.rejected and span.until is not None and span.until <= as_of


class Accruals:
    """The interest of one claim from its first day of default on."""

    def __init__(
        self,
        account: ClaimAccount,
        rates: ClaimRates,
        disputes: Disputes,
        first_day: date,
        compounding: Compounding,
    ) -> None:
        self._account, self._rates, self._disputes = account, rates, disputes
        self._first_day, self._compounding = first_day, compounding
        self._counted = first_day - _ONE_DAY
        self.pieces: list[Accrual] = []

    def count_through(self, last: date) -> None:
        """Add the interest of the days through `last` not counted yet, during which the account did not change."""
        first, self._counted = self._counted + _ONE_DAY, max(last, self._counted)
        if last < first:
            return
        capitalised = set(capitalisation_days(self._compounding, self._first_day, first - _ONE_DAY, last))
        cuts = {*self._rates.days_of_change(first, last), *self._disputes.days_of_change(), *capitalised}
        days = [first, *sorted(day for day in cuts if first < day <= last), last + _ONE_DAY]
        for begin, end in pairwise(days):
            if begin in capitalised:
                self._account.capitalise()
            if not self._account.settled:
                self._count(begin, end - _ONE_DAY)

    def _count(self, first: date, last: date) -> None:
        balance = self.balance(first)
        rate = self._rates.on(first) if balance else None
        if rate is None:
            return
        rule = self._rates.rule(first)
        part = year_fraction(first, last, rule.day_count, self._first_day)
        amount = self._limited(balance * Fraction(rate.rate) / 100 * part, rule)
        self._account.add(Head.INTEREST, amount)
        piece = Accrual(first, last, balance, rate, amount)
        if self.pieces and piece.continues(self.pieces[-1]):
            piece = self.pieces.pop().joined(piece)
        self.pieces.append(piece)

    def balance(self, day: date) -> Fraction:
        """Return what bears interest: the principal that is open and not disputed, and capitalised interest."""
        principal = self._account.open[Bucket.PRINCIPAL]
        return principal - self._disputes.part(day, principal) + self._account.open[Bucket.CAPITALISED]

    def _limited(self, amount: Fraction, rule: InterestRule) -> Fraction:
        """The interest that still fits under the law's limit for what may be open of it."""
        if rule.open_interest_at_most is None:
            return amount
        most = Fraction(rule.open_interest_at_most) * self._account.open[Bucket.PRINCIPAL]
        return min(amount, max(most - self._account.open_interest, _NOTHING))

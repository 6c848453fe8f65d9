"""The rate that interest for late payment has on each day of one claim, by law or by contract."""

from datetime import date, timedelta
from decimal import Decimal

from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.interest_rule import FixedAt, InterestRule, Lookup, Rate
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.legal_fact import Doubt
from dunwell.domain.model import Value
from dunwell.domain.rate_series import UnknownRate
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind

_ONE_DAY = timedelta(days=1)
_ZERO = Decimal(0)


class AppliedRate(Value):
    """The rate of a day in per cent a year, and what it rests on.

    base, margin   None where the rate is fixed or agreed
    assumed        why it is provisional: the last known rate stands for one that is not known
    """

    base: Decimal | None = None
    margin: Decimal | None = None
    rate: Decimal
    assumed: str | None = None
    doubts: tuple[Doubt, ...] = ()


class ClaimRates:
    """The interest rules of a law for two parties, applied to one default."""

    def __init__(
        self,
        law: Jurisdiction,
        parties: tuple[DebtorKind, DebtorKind],
        terms: ContractTerms,
        due_on: date,
        first_day: date,
    ) -> None:
        self._law, self._parties, self._terms = law, parties, terms
        self._due_on, self._first_day = due_on, first_day

    def rule(self, day: date) -> InterestRule:
        """Return the rule for `day`: the one in force, or on the first day of default where the rate is fixed then.

        Raises Refused on a day before the first rule.
        """
        rule = self._law.interest_rule(*self._parties, day)
        if rule is not None and rule.fixed_at is not None:
            rule = self._law.interest_rule(*self._parties, self._first_day)
        if rule is None:
            raise _no_rule(self._law, self._parties, day)
        return rule

    def on(self, day: date) -> AppliedRate | None:
        """Return the rate of `day`; None where nothing is claimed. Raises Refused when it is not known."""
        rule = self.rule(day)
        if self._terms.contract_rate is not None:
            return self._agreed(rule, day, self._terms.contract_rate)
        if self._terms.interest is InterestTerms.NONE or rule.statutory is None:
            return None
        return self._by_law(rule, rule.statutory, day)

    def days_of_change(self, after: date, through: date) -> list[date]:
        """Return the days in (after, through] from which another rate may hold."""
        days = {row.valid_from for row in self._law.interest}
        for rate in (rate for row in self._law.interest for rate in (row.statutory, row.contract_at_most)):
            if rate is not None and rate.series is not None:
                days |= self._published(rate, after, through)
        return sorted(day for day in days if after < day <= through)

    def _published(self, rate: Rate, after: date, through: date) -> set[date]:
        if rate.lookup is Lookup.DAILY:
            return set(self._law.series[rate.series or ""].days_of_change(after, through))
        months = range(1, 13) if rate.lookup is Lookup.MONTHLY else (1, 7)
        return {date(year, month, 1) for year in range(after.year, through.year + 1) for month in months}

    def _agreed(self, rule: InterestRule, day: date, agreed: Decimal) -> AppliedRate:
        doubts = tuple(doubt for doubt in rule.doubts() if doubt.key != f"{rule.key}.statutory")
        if rule.contract_at_most is None:
            return AppliedRate(rate=agreed, doubts=doubts)
        most = self._by_law(rule, rule.contract_at_most, day)
        if agreed <= most.rate:
            return AppliedRate(rate=agreed, assumed=most.assumed, doubts=(*doubts, *most.doubts))
        return most

    def _by_law(self, rule: InterestRule, rate: Rate, day: date) -> AppliedRate:
        doubts = tuple(rule.doubts())
        if rate.rate is not None:
            return AppliedRate(rate=_within(rate.rate, rate), doubts=doubts)
        series = self._law.series[rate.series or ""]
        try:
            found = series.on(rate.lookup.day_of_base(self._day_that_counts(rule, day)), rate.rounding)
        except UnknownRate as error:
            raise Refused("jurisdiction", f"{self._law.name}: {error}") from None
        base = found.rate + rate.offset
        assumed = (
            f"{series.name}: the rate after {series.known_until} is not known yet" if found.provisional else None
        )
        return AppliedRate(
            base=base,
            margin=rate.margin,
            rate=_within(base * rate.factor + rate.margin, rate),
            assumed=assumed,
            doubts=doubts if found.doubt is None else (*doubts, found.doubt),
        )

    def _day_that_counts(self, rule: InterestRule, day: date) -> date:
        match rule.fixed_at:
            case FixedAt.DUE_DATE:
                return self._due_on
            case FixedAt.FIRST_DAY:
                return self._first_day
            case None:
                return day


def starting_rule(law: Jurisdiction, parties: tuple[DebtorKind, DebtorKind], due_on: date) -> InterestRule:
    """Return the rule that says when default begins: that of the day after the due date, else the law's first.

    Raises Refused when the law has no rule for such parties.
    """
    rule = law.interest_rule(*parties, due_on + _ONE_DAY)
    rules = sorted((row for row in law.interest if row.is_for(*parties)), key=lambda row: row.valid_from)
    if rule is None and not rules:
        raise _no_rule(law, parties, due_on)
    return rule or rules[0]


def _no_rule(law: Jurisdiction, parties: tuple[DebtorKind, DebtorKind], day: date) -> Refused:
    days = [row.valid_from for row in law.interest if row.is_for(*parties)]
    if days:
        return Refused("jurisdiction", f"{law.name}: rates before {min(days)} are missing")
    customer, seller = parties
    return Refused("jurisdiction", f"{law.name}: no interest rule for a {customer} that owes a {seller}")


def _within(value: Decimal, rate: Rate) -> Decimal:
    """The rate inside the law's limits, and never below zero: a base rate may be."""
    value = value if rate.at_most is None else min(value, rate.at_most)
    return max(value, _ZERO if rate.at_least is None else rate.at_least)

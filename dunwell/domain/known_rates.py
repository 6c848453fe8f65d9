"""Until when the base rates are known that a law needs."""

from collections.abc import Iterable, Iterator
from datetime import date

from dunwell.domain.governing_law import SELLER
from dunwell.domain.interest_rule import Rate
from dunwell.domain.jurisdiction import Jurisdiction, rates_of
from dunwell.domain.model import Value
from dunwell.domain.rate_series import UnknownRate
from dunwell.domain.terms import DebtorKind


class NeededRate(Value):
    """A base rate that a law needs on a day, for the default of some kind of customer that begins on it.

    known_through  the last day for which the law's rate is known
    gap            why the rate of the day is not known although later ones may be; None: it is known
    """

    series: str
    known_through: date
    gap: str | None = None

    def is_stale(self, today: date) -> bool:
        """Whether the rate of today is not known."""
        return self.gap is not None or self.known_through < today


def needed_rates(law: Jurisdiction, today: date, kinds: Iterable[DebtorKind] = DebtorKind) -> list[NeededRate]:
    """Return the base rates that the law's rules of today need, by series, each as the first to run out needs it.

    kinds: of the customers that count.
    """
    found: dict[str, NeededRate] = {}
    for rate in _rates_in_force(law, today, kinds):
        needed = _needed(law, rate, today)
        known = found.get(needed.series)
        if known is None or needed.gap or (not known.gap and needed.known_through < known.known_through):
            found[needed.series] = needed
    return [found[name] for name in sorted(found)]


def known_through(law: Jurisdiction, today: date) -> date | None:
    """Return the last day for which every rate of the law is known; None where no rate changes."""
    return min((needed.known_through for needed in needed_rates(law, today)), default=None)


def _rates_in_force(law: Jurisdiction, today: date, kinds: Iterable[DebtorKind]) -> Iterator[Rate]:
    for kind in kinds:
        rule = law.interest_rule(kind, SELLER, today)
        yield from (rate for rate in (rates_of(rule) if rule else ()) if rate.series is not None)


def _needed(law: Jurisdiction, rate: Rate, today: date) -> NeededRate:
    series = law.series[rate.series or ""]
    gap = None
    try:
        series.on(rate.lookup.day_of_base(today))
    except UnknownRate as error:
        gap = str(error)
    return NeededRate(series=series.name, known_through=rate.lookup.last_day(series.known_until), gap=gap)

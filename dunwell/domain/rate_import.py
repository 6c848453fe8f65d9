"""Rates that a person imported, and the series in which they stand in place of what its file says."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from dunwell.domain.events import Spoken
from dunwell.domain.legal_fact import Certainty
from dunwell.domain.model import Value
from dunwell.domain.rate_series import RateSeries, RateStep, UnknownRate

_DAY = timedelta(days=1)


class RateImport(Value):
    """The rates of a series from the first of them through `last`, as a publisher's file gives them.

    rates   in per cent a year, by the days on which they took effect; not empty
    number  by which it is withdrawn; None before it is stored
    """

    series: str
    last: date
    rates: Mapping[date, Decimal]
    source: str
    by: Spoken
    at: datetime
    number: int | None = None

    @property
    def first(self) -> date:
        return min(self.rates)


class Difference(Value):
    """From `day` on the series would have another rate; None where the rate is not known."""

    day: date
    before: Decimal | None
    after: Decimal | None


def with_imports(series: RateSeries, imports: Sequence[RateImport]) -> RateSeries:
    """Return the series with these imports of it, oldest first: in the days of an import only its rates hold."""
    for imported in imports:
        series = _with_import(series, imported)
    return series


def differences(before: RateSeries, after: RateSeries) -> list[Difference]:
    """Return where two states of a series give different rates, and whether they are known, oldest first."""
    days = sorted(
        {step.valid_from for series in (before, after) for step in series.rates} | _ends(before) | _ends(after)
    )
    found: list[Difference] = []
    last = None
    for day in days:
        rates = _known(before, day), _known(after, day)
        if rates[0] != rates[1] and rates != last:
            found.append(Difference(day=day, before=rates[0], after=rates[1]))
        last = rates
    return found


def _ends(series: RateSeries) -> set[date]:
    return {step.until + _DAY for step in series.rates if step.until is not None} | {series.known_until + _DAY}


def _known(series: RateSeries, day: date) -> Decimal | None:
    try:
        found = series.on(day)
    except UnknownRate:
        return None
    return None if found.provisional else found.rate


def _with_import(series: RateSeries, imported: RateImport) -> RateSeries:
    steps = [*_before(series, imported.first), *_imported(imported), *_after(series, imported.last)]
    known_until = max(series.known_until, imported.last)
    return series.model_copy(update={"rates": tuple(_closed(steps, series, imported)), "known_until": known_until})


def _before(series: RateSeries, first: date) -> Iterator[RateStep]:
    """Yield the steps of the days before `first`. Days between the last known one and `first` become a gap."""
    for step in series.rates:
        if step.valid_from < first:
            ends = min(step.until or date.max, series.known_until)
            following = next((one.valid_from for one in series.rates if one.valid_from > step.valid_from), first)
            yield step.model_copy(update={"until": ends if ends < min(following, first) - _DAY else None})


def _imported(imported: RateImport) -> Iterator[RateStep]:
    for day, rate in sorted(imported.rates.items()):
        yield RateStep(
            valid_from=day,
            rate=rate,
            source=imported.source,
            checked_on=imported.at.date(),
            certainty=Certainty.CONFIRMED,
        )


def _after(series: RateSeries, last: date) -> Iterator[RateStep]:
    """Yield the steps of the days after `last`, the one that is running then from its next day on."""
    if series.known_until <= last:
        return
    begun = [step for step in series.rates if step.valid_from <= last + _DAY]
    if begun and (begun[-1].until is None or begun[-1].until > last):
        yield begun[-1].model_copy(update={"valid_from": last + _DAY})
    yield from (step for step in series.rates if step.valid_from > last + _DAY)


def _closed(steps: Sequence[RateStep], series: RateSeries, imported: RateImport) -> Iterator[RateStep]:
    """Yield the steps, the last imported one with its end where the series has a gap behind it."""
    days = {step.valid_from for step in steps}
    for step in steps:
        ends = step.valid_from == max(imported.rates) and imported.last < series.known_until
        yield step.model_copy(update={"until": imported.last}) if ends and imported.last + _DAY not in days else step

"""Who checked a value of the law. A confirmation counts for the value that was seen, and for no later one."""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from hashlib import sha256

from dunwell.domain.events import Spoken
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.legal_fact import Certainty, LegalFact
from dunwell.domain.model import Value
from dunwell.domain.rate_series import RateSeries

_NOT_THE_VALUE = {"source", "checked_on", "certainty", "certainty_of", "note", "gap", "key"}
"""What is said about a value, and does not make it another one."""

_IN_THE_FIELD = ("table", "customers", "valid_from")


class Confirmation(Value):
    """Who checked a value, and by which source. `digest` is that of the value."""

    subject: str
    field: str
    digest: str
    by: Spoken
    source: str | None = None
    at: datetime


class LegalValue(Value):
    """A value that can be confirmed.

    subject  the file: "de", or the series "de-base"
    field    the place in it: "fee.business+consumer+public.2014-07-29.at_most", or the day "2016-01-01" of a rate
    shown    the value in a few words
    """

    subject: str
    field: str
    shown: str
    certainty: Certainty
    source: str
    checked_on: date
    digest: str

    @property
    def key(self) -> str:
        """The name of the value among all: the key of a doubt about it."""
        return f"{self.subject}.{self.field}"


def values_of(law: Jurisdiction) -> Iterator[LegalValue]:
    """Yield every row of a law, and every field that is less or more sure than its row. Rates are not among them."""
    for table, row in law.facts():
        field = row.key.removeprefix(f"{law.code.lower()}.")
        written = row.model_dump(mode="json", exclude=_NOT_THE_VALUE, exclude_defaults=True)
        yield _value_of(law, row, field, row.certainty, {"table": table, **written})
        for name, certainty in row.certainty_of.items():
            yield _value_of(law, row, f"{field}.{name}", certainty, {name: row.model_dump(mode="json")[name]})


def rates_of(series: RateSeries) -> Iterator[LegalValue]:
    """Yield every rate of a series."""
    for step in series.rates:
        value = {"from": str(step.valid_from), "rate": str(step.rate)}
        yield LegalValue(
            subject=series.name,
            field=str(step.valid_from),
            shown=f"{step.rate} % from {step.valid_from}",
            certainty=step.certainty or series.certainty,
            source=step.source or series.source,
            checked_on=step.checked_on or series.checked_on,
            digest=_digest(value),
        )


def confirmed(law: Jurisdiction, confirmations: Collection[Confirmation]) -> Jurisdiction:
    """Return the law with the values confirmed that somebody checked as they are now."""
    known = {(one.subject, one.field, one.digest) for one in confirmations}
    if not known:
        return law
    values = [*values_of(law), *(value for series in law.series.values() for value in rates_of(series))]
    return law.confirmed({one.key for one in values if (one.subject, one.field, one.digest) in known})


def _value_of(
    law: Jurisdiction, row: LegalFact, field: str, certainty: Certainty, value: Mapping[str, object]
) -> LegalValue:
    return LegalValue(
        subject=law.code.lower(),
        field=field,
        shown=", ".join(f"{name} {_words(item)}" for name, item in value.items() if name not in _IN_THE_FIELD),
        certainty=certainty,
        source=row.source,
        checked_on=row.checked_on,
        digest=_digest(value),
    )


def _words(value: object) -> str:
    match value:
        case list():
            return "/".join(map(_words, value))
        case dict():
            return " ".join(f"{name} {_words(item)}" for name, item in value.items())
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _digest(value: Mapping[str, object]) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

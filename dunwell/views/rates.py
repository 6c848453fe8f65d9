"""What is known of the law and of the base rates: until when, how surely, and who confirmed it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.confirmation import Confirmation, LegalValue, rates_of, values_of
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.known_rates import known_through, needed_rates
from dunwell.domain.rate_import import RateImport
from dunwell.domain.rate_series import RateSeries
from dunwell.services import laws
from dunwell.services.laws import LawInUse
from dunwell.store import rates

_Confirmed = Mapping[tuple[str, str, str], Confirmation]


def rate_facts(session: Session, today: date) -> dict[str, Any]:
    """Return what is known of every series and of every country."""
    confirmed, imported = _confirmed(session), rates.imports(session)
    return {
        "series": [
            _series(series, confirmed, imported.get(name, ()))
            for name, series in sorted(laws.series_in_force(session).items())
        ],
        "countries": [_country(law, confirmed, today) for _, law in sorted(laws.laws_in_force(session).items())],
    }


def value_facts(session: Session, subject: str) -> list[dict[str, Any]]:
    """Return every value of a country or of a series. Raises Refused for one that does not exist."""
    confirmed = _confirmed(session)
    return [_value(one, confirmed) for one in laws.values_in_force(session, subject)]


def stale_rates(session: Session, today: date, in_use: Mapping[str, LawInUse]) -> list[dict[str, Any]]:
    """Return the base rates that these laws need, by code, and whose rate of today is not known."""
    in_force = laws.laws_in_force(session)
    return [
        {
            "country": code,
            "in_use": in_use[code].reason,
            "series": needed.series,
            "known_through": needed.known_through,
            "why": needed.gap or f"is known until {needed.known_through} only",
        }
        for code in sorted(in_use)
        for needed in needed_rates(in_force[code], today, in_use[code].kinds)
        if needed.is_stale(today)
    ]


def _confirmed(session: Session) -> _Confirmed:
    return {(one.subject, one.field, one.digest): one for one in rates.confirmations(session)}


def _series(series: RateSeries, confirmed: _Confirmed, imported: Sequence[RateImport]) -> dict[str, Any]:
    values = [_value(one, confirmed) for one in rates_of(series)]
    return {
        "series": series.name,
        "title": series.title,
        "publisher": series.publisher,
        "source": series.source,
        "known_from": series.known_from,
        "known_until": series.known_until,
        "rate": series.rates[-1].rate,
        "rate_from": series.rates[-1].valid_from,
        "checked_on": series.checked_on,
        "unconfirmed": _open(values),
        "confirmed": [one for one in values if one["confirmed_by"]],
        "imports": [
            one.model_dump(include={"number", "last", "source", "by", "at"}) | {"first": one.first}
            for one in imported
        ],
    }


def _country(law: Jurisdiction, confirmed: _Confirmed, today: date) -> dict[str, Any]:
    values = [_value(one, confirmed) for one in values_of(laws.files()[law.code])]
    return {
        "country": law.code,
        "name": law.name,
        "complete": law.complete,
        "missing": law.missing,
        "series": sorted(law.series),
        "known_through": known_through(law, today),
        "unconfirmed": _open(values),
        "confirmed": [one for one in values if one["confirmed_by"]],
    }


def _open(values: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in values if not one["sure"]]


def _value(value: LegalValue, confirmed: _Confirmed) -> dict[str, Any]:
    by = confirmed.get((value.subject, value.field, value.digest))
    return {
        "field": value.field,
        "value": value.shown,
        "certainty": value.certainty,
        "sure": value.certainty.sure or by is not None,
        "source": by.source if by and by.source else value.source,
        "checked_on": by.at.date() if by else value.checked_on,
        "confirmed_by": by.by if by else None,
        "confirmed_at": by.at if by else None,
    }

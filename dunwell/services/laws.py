"""The laws in force in this installation: the files, the rates imported since, and what people confirmed."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pydantic import ValidationError
from sqlalchemy.orm import Session

from dunwell.domain.confirmation import Confirmation, LegalValue, confirmed, rates_of, values_of
from dunwell.domain.governing_law import counts_as, known_law, law_of
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.rate_import import Difference, RateImport, differences, with_imports
from dunwell.domain.rate_series import RateSeries
from dunwell.domain.refusal import Refused, refusal_of
from dunwell.domain.spelling import did_you_mean
from dunwell.domain.terms import DebtorKind
from dunwell.intake import jurisdiction_files
from dunwell.store import cases, rates


@cache
def files() -> Mapping[str, Jurisdiction]:
    """Return the laws as the files have them, read once a process. Raises LawError for a bad file."""
    return jurisdiction_files.read_jurisdictions(jurisdiction_files.FOLDER)


@cache
def series_files() -> Mapping[str, RateSeries]:
    """Return the base rates as the files have them, read once a process. Raises LawError for a bad file."""
    return jurisdiction_files.read_series(jurisdiction_files.FOLDER)


def series_in_force(session: Session) -> dict[str, RateSeries]:
    """Return every base rate with what was imported for it, by name."""
    return _series(session, series_files())


def _series(session: Session, names: Iterable[str]) -> dict[str, RateSeries]:
    """Return these base rates with what was imported for them."""
    imported = rates.imports(session, names)
    return {name: with_imports(series_files()[name], imported.get(name, ())) for name in names}


def laws_in_force(session: Session) -> dict[str, Jurisdiction]:
    """Return every law with the imported rates and the confirmations, by code."""
    series, confirmations = series_in_force(session), rates.confirmations(session)
    return {code: confirmed(_with_series(law, series), confirmations) for code, law in files().items()}


def law_in_force(session: Session, code: str) -> Jurisdiction:
    """Return one of them. Raises Refused for a code without a file."""
    law = files().get(code)
    if law is None:
        raise Refused("jurisdiction", f"{code} is no law that is known here: {did_you_mean(code, files())}")
    return confirmed(_with_series(law, _series(session, law.series)), rates.confirmations(session))


def governing_law(
    session: Session, *, jurisdiction: str | None, residence: str, kind: DebtorKind | None, seller: str | None
) -> Jurisdiction:
    """Return the law by which an invoice's claim is made; the arguments are those of `law_of`.

    Raises Refused where none is chosen, or the chosen one is unknown or not complete.
    """
    code = law_of(jurisdiction=jurisdiction, residence=residence, kind=kind, seller=seller, known=files())
    law = law_in_force(session, code)
    law.check_complete()
    return law


def confirm(session: Session, subject: str, field: str, by: str, source: str | None, now: datetime) -> LegalValue:
    """Record that a person checked a value, and return it.

    subject: a country or a series. field: the value's place in it, or the first words of one place alone. Raises
    Refused for a value that does not exist, for one that needs nobody's confirmation, and for an unfit `by`.
    """
    values = values_in_force(session, subject)
    named = _named(values, field)
    if len(named) > 1:
        raise Refused("FIELD", f"{field!r} is the beginning of several: {', '.join(one.field for one in named)}")
    if not named:
        unsure = [one.field for one in values if not one.certainty.sure]
        raise Refused("FIELD", f"{field!r} is no value of {subject}: {did_you_mean(field, unsure or ['none'])}")
    (value,) = named
    if value.certainty.sure:
        raise Refused("FIELD", f"{value.field} is {value.certainty} already and needs no confirmation")
    facts = {"subject": value.subject, "field": value.field, "digest": value.digest, "source": source, "at": now}
    try:
        confirmation = Confirmation.model_validate(facts | {"by": by})
    except ValidationError as error:
        raise refusal_of(error) from None
    rates.confirm(session, confirmation)
    return value


def _named(values: Sequence[LegalValue], field: str) -> list[LegalValue]:
    """Return the value at this place, or those whose place begins with these words, the unsure ones if any is."""
    begun = f"{field}."
    found = [one for one in values if one.field == field] or [one for one in values if one.field.startswith(begun)]
    return [one for one in found if not one.certainty.sure] or found


def values_in_force(session: Session, subject: str) -> list[LegalValue]:
    """Return the values of a country or of a series, as their files and imports say, before any confirmation."""
    series = series_in_force(session)
    if subject.lower() in series:
        return list(rates_of(series[subject.lower()]))
    code = subject.upper()
    law = files().get((known_law(code, files()) or "") if len(code) == 2 else code)
    if law is not None:
        return list(values_of(law))
    raise Refused(
        "COUNTRY", f"{subject!r} is no country and no series here: {did_you_mean(subject, [*files(), *series])}"
    )


def import_rates(session: Session, imported: RateImport) -> list[Difference]:
    """Return what an import would change. Raises Refused for a series that does not exist."""
    series = series_in_force(session).get(imported.series)
    if series is None:
        raise Refused("SERIES", f"{imported.series!r} is no series: {did_you_mean(imported.series, series_files())}")
    return differences(series, with_imports(series, [imported]))


def withdraw_import(
    session: Session, series: str, number: int | None, by: str, now: datetime
) -> tuple[RateImport, list[Difference]]:
    """Let an import of rates count no more, the latest one of the series without a `number`.

    Returns it, and what that changes. Raises Refused for one that does not exist, and for an unfit `by`.
    """
    known = rates.imports(session, [series]).get(series, [])
    found = [one for one in known if number in (None, one.number)]
    if not found:
        numbers = ", ".join(str(one.number) for one in known) or "none"
        raise Refused("SERIES", f"{series!r} has no such import: there are {numbers} (starter.py rates --json)")
    try:
        RateImport.model_validate(found[-1].model_dump() | {"by": by})
    except ValidationError as error:
        raise refusal_of(error) from None
    before = series_in_force(session)[series]
    rates.withdraw_import(session, found[-1], by, now)
    return found[-1], differences(before, series_in_force(session)[series])


@dataclass
class LawInUse:
    """Why a law is in use, and for which kinds of customers."""

    reason: str
    kinds: set[DebtorKind]


def laws_in_use(session: Session, seller: str | None) -> dict[str, LawInUse]:
    """Return the laws that open invoices and the setting SENDER_COUNTRY need, by code."""
    found: dict[str, LawInUse] = {}
    seller_law = known_law(seller, files()) if seller else None
    if seller_law:
        found[seller_law] = LawInUse("SENDER_COUNTRY", {DebtorKind.BUSINESS, DebtorKind.PUBLIC})
    for jurisdiction, residence, kind in cases.open_parties(session):
        with suppress(Refused):  # no claim is made for such an invoice
            code = law_of(jurisdiction=jurisdiction, residence=residence, kind=kind, seller=seller, known=files())
            found.setdefault(code, LawInUse("open invoices", set())).kinds.add(counts_as(kind))
    return found


def _with_series(law: Jurisdiction, series: Mapping[str, RateSeries]) -> Jurisdiction:
    return law.model_copy(update={"series": {name: series[name] for name in law.series}})

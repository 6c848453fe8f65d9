"""A jurisdiction's file and a file of rates: a parsed TOML mapping becomes checked data, or a list of its faults."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import PurePath
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from dunwell.domain.governing_law import SELLER
from dunwell.domain.jurisdiction import TABLES, Jurisdiction, in_force, rates_of
from dunwell.domain.legal_fact import COMMERCIAL, LegalFact
from dunwell.domain.model import Value
from dunwell.domain.rate_series import RateSeries
from dunwell.domain.spelling import hint
from dunwell.domain.terms import DebtorKind

_NEEDED = ("interest", "lump_sum", "allocation")
_NOT_WRITTEN = {Jurisdiction: ("code", "series"), LegalFact: ("key",)}
_SHOWN = 60
_FILE_NAME = re.compile(r"[a-z]{2}(-[a-z0-9]{1,3})?")


class LawFault(Value):
    """One reason why a file is refused. `place` names table and field, as in "interest 2 (business): margin"."""

    file: str
    place: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place} {self.reason}" if self.place else f"{self.file}: {self.reason}"


class LawError(ValueError):
    """A file that cannot be used. `faults` holds all that is wrong with it, str() gives a line each."""

    def __init__(self, faults: Sequence[LawFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


# Rates -----------------------------------------------------------------------------------------------------


def parse_series(data: Mapping[str, object], file: str) -> RateSeries:
    """Turn a parsed file of rates into a series. Raises LawError with every fault of the file."""
    series = _validated(RateSeries, data, file)
    faults = [LawFault(file=file, place=place, reason=reason) for place, reason in _faults_of_series(series, file)]
    if faults:
        raise LawError(faults)
    return series


def _faults_of_series(series: RateSeries, file: str) -> Iterator[tuple[str | None, str]]:
    if series.name != PurePath(file).stem:
        yield "name", f'{series.name!r} differs from the file\'s name: write name = "{PurePath(file).stem}"'
    if not series.rates:
        yield "rates", "is empty: a series has one rate at least"
        return
    for number, step in enumerate(series.rates, 1):
        if step.until is not None and step.until < step.valid_from:
            yield f"rates {number}: until", f"{step.until} lies before from = {step.valid_from}"
    for number, (step, following) in enumerate(pairwise(series.rates), 2):
        place = f"rates {number}: from"
        if following.valid_from <= step.valid_from:
            yield (
                place,
                f"{following.valid_from} does not come after {step.valid_from}: write the rates by their days",
            )
        elif step.until is not None and step.until >= following.valid_from:
            yield place, f"{following.valid_from} lies in the rate before, which holds until {step.until}"
        elif step.until == following.valid_from - timedelta(days=1):
            yield f"rates {number - 1}: until", f"{step.until} is the day before the next rate: leave it out"
    last = series.rates[-1]
    if series.known_until < last.valid_from:
        yield "known_until", f"{series.known_until} lies before the last rate, from {last.valid_from}"
    if last.until is not None and last.until < series.known_until:
        yield "known_until", f"{series.known_until} lies after the last rate, which holds until {last.until}"


# Law -------------------------------------------------------------------------------------------------------


def parse_jurisdiction(data: Mapping[str, object], file: str, series: Mapping[str, RateSeries]) -> Jurisdiction:
    """Turn a parsed file into the law of a country. `series` holds all base rates, by name.

    A file is called as its country in small letters, "de.toml", and says either complete = true or what is missing.
    Raises LawError with every fault of the file.
    """
    stem = PurePath(file).stem
    faults = list(_faults_of_head(data, stem))
    written = {key: value for key, value in data.items() if key not in ("complete", *_NOT_WRITTEN[Jurisdiction])}
    law = _validated(Jurisdiction, {"code": stem.upper(), **written}, file)
    law = _with_keys(law, stem)
    used = {name for rule in law.interest for rate in rates_of(rule) if (name := rate.series) is not None}
    law = law.model_copy(update={"series": {name: series[name] for name in sorted(used & series.keys())}})
    faults += _faults_of_rows(law)
    faults += _faults_of_rates(law, series)
    if data.get("complete") is True:
        faults += _faults_of_complete(law)
    if faults:
        raise LawError([LawFault(file=file, place=place, reason=reason) for place, reason in faults])
    return law


def _faults_of_head(data: Mapping[str, object], stem: str) -> Iterator[tuple[str | None, str]]:
    if not _FILE_NAME.fullmatch(stem):
        yield None, f"is called {stem!r}: call it as the country, de.toml, or a part of one, us-ny.toml"
    complete = data.get("complete", False)
    if not isinstance(complete, bool):
        yield "complete", f"must be true or false, without quotes, not {_shown(complete)}"
    for key in _NOT_WRITTEN[Jurisdiction]:
        if key in data:
            yield key, "is worked out from the rest of the file: leave it out"
    for table in TABLES:
        rows = data.get(table)
        for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
            if isinstance(row, Mapping) and "key" in row:
                yield f"{table} {number}: key", "is worked out from the rest of the row: leave it out"
    if bool(complete) == bool(data.get("missing")):
        yield None, 'must say either complete = true or missing = ["what is not known"], and not both'


def _with_keys(law: Jurisdiction, stem: str) -> Jurisdiction:
    """The law with the key of each row."""
    update = {}
    for table in TABLES:
        rows: tuple[LegalFact, ...] = getattr(law, table)
        update[table] = tuple(row.model_copy(update={"key": f"{stem}.{table}.{_name(row)}"}) for row in rows)
    return law.model_copy(update=update)


def _name(row: LegalFact) -> str:
    """What tells a row from the others of its table, such as "business+public.2014-07-29"."""
    sellers = "" if row.sellers == COMMERCIAL else f"-of-{'+'.join(row.sellers)}"
    asked = "-once-asked" if getattr(row, "once_asked", False) else ""
    return f"{'+'.join(row.customers)}{sellers}{asked}.{row.valid_from}"


def _written_fields(model: type[BaseModel]) -> list[str]:
    """The fields that stand in a file; the others are worked out from it."""
    left_out = {name for base, names in _NOT_WRITTEN.items() if issubclass(model, base) for name in names}
    return [field.alias or name for name, field in model.model_fields.items() if name not in left_out]


def _faults_of_rows(law: Jurisdiction) -> Iterator[tuple[str | None, str]]:
    for table in TABLES:
        rows: tuple[LegalFact, ...] = getattr(law, table)
        for number, row in enumerate(rows, 1):
            place = _place(table, number, row.customers)
            for field in row.certainty_of:
                known = ["basis", *(name for name in type(row).model_fields if name not in LegalFact.model_fields)]
                if field not in known:
                    yield (
                        f"{place}: certainty_of",
                        f"names {field!r}, which is no field of {table}{hint(field, known)}",
                    )
            for other_number, other in enumerate(rows[: number - 1], 1):
                if _overlap(row, other):
                    yield (
                        f"{place}: valid_from",
                        f"{row.valid_from} is the day of {table} {other_number} too, which is for the same parties: "
                        "a later row needs a later day",
                    )
            if number > 1 and _same_parties(row, rows[number - 2]) and row.valid_from < rows[number - 2].valid_from:
                yield (
                    f"{place}: valid_from",
                    f"{row.valid_from} comes after {rows[number - 2].valid_from}: older first",
                )


def _overlap(row: LegalFact, other: LegalFact) -> bool:
    """Whether both would be the rule of the same parties from the same day."""
    apart = getattr(row, "once_asked", False) != getattr(other, "once_asked", False)
    return row.valid_from == other.valid_from and _same_parties(row, other) and not apart


def _same_parties(row: LegalFact, other: LegalFact) -> bool:
    return bool(set(row.customers) & set(other.customers) and set(row.sellers) & set(other.sellers))


def _faults_of_rates(law: Jurisdiction, series: Mapping[str, RateSeries]) -> Iterator[tuple[str | None, str]]:
    for number, rule in enumerate(law.interest, 1):
        for rate in rates_of(rule):
            if rate.series is not None and rate.series not in series:
                known = ", ".join(sorted(series))
                near = hint(rate.series, series) or f": the files of jurisdictions/rates are {known}"
                yield f"{_place('interest', number, rule.customers)}: series", f"{rate.series!r} is no series{near}"


def _faults_of_complete(law: Jurisdiction) -> Iterator[tuple[str | None, str]]:
    for table in _NEEDED:
        for kind in DebtorKind:
            if in_force(getattr(law, table), kind, SELLER, date.max) is None:
                yield table, f"has no row for {kind} customers: add one, or say missing = [...] instead of complete"


def _place(table: str, number: int, customers: Sequence[str]) -> str:
    return f"{table} {number} ({', '.join(customers)})"


# Messages --------------------------------------------------------------------------------------------------


_Model = TypeVar("_Model", bound=BaseModel)


def _validated(model: type[_Model], data: Mapping[str, object], file: str) -> _Model:
    """The model with this data. Raises LawError with every wrong field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise LawError([_fault(model, item, data, file) for item in error.errors(include_url=False)]) from None


_Error = Mapping[str, Any]


def _fault(model: type[BaseModel], error: _Error, data: Mapping[str, object], file: str) -> LawFault:
    place = ""
    here: object = data
    for part in error["loc"]:
        if isinstance(part, int):
            place += f" {part + 1}"
            here = here[part] if isinstance(here, Sequence) and part < len(here) else None
            if isinstance(here, Mapping) and isinstance(who := here.get("customers"), list):
                place += f" ({', '.join(map(str, who))})"
        else:
            place += f": {part}" if place else str(part)
            here = here.get(part) if isinstance(here, Mapping) else None
    return LawFault(file=file, place=place or None, reason=_reason(model, error))


def _reason(model: type[BaseModel], error: _Error) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        known = _fields_at(model, error["loc"][:-1])
        near = hint(str(error["loc"][-1]), known)
        return f"is unknown{near or ': the fields here are ' + ', '.join(known)}"
    if kind == "missing":
        return f"is missing: {_WANTED.get(str(error['loc'][-1]), 'write it')}"
    if kind == "enum":
        near = hint(str(error["input"]), re.findall("'([^']*)'", context["expected"]))
        return f"{_shown(error['input'])} is unknown: use {context['expected']}{near}"
    if kind == "value_error":
        said = str(context["error"])
        return said if isinstance(error["input"], Mapping) else f"{_shown(error['input'])} {said}"
    wanted = _KINDS.get(kind, "otherwise: write it as the other files do")
    return f"must be {wanted.format_map(context)}, not {_shown(error['input'])}"


_WANTED = {
    "source": 'write where it was read, source = "https://..."',
    "checked_on": "write the day on which the source was read, checked_on = 2026-11-27",
    "certainty": 'write "confirmed", "single_source", "computed" or "memory"',
    "valid_from": "write the first day on which it holds, valid_from = 2014-07-29",
    "customers": 'write the kinds of customers that it is for, customers = ["business", "public"]',
    "starts": 'write from when interest runs, starts = ["due"]',
    "known_until": "write the last day whose rate is known, known_until = 2026-12-31",
}
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("decimal_parsing", "decimal_type", "finite_number"), 'a number in quotes, such as "8.15"'),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), "a day without quotes, 2026-01-01"),
    **dict.fromkeys(("time_parsing", "time_type"), "a time of day, 08:00:00"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list: [...]"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a table"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false, without quotes"),
    "string_type": "a text in quotes",
    "string_pattern_mismatch": "a currency's code of three capital letters",
    "string_too_short": "longer: an address, or a book and its page",
    "too_short": "a list with one item at least",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names of the fields of the table at that place of the file."""
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return _written_fields(model)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field's type holds, directly or in a tuple or a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."

"""The checks of countries, jurisdictions, time zones and languages of an invoice record.

Each check takes a JSON value and returns the value to store, or raises InvalidValue with the reason and what to do.
"""

import re
from functools import cache
from zoneinfo import available_timezones

import pycountry
from babel import Locale
from babel.core import parse_locale

from dunwell.domain.cleaning import printable
from dunwell.domain.governing_law import known_law, unknown_law
from dunwell.domain.spelling import did_you_mean, hint
from dunwell.intake.jurisdiction_files import known_codes
from dunwell.intake.refusals import InvalidValue
from dunwell.intake.text_checks import text

_COUNTRY_ALIASES = {"UK": "GB", "EL": "GR", "KOSOVO": "XK"}
_PLATES = {
    "A": "AT",
    "B": "BE",
    "D": "DE",
    "E": "ES",
    "F": "FR",
    "I": "IT",
    "L": "LU",
    "N": "NO",
    "P": "PT",
    "S": "SE",
}
"""Countries by the sign on their cars, which exports hold before a postal code."""
_NAMED_IN = ("de", "fr", "es", "it", "pt", "bg", "ru", "id", "nl", "pl")
"""Languages in which exports name countries."""
_NOT_IN_ISO = {"XK"}  # Kosovo: in general use, from the codes that ISO 3166 leaves free for users
_NO_PLACE = {"Factory", "localtime"}  # entries of the zone database that are no zones


def country(value: object) -> str:
    """Return an ISO 3166-1 alpha-2 code, which must be in capital letters."""
    word = text(value)
    if _is_country(word):
        return word
    meant = _country_meant(word)
    if meant is None:
        raise InvalidValue("is no country: give the ISO 3166 code of two letters, for example 'DE'")
    raise InvalidValue(f"is not the ISO 3166 code of two letters: use {meant!r}")


def _country_meant(word: str) -> str | None:
    """Return the code of the country that a word names otherwise: its name, or another code of it."""
    known = _COUNTRY_ALIASES.get(word.upper()) or _PLATES.get(word)
    try:
        return known or str(pycountry.countries.lookup(word).alpha_2)
    except LookupError:
        return _country_names().get(word.casefold())


@cache
def _country_names() -> dict[str, str]:
    """The codes of countries by their names in several languages."""
    return {
        name.casefold(): code
        for language in _NAMED_IN
        for code, name in Locale(language).territories.items()
        if _is_country(code)
    }


def _is_country(word: str) -> bool:
    known = re.fullmatch("[A-Z]{2}", word) and pycountry.countries.get(alpha_2=word)
    return word in _NOT_IN_ISO or bool(known)


def jurisdiction(value: object) -> str:
    """Return whose law applies: a country, a part of one ("US-NY") or "UK". Its law must have a file."""
    word = text(value)
    part = re.fullmatch("[A-Z]{2}-[A-Z0-9]{1,3}", word) and word in _subdivisions()
    if not (part or word in {"EU", "UK"} or _is_country(word)):
        meant = _country_meant(word)
        how = f"use {meant!r}" if meant else "use a country ('DE'), a part of one ('US-NY') or 'UK'"
        raise InvalidValue(f"is no jurisdiction{hint(word, known_codes()) or f': {how}'}")
    if known_law(word, known_codes()) is None:
        raise InvalidValue(unknown_law(word, known_codes()))
    return word


@cache
def _subdivisions() -> frozenset[str]:
    return frozenset(part.code for part in pycountry.subdivisions)


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - _NO_PLACE}


def time_zone(value: object) -> str:
    """Return an IANA zone name, which must be spelled as in the zone database."""
    word = text(value)
    name = _zones().get(word.lower())
    if name is None:
        example = "use an IANA name, for example 'Europe/Berlin'"
        raise InvalidValue(f"is no time zone: {did_you_mean(word, _zones().values(), example)}")
    if name != word:
        raise InvalidValue(f"is spelled with other capitals: use {name!r}")
    return name


def language(value: object) -> str:
    """Return a BCP 47 tag of language, script and region in usual capitals: "en", "pt-BR", "zh-Hant-TW"."""
    word = text(value)
    if "_" in word:
        raise InvalidValue(f"has an underscore: use a hyphen, {printable(word.replace('_', '-'))!r}")
    try:
        base, region, script = parse_locale(word, sep="-")[:3]
    except ValueError:
        base = None
    if base is None or base not in Locale("en").languages:
        raise InvalidValue("is no language tag: use 'en', 'pt-BR' or the like")
    if region is not None and region not in Locale("en").territories:
        raise InvalidValue(f"names the region {region!r}, which does not exist: use {base!r} or 'pt-BR' or the like")
    return "-".join(part for part in (base, script, region) if part)

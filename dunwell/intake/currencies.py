"""The currencies in use and their minor units by ISO 4217."""

from dataclasses import dataclass
from functools import cache

import pycountry
from babel.numbers import get_currency_precision, get_territory_currencies

# For these CLDR has the digits used in shops; invoices and banks use the minor units of ISO 4217.
_ISO_DIGITS = {
    "AFN": 2, "ALL": 2, "IQD": 3, "IRR": 2, "KPW": 2, "LAK": 2, "LBP": 2, "MGA": 2,
    "MMK": 2, "RSD": 2, "SLE": 2, "SOS": 2, "SYP": 2, "YER": 2,
}  # fmt: skip

# Withdrawn recently, so still found in exports. CLDR has no end date for the lev, which the euro replaced 2026-01-01.
_REPLACED = {"ANG": "XCG", "BGN": "EUR", "HRK": "EUR", "SLL": "SLE", "ZWL": "ZWG"}


@dataclass(frozen=True)
class Currency:
    """An ISO 4217 code and the number of digits that its amounts have after the point."""

    code: str
    digits: int


@cache
def current_codes() -> frozenset[str]:
    """Return the codes of all currencies that are legal tender somewhere."""
    countries = [country.alpha_2 for country in pycountry.countries]
    tender = {code for country in countries for code in get_territory_currencies(country)}
    return frozenset(tender - _REPLACED.keys())


@cache
def find_currency(code: str) -> Currency:
    """Return the currency with this code. Raises KeyError when it is not in use."""
    if code not in current_codes():
        raise KeyError(code)
    return Currency(code, _ISO_DIGITS.get(code, get_currency_precision(code)))


def replacement(code: str) -> str | None:
    """Return the code of the currency that replaced a withdrawn one; None for any other code."""
    return _REPLACED.get(code)

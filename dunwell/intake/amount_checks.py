"""The checks of currencies, amounts and rates of an invoice record.

Each check takes a JSON value and returns the value to store, or raises InvalidValue with the reason and what to do.
"""

import re
from decimal import Decimal

from dunwell.domain.claim_terms import checked_interest
from dunwell.domain.money import exact_amount, looks_like_thousands
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.currencies import Currency, current_codes, find_currency, replacement
from dunwell.intake.numbers_and_dates import Choice, Decimals, amount_by
from dunwell.intake.refusals import InvalidValue, kind
from dunwell.intake.text_checks import text

_WHOLE_DIGITS = 12
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_NOT_POSITIVE = "is not more than zero: write an amount above it, and leave out a record that asks for nothing"


def currency(value: object) -> Currency:
    code = text(value)
    try:
        return find_currency(code)
    except KeyError:
        pass
    if successor := replacement(code.upper()):
        raise InvalidValue(f"is no longer in use: use {successor!r}")
    if code.upper() in current_codes():
        raise InvalidValue(f"is not in capital letters: use {code.upper()!r}")
    raise InvalidValue("is no currency in use: give the ISO 4217 code, for example 'EUR'")


def amount(value: object, unit: Currency | None, dialect: Dialect | None = None) -> Decimal:
    """Return a positive amount with exactly the minor units of `unit`, which is None when the currency was refused.

    `dialect` is that of the CSV file, None for JSON.
    """
    number = _number(value) if dialect is None else _csv_amount(text(value, 40), dialect.decimals)
    if number <= 0:
        raise InvalidValue(_NOT_POSITIVE)
    if number.adjusted() >= _WHOLE_DIGITS:
        raise InvalidValue(f"is too large: at most {_WHOLE_DIGITS} digits before the point")
    if unit is None:
        return number
    exact = exact_amount(number, unit.digits)
    if exact is None:
        allowed = f"at most {unit.digits} digits" if unit.digits else "no digits but zeros"
        raise InvalidValue(f"is too fine: {unit.code} has {allowed} after the point")
    if looks_like_thousands(number, unit.digits):
        more = f"{number.scaleb(3):.{unit.digits}f}"
        raise InvalidValue(f"may be {more} or {exact}: write '{more}' or '{exact}'")
    return exact


def _csv_amount(cell: str, decimals: Choice[Decimals]) -> Decimal:
    readings = {kind: number for kind in Decimals if (number := amount_by(kind, cell)) is not None}
    sample = "1200,00" if decimals.kind is Decimals.COMMA else "1200.00"
    if not readings:
        raise InvalidValue(f"is no amount: write digits only, such as {sample}")
    if decimals.kind is None or (not decimals.sure and len(set(readings.values())) > 1):
        if len(set(readings.values())) > 1:
            raise InvalidValue("can be read in two ways, and this file writes amounts in both: write 1200 or 1200.00")
        return next(iter(readings.values()))
    if decimals.kind not in readings:
        raise InvalidValue(f"is written otherwise than the amounts of this file: write it like {sample}")
    return readings[decimals.kind]


def _number(value: object) -> Decimal:
    match value:
        case bool():
            raise InvalidValue(f"is {kind(value)}, no amount: write it as text, '1200.00'")
        case float():
            raise InvalidValue("is no exact number: write it as text, '1200.00'")
        case int():
            return Decimal(value)
        case Decimal():
            return _finite(value)
        case str():
            return _text_amount(text(value, 40))
        case _:
            raise InvalidValue(f"is {kind(value)}, no amount: write it as text, '1200.00'")


def _finite(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InvalidValue("is no finite number: write the amount as text, '1200.00'")
    if exponent > 0:
        raise InvalidValue("has an exponent: write all digits, '1200.00'")
    return number


def _text_amount(word: str) -> Decimal:
    if _AMOUNT.fullmatch(word):
        return Decimal(word)
    if "," in word or "'" in word or " " in word:
        raise InvalidValue("has a comma or a separator: write digits and one point, '1200.00'")
    if re.fullmatch(r"-[0-9.]+", word):
        raise InvalidValue(_NOT_POSITIVE)
    if re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]+", word):
        raise InvalidValue("has an exponent: write all digits, '1200.00'")
    raise InvalidValue("is no amount: write digits and one point, '1200.00'")


def interest(value: object, dialect: Dialect | None = None) -> str:
    """Return which interest is claimed: "statutory", "none", or a rate in per cent a year as text, such as "8.5"."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        raise InvalidValue(f"is {kind(value)}: write a rate in quotes, such as '8.5'")
    word = text(value, 40)
    readings = {found for sign in Decimals if (found := amount_by(sign, word)) is not None} if dialect else set()
    try:
        return checked_interest(f"{readings.pop()}" if len(readings) == 1 else word)
    except ValueError as error:
        raise InvalidValue(str(error)) from None

"""Stripe's amounts: whole numbers of a currency's minor unit, by Stripe's own table, which differs from ISO 4217."""

from decimal import Decimal

# fmt: off
_NONE = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
})  # "zero-decimal currencies"
# fmt: on
_THREE = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])  # "three-decimal currencies", whose last digit is 0
_UNKNOWN = frozenset(["IQD", "LYD"])  # three digits by ISO 4217, and in neither table of Stripe's
# Two digits for ISK and UGX: they have no minor unit any more, and Stripe still counts their hundredths.


def amount(value: object, currency: str) -> Decimal:
    """Return what so many minor units are. `currency` is ISO 4217 in any case.

    Raises ValueError for what is no whole number, and for a currency whose minor unit at Stripe is not known.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        raise ValueError("is no whole number of minor units")
    if currency.upper() in _UNKNOWN:
        raise ValueError(f"is in {currency.upper()}, whose minor unit Stripe does not name")
    return Decimal(int(value)).scaleb(-digits(currency))


def digits(currency: str) -> int:
    """Return how many digits after the point Stripe counts for this currency."""
    code = currency.upper()
    return 0 if code in _NONE else 3 if code in _THREE else 2

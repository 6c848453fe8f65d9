"""Amounts as people write them in a sentence: "1.200,00 €", "EUR 1200", "300 лв", "Rp 1.000.000"."""

import re
from collections.abc import Collection
from decimal import Decimal
from typing import NamedTuple

_NUMBER = r"\d{1,3}(?:[ .,'\u2019]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_CURRENCIES = {
    "EUR": r"€|eur(?:os?)?|евро",
    "USD": r"us ?\$|usd|us dollars?",
    "CAD": r"ca?\$|cad",
    "AUD": r"au?\$|aud",
    "NZD": r"nz\$|nzd",
    "SGD": r"sg?\$|sgd",
    "HKD": r"hk\$|hkd",
    "GBP": r"£|gbp|pounds?|libras|pfund",
    "BRL": r"r\$|brl|reais|real",
    "BGN": r"bgn|лв\.?|лева|левов",
    "RUB": r"₽|rub|руб(?:\.|леи|ля|ль)?|р\.?",
    "IDR": r"rp\.?|idr|rupiah",
    "CHF": r"chf|fr\.|franken|francs suisses",
    "MXN": r"mxn|mex?\$|pesos mexicanos",
    "PLN": r"pln|zł\.?|zl\.?|złot(?:y|e|ych)|zlot(?:y|e|ych)|злотых",
    "CZK": r"czk|kc",
    "SEK": r"sek|svenska kronor",
    "NOK": r"nok|norske kroner",
    "DKK": r"dkk|danske kroner",
    "RON": r"ron",
    "HUF": r"huf|ft\.?|forint",
    "UAH": r"uah|₴|грн\.?",
    "TRY": r"₺|tl",
    "JPY": r"jpy|¥",
    "INR": r"inr|₹",
    "kr": r"kr\.?|kroner|kronor|kronen",
    "$": r"\$|dollars?|dolares|долларов|pesos|dolar",
}
_DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "MXN", "ARS", "CLP", "COP", "SGD", "HKD"})
_CROWNS = frozenset({"SEK", "NOK", "DKK", "ISK"})
_ANY = "|".join(_CURRENCIES.values())
_WITH_CURRENCY = re.compile(
    rf"(?<![\w$€£₽₴₺¥₹])(?:(?P<before>{_ANY}) ?(?P<after_sign>{_NUMBER})|(?P<number>{_NUMBER}) ?(?P<after>{_ANY}))"
    r"(?!\w|[.,]\d)"
)
_BARE = re.compile(rf"(?<![\w.,/:$€£₽₴₺¥₹-])(?:{_NUMBER})(?![\w/:%$€£₽₴₺¥₹-]|[.,]\d)")
_MOST = Decimal(10) ** 10


class WrittenAmount(NamedTuple):
    """An amount in a sentence."""

    amount: Decimal
    currency: str


def amount_in(text: str, currency: str | None, sums: Collection[Decimal]) -> WrittenAmount | None:
    """Return the first amount of a sentence in the currency of the invoices; None without one.

    One that is written in another currency is left out: only a person knows what it is worth to the customer.

    text      as `reply_words.folded` returns it
    currency  of the invoices, also for a number without one; None: not known, then every written one counts
    sums      what is open: a number without a currency is an amount only when it is one of these
    """
    for found in _WITH_CURRENCY.finditer(text):
        number = _read(found["after_sign"] or found["number"])
        sign = found["before"] or found["after"]
        known = currency_of(sign, currency)
        if 0 < number < _MOST and known is not None and currency in (None, known):
            return WrittenAmount(number, known)
    for found in _BARE.finditer(_WITH_CURRENCY.sub(";", text)):
        number = _read(found[0])
        if currency is not None and number in sums:
            return WrittenAmount(number, currency)
    return None


def currency_of(sign: str, currency: str | None) -> str | None:
    """Return the code of the currency that this sign, code or word names; None for one that is not known.

    sign      as `reply_words.folded` returns it
    currency  of the invoices: of several that share a sign, it is meant
    """
    known = next((code for code, pattern in _CURRENCIES.items() if re.fullmatch(pattern, sign)), None)
    if known == "$":
        return currency if currency in _DOLLARS else "USD"
    if known == "kr":
        return currency if currency in _CROWNS else "SEK"
    return known


def _read(written: str) -> Decimal:
    """The number: a sign before exactly three digits parts thousands, else the last one is the decimal sign."""
    plain = re.sub(r"[ '\u2019]", "", written)
    last = max(plain.rfind("."), plain.rfind(","))
    decimals = len(plain) - last - 1 if last >= 0 else 0
    if last >= 0 and decimals != 3:
        return Decimal(re.sub(r"[.,]", "", plain[:last]) + "." + plain[last + 1 :])
    return Decimal(re.sub(r"[.,]", "", plain))

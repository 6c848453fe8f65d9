"""Amounts as people type them into a field: 1,200.00 or 1.200,00 or 1200, with or without the sign of a currency.

A field has one currency, that of the invoice or the payment. An amount in another one is refused: nobody converts it.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from babel.numbers import get_currency_symbol

from dunwell.domain.cleaning import printable
from dunwell.domain.money import looks_like_thousands
from dunwell.domain.refusal import Refused
from dunwell.intake.currencies import Currency, current_codes
from dunwell.intake.numbers_and_dates import Decimals, amount_by
from dunwell.intake.reply_words import folded
from dunwell.intake.written_amounts import currency_of

_SIGNED = re.compile(r"([^\d.,-]*)(.*?)([^\d.,-]*)", re.ASCII | re.DOTALL)
"""An amount with the sign or code of a currency before or behind it."""
_MOST = Decimal(10) ** 15


def readings(text: str, currency: Currency | None) -> Mapping[Decimals, Decimal]:
    """Return what was typed as an amount, by the decimal sign with which it can be read; empty for no amount.

    currency: in which the amount has to be, if it names one; None: in any
    """
    before, typed, behind = _parts(text)
    if currency is not None and not all(_names(sign, currency) for sign in (before, behind)):
        return {}
    found = {kind: amount for kind in Decimals if (amount := amount_by(kind, typed)) is not None}
    return {kind: amount for kind, amount in found.items() if abs(amount) < _MOST}


def typed_amount(field: str, text: str, currency: Currency) -> Decimal:
    """Return the amount that was typed. Raises Refused, naming `field`, for none, for one of two meanings, and for
    one in another currency.
    """
    found = sorted(set(readings(text, currency).values()))
    if not found:
        raise Refused(field, f"{printable(text)!r} {_why_none(text, currency)}")
    digits = currency.digits
    if len(found) > 1 or looks_like_thousands(found[0], digits):
        amount = next(one for one in found if looks_like_thousands(one, 0))
        less, more = f"{amount:.{digits}f}", f"{amount.scaleb(3):.{digits}f}"
        raise Refused(field, f"{printable(text)!r} may be {more} or {less}: write one of these")
    return found[0]


def sought_amount(text: str) -> Decimal | None:
    """Return the amount that somebody looks for; 1.200 are twelve hundred. None for other words."""
    found = readings(text, None).values()
    return next((one for one in found if not looks_like_thousands(abs(one), 0)), None)


def _why_none(text: str, currency: Currency) -> str:
    """What is wrong with what was typed, and what to write."""
    before, _, behind = _parts(text)
    if readings(text, None) and any(_other(sign, currency) for sign in (before, behind)):
        return f"is not in {currency.code}, the currency of this field: write what it is in {currency.code}"
    return f"is not an amount: write it as 1200.00 or 1200,00, in {currency.code}"


def _parts(text: str) -> tuple[str, str, str]:
    """What stands before the amount, the amount, and what stands behind it."""
    found = _SIGNED.fullmatch(text.strip())
    assert found is not None  # each of its parts may be empty
    return found[1].strip(), found[2].strip(), found[3].strip()


def _names(sign: str, currency: Currency) -> bool:
    """Whether the sign is none, or one of this currency."""
    own = {currency.code.lower(), folded(get_currency_symbol(currency.code, "en"))}
    return not sign or folded(sign) in own or currency_of(folded(sign), currency.code) == currency.code


def _other(sign: str, currency: Currency) -> bool:
    """Whether the sign is one of another currency."""
    known = sign.upper() in current_codes() or currency_of(folded(sign), currency.code) is not None
    return known and not _names(sign, currency)

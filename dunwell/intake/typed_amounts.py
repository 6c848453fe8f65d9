"""Amounts as people type them into a field: 1,200.00 or 1.200,00 or 1200, with or without the sign of a currency."""

import re
from collections.abc import Mapping
from decimal import Decimal

from dunwell.domain.cleaning import printable
from dunwell.domain.money import looks_like_thousands
from dunwell.domain.refusal import Refused
from dunwell.intake.numbers_and_dates import Decimals, amount_by

_CURRENCY = re.compile(r"^[^\d.,-]+|[^\d.,-]+$", re.ASCII)
"""A sign or code of a currency before or behind an amount."""
_MOST = Decimal(10) ** 15


def readings(text: str) -> Mapping[Decimals, Decimal]:
    """Return what was typed as an amount, by the decimal sign with which it can be read; empty for no amount."""
    typed = _CURRENCY.sub("", text).strip()
    found = {kind: amount for kind in Decimals if (amount := amount_by(kind, typed)) is not None}
    return {kind: amount for kind, amount in found.items() if abs(amount) < _MOST}


def typed_amount(field: str, text: str, digits: int = 2) -> Decimal:
    """Return the amount that was typed. Raises Refused, naming `field`, for none and for one of two meanings.

    digits: the minor units of the currency
    """
    found = sorted(set(readings(text).values()))
    if not found:
        raise Refused(field, f"{printable(text)!r} is not an amount: write it as 1200.00 or 1200,00")
    if len(found) > 1 or looks_like_thousands(found[0], digits):
        amount = next(one for one in found if looks_like_thousands(one, 0))
        less, more = f"{amount:.{digits}f}", f"{amount.scaleb(3):.{digits}f}"
        raise Refused(field, f"{printable(text)!r} may be {more} or {less}: write one of these")
    return found[0]


def sought_amount(text: str) -> Decimal | None:
    """Return the amount that somebody looks for; 1.200 are twelve hundred. None for other words."""
    found = readings(text).values()
    return next((one for one in found if not looks_like_thousands(abs(one), 0)), None)

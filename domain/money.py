"""Amounts with exactly the digits of their currency."""

from decimal import Decimal

_GROUP = 3


def exact_amount(amount: Decimal, digits: int) -> Decimal | None:
    """The amount with `digits` after the point, the minor units of its currency; None when it is finer than that."""
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        return None
    rounded = amount.quantize(Decimal(1).scaleb(-digits)) if -exponent < 40 else None
    return rounded if rounded == amount else None


def looks_like_thousands(amount: Decimal, digits: int) -> bool:
    """Whether an amount as it is written may stand for a thousand times as much, as 1.200 does in many countries."""
    return amount.as_tuple().exponent == -_GROUP and digits < _GROUP and 1 <= amount < 1000

"""Checks the events that people type, before they are sent to a case."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dunwell.domain.cleaning import printable
from dunwell.domain.events import parse_event
from dunwell.domain.money import looks_like_thousands
from dunwell.domain.refusal import Refused

_AMOUNTS = ("amount", "new_amount")


def check_typed(name: str, content: Mapping[str, Any], digits: int) -> None:
    """Raise Refused for an event that every case would refuse, and for an amount with an ambiguous separator.

    This refusal shows the value to the person who typed it. A refusal by the case is stored, so it holds no value.
    digits: the minor units of the invoice's currency.
    """
    try:
        parse_event(name, [dict(content)])
    except Refused as refused:
        value = content.get(refused.field)
        raise Refused(refused.field, f"{printable(value)!r} {refused.reason}" if value else refused.reason) from None
    for field in _AMOUNTS:
        text = str(content.get(field, ""))
        if text and looks_like_thousands(Decimal(text), digits):
            more, less = f"{Decimal(text).scaleb(3):.{digits}f}", f"{Decimal(text):.{digits}f}"
            raise Refused(field, f"{text!r} may be {more} or {less}: write one of these")

"""Reads and checks the events that people type, before they are sent to a case."""

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from dunwell.domain.cleaning import printable
from dunwell.domain.events import parse_event
from dunwell.domain.money import looks_like_thousands
from dunwell.domain.refusal import Refused
from dunwell.intake.currencies import Currency, find_currency
from dunwell.intake.typed_amounts import typed_amount

_AMOUNTS = frozenset({"amount", "new_amount"})
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
"""As programs write an amount, which call commands, too."""


def with_amounts(content: Mapping[str, Any], currency: Currency) -> dict[str, Any]:
    """Return the fields of an event with the amounts as they are written in one: "1.200,00" is "1200.00".

    currency: of the invoice; that of the event itself counts where it names one. Raises Refused for what is no
    amount, for one of two meanings and for one in another currency.
    """
    with suppress(KeyError, TypeError):  # what is no currency is refused with the event
        currency = find_currency(content["currency"])
    return {name: _read(name, value, currency) for name, value in content.items()}


def _read(name: str, value: Any, currency: Currency) -> Any:
    if isinstance(value, Mapping):
        return with_amounts(value, currency)
    if isinstance(value, list):
        return [_read(name, one, currency) for one in value]
    if name not in _AMOUNTS or not isinstance(value, str):
        return value
    if _PLAIN.fullmatch(value) and not looks_like_thousands(Decimal(value), currency.digits):
        return value
    return str(typed_amount(name, value, currency))


def check_typed(name: str, content: Mapping[str, Any]) -> None:
    """Raise Refused for an event that every case would refuse.

    This refusal shows the value to the person who typed it. A refusal by the case is stored, so it holds no value.
    """
    try:
        parse_event(name, [dict(content)])
    except Refused as refused:
        value = content.get(refused.field)
        raise Refused(refused.field, f"{printable(value)!r} {refused.reason}" if value else refused.reason) from None

"""Pauses whose end a law names: who enters the breathing space of their country is left alone for its days."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dunwell.domain.refusal import Refused
from dunwell.services import contact_law, laws
from dunwell.store.tables import CustomerRow

BREATHING_SPACE = "breathing_space"
"""The reason of such a pause."""


def with_legal_end(pause: Mapping[str, Any], customer: CustomerRow, now: datetime) -> dict[str, Any]:
    """The fields of a pause with the end that the law names, where the reason is one and nobody said another end.

    Raises Refused when the law of the customer's country, as far as it is known here, names no end.
    """
    found = dict(pause)
    if _plain(found.get("reason")) != _plain(BREATHING_SPACE) or found.get("until") is not None:
        return found
    found["reason"] = BREATHING_SPACE
    today = now.astimezone(ZoneInfo(customer.time_zone)).date()
    rule = contact_law.rule_for(laws.files(), customer, today)
    if rule is None or rule.breathing_space_days is None:
        why = f"is missing: jurisdictions/{customer.country.lower()}.toml names no length of a breathing space"
        raise Refused("until", f"{why}, so say when it ends")
    found["until"] = (today + timedelta(days=rule.breathing_space_days)).isoformat()
    return found


def _plain(reason: object) -> str:
    """Without what people write in different ways: case, spaces, hyphens and underscores."""
    return "".join(sign for sign in str(reason).casefold() if sign.isalnum())

"""Kinds of telephone numbers that cost whoever writes to them."""

import phonenumbers
from phonenumbers import PhoneNumberType

_NETWORKS = dict.fromkeys((870, 881, 882, 883), "a satellite number")
"""Calling codes of no country. Those of 882 and 883 are shared with networks of machines, which cost as much."""

_TYPES = {PhoneNumberType.PREMIUM_RATE: "a premium-rate number"}


def costly(number: str) -> str | None:
    """ "a premium-rate number" or "a satellite number"; None for any other, and for what is no E.164 number."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    return _NETWORKS.get(parsed.country_code or 0) or _TYPES.get(phonenumbers.number_type(parsed))

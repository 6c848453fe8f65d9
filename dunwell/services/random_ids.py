"""Ids of what has no key of its own: users, API keys, requests for approval."""

import secrets
from string import ascii_lowercase

_LETTERS = 12


def random_id(prefix: str) -> str:
    """Return a new id, such as user-kdmwqhzvtrba.

    It has no digits: it stands where people also write by hand, and seven of them are refused as a phone number.
    """
    return f"{prefix}-{''.join(secrets.choice(ascii_lowercase) for _ in range(_LETTERS))}"

"""Passwords: the rule for new ones, their hashes, and the check of one."""

from functools import cache

import argon2

from dunwell.domain.refusal import Refused

_LEAST, _MOST = 15, 200
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # Argon2id


def check_new(password: str, email: str) -> None:
    """Raise Refused for a password that is too short, too long, or made of little."""
    if not _LEAST <= len(password) <= _MOST:
        raise Refused("password", f"must have {_LEAST} to {_MOST} characters: several words are a good password")
    if len(set(password)) < 5 or password.lower() == email.lower():
        raise Refused("password", "is easy to guess: take several words that have nothing to do with each other")


def hashed(password: str) -> str:
    return _HASHER.hash(password)


def is_right(password: str, known: str | None) -> bool:
    """Whether the password has this hash. Takes the same time when there is none, so that nobody can tell."""
    try:
        _HASHER.verify(known or _nobodys(), password[:_MOST])
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return known is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash("the password of nobody")

"""Which known word somebody may have meant."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

_LONGEST = 60  # the comparison takes quadratic time, so a hostile word of a megabyte is cut first
_ALIKE = 0.8
_ALIKE_FROM_THE_FIRST_LETTER = 0.65


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is a slip of; None when none is near enough to be proposed.

    Numbers are never taken for slips: GMT+1 is not GMT+0, and INV-17 is not INV-16.
    """
    slip = word[:_LONGEST].lower()
    words = {name.lower(): str(name) for name in sorted(known)}
    for near in get_close_matches(slip, words, n=3, cutoff=_ALIKE_FROM_THE_FIRST_LETTER):
        alike = near[:1] == slip[:1] or SequenceMatcher(None, slip, near).ratio() >= _ALIKE
        if alike and same_numbers(near, slip):
            return words[near]
    return None


def same_numbers(one: str, other: str) -> bool:
    """Whether two words hold the same numbers in the same order, zeros before them aside."""
    return _numbers(one) == _numbers(other)


def _numbers(word: str) -> list[str]:
    return [digits.lstrip("0") for digits in re.findall("[0-9]+", word)]

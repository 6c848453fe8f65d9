"""Which known word somebody may have meant, and the sentence that proposes it."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

_LONGEST = 60  # the comparison takes quadratic time, so a hostile word of a megabyte is cut first
_ALIKE = 0.8
_ALIKE_FROM_THE_FIRST_LETTER = 0.65


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return advice for a word that is not among `known`: the nearest one, or `otherwise`, or all of them."""
    words = sorted(map(str, known))
    near = nearest(word, words)
    if near is not None:
        return proposal(repr(near))
    return f"use one of {', '.join(words)}" if otherwise is None else otherwise


def hint(word: str, known: Iterable[str]) -> str:
    """Return the end of a reason, such as ": did you mean 'email'?"; empty when no known word is near."""
    near = nearest(word, known)
    return "" if near is None else f": {proposal(repr(near))}"


def proposal(*words: str) -> str:
    """Return the question whether one of `words` was meant, which are shown as they are given."""
    return f"did you mean {' or '.join(words)}?"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is a slip of; None when none is near enough to be proposed."""
    return next(iter(near_words(word, known)), None)


def near_words(word: str, known: Iterable[str]) -> list[str]:
    """Return the known words, at most three, that `word` may be a slip of, the nearest first.

    Numbers are never taken for slips: GMT+1 is not GMT+0, and INV-17 is not INV-16.
    """
    slip, numbers = word[:_LONGEST].lower(), _numbers(word)
    words = {name.lower(): name for name in sorted(map(str, known)) if _numbers(name) == numbers}
    alike = get_close_matches(slip, words, n=3, cutoff=_ALIKE_FROM_THE_FIRST_LETTER)
    return [
        words[near] for near in alike if near[:1] == slip[:1] or SequenceMatcher(None, slip, near).ratio() >= _ALIKE
    ]


def _numbers(word: str) -> list[str]:
    return [digits.lstrip("0") for digits in re.findall("[0-9]+", word)]

"""Which known word somebody may have meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 60  # the comparison takes quadratic time, so a hostile word of a megabyte is cut first
_LIKENESS = 0.8


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is a slip of; None when none is near enough to be proposed.

    Numbers are never taken for slips: GMT+1 is not GMT+0, and INV-17 is not INV-16.
    """
    words = {name.lower(): str(name) for name in sorted(known)}
    near = get_close_matches(word[:_LONGEST].lower(), words, n=3, cutoff=_LIKENESS)
    return next((words[name] for name in near if _digits(name) == _digits(word)), None)


def _digits(word: str) -> list[str]:
    return re.findall("[0-9]+", word)

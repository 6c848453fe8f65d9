"""The dialect of a CSV file: separator of columns, decimal sign, order of day and month, encoding.

Each is determined once from all cells of the file, or given by the user. No cell is interpreted by itself.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dunwell.domain.cleaning import printable
from dunwell.domain.refusal import Refused
from dunwell.intake.numbers_and_dates import Choice, Days, Decimals

SEPARATORS: Mapping[str, str] = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written. When given by the user, None, and a `kind` of None, mean: determine it."""

    separator: str | None = None
    encoding: str | None = None
    decimals: Choice[Decimals] = field(default_factory=Choice)
    days: Choice[Days] = field(default_factory=Choice)


def read_dialect(text: str) -> Dialect:
    """Read the value of --dialect: words separated by commas. Raises Refused, naming the known words."""
    dialect = Dialect()
    for word in filter(None, re.split(r"[,\s]+", text.strip().lower())):
        if word in SEPARATORS:
            dialect = replace(dialect, separator=SEPARATORS[word])
        elif word in set(Decimals):
            dialect = replace(dialect, decimals=Choice(Decimals(word)))
        elif word in set(Days):
            dialect = replace(dialect, days=Choice(Days(word)))
        else:
            dialect = replace(dialect, encoding=_encoding(word))
    return dialect


def _encoding(word: str) -> str:
    try:
        "".encode(word)  # fails for codecs that are no text encodings
        bytes(range(256)).decode(word, "replace")  # and this for those of names of hosts
        return codecs.lookup(word).name
    except (LookupError, UnicodeError):
        pass
    known = ", ".join((*SEPARATORS, *Decimals, *Days))
    raise Refused(
        "--dialect",
        f"{printable(word)!r} is unknown: use words of {known}, and an encoding such as utf-8 or windows-1252",
    )

"""The words by which days and the lines of customers are recognised: a file a language in messages/replies."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale

from dunwell.domain.reply_terms import ReplyLine

FOLDER = Path(__file__).parents[2] / "messages" / "replies"
RELATIVE = frozenset(
    {"today", "tomorrow", "after_tomorrow", "yesterday", "before_yesterday", "in_days", "in_weeks"}
    | {"days_ago", "weeks_ago", "next_week", "end_of_week", "end_of_month", "day_of_month"}
)
"""The entries of the table `days` that are patterns."""

_OF_A_YEAR = 12
_WORD = r"\S*[^\s,]"
"""A word, or an amount as "900,00". No comma follows, since what is said after one is about something else."""


@dataclass(frozen=True)
class ReplyWords:
    """What is recognised in one language. Patterns fit text that `folded` returns.

    relative  by the name of the entry
    months    the pattern of their names, and the number of each name
    between   stands between a day and its month
    numbers   from one to ten, and how each is written
    unless    what says that a line is not meant, by line
    """

    language: str
    relative: Mapping[str, re.Pattern[str]]
    months: Mapping[str, int]
    between: str
    numbers: tuple[re.Pattern[str], ...]
    weekdays: tuple[re.Pattern[str], ...]
    lines: Mapping[ReplyLine, re.Pattern[str]]
    unless: Mapping[ReplyLine, re.Pattern[str]]


def folded(text: str) -> str:
    """Return text in small letters, without accents, and with one kind of space and apostrophe."""
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'").casefold())
    return " ".join("".join(sign for sign in plain if not unicodedata.combining(sign)).split())


@cache
def words_of(language: str) -> ReplyWords:
    """Return what is recognised in a language. Raises LookupError for one without a file."""
    path = FOLDER / f"{language}.toml"
    if not path.is_file():
        raise LookupError(f"messages/replies has no file {language}.toml")
    return _read(language, tomllib.loads(path.read_text(encoding="utf-8")))


@cache
def languages() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load() -> None:
    """Read every language now. Whoever does not call it waits at the first reply."""
    for language in languages():
        words_of(language)


def in_order(first: str) -> Iterator[ReplyWords]:
    """Yield every language: the given one first, then English, then the others, since people write in any."""
    known = languages()
    wanted = [first, first.partition("-")[0], "en", *known]
    yield from (words_of(one) for one in dict.fromkeys(wanted) if one in known)


def _read(language: str, data: Mapping[str, Any]) -> ReplyWords:
    days, lines, unless = data["days"], data["lines"], data["unless"]
    numbers = [_pattern(one) for one in days["numbers"]]
    number = rf"(\d{{1,3}}|{'|'.join(one.pattern for one in numbers)})"
    return ReplyWords(
        language=language,
        relative={name: _pattern(days[name], number) for name in RELATIVE},
        months=_months(language),
        between=_plain(days["between"]),
        numbers=tuple(numbers),
        weekdays=tuple(_pattern(one) for one in days["weekdays"]),
        lines={line: _any(lines[line.value]) for line in ReplyLine},
        unless={ReplyLine(name): _any(patterns) for name, patterns in unless.items() if patterns},
    )


def _plain(pattern: str) -> str:
    """The pattern without accents, as the text is."""
    plain = unicodedata.normalize("NFKD", pattern)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _pattern(text: str, number: str = "") -> re.Pattern[str]:
    filled = _plain(text).replace("{n}", number).replace("{d}", r"(3[01]|[12]\d|0?[1-9])")
    return re.compile(rf"(?<!\w)(?:{filled})(?!\w)")


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<!\w)(?:{_plain(one).replace('{w}', _WORD)})" for one in patterns))


def _months(language: str) -> dict[str, int]:
    """The names of the months, long and short, as they stand alone and in a date."""
    locale = Locale.parse(language, sep="-")
    found: dict[str, int] = {}
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number in range(1, _OF_A_YEAR + 1):
                name = folded(locale.months[context][width][number]).rstrip(".")
                if name.isalpha():
                    found.setdefault(name, number)
    return found

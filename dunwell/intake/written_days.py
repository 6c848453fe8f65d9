"""Days as people write them in a sentence: "next Friday", "12 de marzo", "до петък", "01/12", "in two weeks"."""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from dunwell.intake.reply_words import ReplyWords, in_order

_ISO = re.compile(r"(?<![\d-])(20\d\d)-(\d{1,2})-(\d{1,2})(?![\d-])")
_NUMERIC = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})(?:\2(20\d\d|\d\d))?(?!\d|[./-]\d)\.?")
_CENTURY = 2000
_LATE = timedelta(days=45)
"""A day without a year that is so little in the past is not one of next year."""
_WEEK = 7
_FRIDAY, _SUNDAY = 4, 6
_MONTH_FIRST = frozenset({"US", "PH", "FM", "MH", "PW", "GU", "PR", "AS", "VI"})
"""Countries where 3/4 is the fourth of March."""


@dataclass(frozen=True)
class WrittenDay:
    """A day in a sentence: as one to come, and as one that has passed. Most are the same either way."""

    upcoming: date
    past: date

    @classmethod
    def of(cls, day: date) -> "WrittenDay":
        return cls(day, day)


def day_in(text: str, language: str, country: str, today: date) -> WrittenDay | None:
    """Return the first way of naming a day that is found in a sentence; None without one.

    text  as `folded` returns it
    """
    for found in (_numeric(text, country, today), *(_in_words(text, words, today) for words in in_order(language))):
        if found is not None:
            return found
    return None


def _numeric(text: str, country: str, today: date) -> WrittenDay | None:
    if iso := _ISO.search(text):
        exact = _date(int(iso[1]), int(iso[2]), int(iso[3]))
        return WrittenDay.of(exact) if exact is not None else None
    for found in _NUMERIC.finditer(text):
        first, second = int(found[1]), int(found[3])
        if found[2] == "." and found[4] is None and not _is_date(text, found):
            continue  # 12.50 is an amount
        month_first = country in _MONTH_FIRST and found[2] != "."
        day, month = (second, first) if (month_first and second <= 31 and first <= 12) else (first, second)
        if month > 12 and day <= 12:
            day, month = month, day
        if found[4] is not None:
            year = int(found[4])
            exact = _date(year if year >= _CENTURY else _CENTURY + year, month, day)
            if exact is not None:
                return WrittenDay.of(exact)
        elif (near := _of_month(day, month, today)) is not None:
            return near
    return None


def _is_date(text: str, found: re.Match[str]) -> bool:
    """Whether two numbers with a full stop between are a day: "12.3." or "am 12.03", but not "12.50"."""
    return int(found[3]) in range(1, 13) and (found[0].endswith(".") or len(found[3]) == 2) and int(found[1]) <= 31


def _in_words(text: str, words: ReplyWords, today: date) -> WrittenDay | None:
    return _named_month(text, words, today) or _relative(text, words, today) or _weekday(text, words, today)


def _named_month(text: str, words: ReplyWords, today: date) -> WrittenDay | None:
    names = "|".join(sorted(map(re.escape, words.months), key=len, reverse=True))
    day, year = r"(3[01]|[12]\d|0?[1-9])", r"(?:,? (?:de |del |di |г\.? )?(20\d\d))?"
    forms = (
        rf"(?<!\d){day}(?:{words.between})({names})(?!\w)\.?{year}",
        rf"(?<!\w)({names})\.? {day}(?:st|nd|rd|th)?(?!\d){year}",
    )
    for form, day_at, month_at in zip(forms, (1, 2), (2, 1), strict=True):
        if found := re.search(form, text):
            number, month = int(found[day_at]), words.months[found[month_at]]
            if found[3]:
                exact = _date(int(found[3]), month, number)
                return WrittenDay.of(exact) if exact is not None else None
            return _of_month(number, month, today)
    return None


def _relative(text: str, words: ReplyWords, today: date) -> WrittenDay | None:
    fixed = {"after_tomorrow": 2, "before_yesterday": -2, "tomorrow": 1, "yesterday": -1, "today": 0}
    for name, days in _counted(text, words):
        return WrittenDay.of(today + timedelta(days=days if name.startswith("in") else -days))
    for name, away in fixed.items():
        if words.relative[name].search(text):
            return WrittenDay.of(today + timedelta(days=away))
    week_end = today + timedelta(days=(_FRIDAY - today.weekday()) % _WEEK)
    ends = {
        "next_week": today + timedelta(days=_WEEK - today.weekday() + _FRIDAY),
        "end_of_week": week_end,
        "end_of_month": today.replace(day=monthrange(today.year, today.month)[1]),
    }
    for name, day in ends.items():
        if words.relative[name].search(text):
            return WrittenDay.of(day)
    if found := words.relative["day_of_month"].search(text):
        return _day_of_month(int(_number(found)), today)
    return None


def _counted(text: str, words: ReplyWords) -> Iterator[tuple[str, int]]:
    for name, days in (("in_days", 1), ("in_weeks", _WEEK), ("days_ago", 1), ("weeks_ago", _WEEK)):
        if found := words.relative[name].search(text):
            written = _number(found)
            count = int(written) if written.isdigit() else _count(written, words)
            yield name, min(count, 366) * days


def _count(written: str, words: ReplyWords) -> int:
    return next(number for number, pattern in enumerate(words.numbers, 1) if pattern.fullmatch(written))


def _number(found: re.Match[str]) -> str:
    return next(one for one in found.groups() if one is not None)


def _weekday(text: str, words: ReplyWords, today: date) -> WrittenDay | None:
    for number, pattern in enumerate(words.weekdays):
        if pattern.search(text):
            ahead = (number - today.weekday()) % _WEEK or _WEEK
            back = (today.weekday() - number) % _WEEK or _WEEK
            return WrittenDay(today + timedelta(days=ahead), today - timedelta(days=back))
    return None


def _of_month(day: int, month: int, today: date) -> WrittenDay | None:
    """The day in the years around: the next one, unless it was a little while ago, and the last one."""
    near = [one for year in (-1, 0, 1) if (one := _date(today.year + year, month, day)) is not None]
    if not near:
        return None
    upcoming = next((one for one in near if one >= today - _LATE), near[-1])
    return WrittenDay(upcoming, next((one for one in reversed(near) if one <= today), near[0]))


def _day_of_month(day: int, today: date) -> WrittenDay | None:
    this = _date(today.year, today.month, day)
    after = today.replace(day=28) + timedelta(days=4)
    before = today.replace(day=1) - timedelta(days=1)
    upcoming = this if this is not None and this >= today else _date(after.year, after.month, day)
    past = this if this is not None and this <= today else _date(before.year, before.month, day)
    return WrittenDay(upcoming or today, past or today) if upcoming or past else None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

"""How the console shows amounts, dates and words: the filters of its templates."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from dunwell.domain.keys import StepId
from dunwell.domain.plain_words import plain_word
from dunwell.domain.terms import PayerState
from dunwell.services.statements import Verdict

_UTC_TIME = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}) UTC")
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

_WORDS: Mapping[str, str] = {"account_manager": "our account manager"}

_VERDICTS: Mapping[Verdict, str] = {
    Verdict.BOOK: "Paid on invoices",
    Verdict.PROPOSE: "Proposed to a person",
    Verdict.UNMATCHED: "Not matched",
    Verdict.RETURN: "Returned: payments taken back",
    Verdict.ASK: "May return a payment: a person decides",
    Verdict.UNRELATED: "Returns nothing known here",
    Verdict.KNOWN: "Known already",
    Verdict.ELSEWHERE: "Told by another format",
    Verdict.PENDING: "Not booked by the bank yet",
    Verdict.OUTGOING: "Outgoing, not kept",
}


PAYER_STATES: Mapping[PayerState, str] = {
    PayerState.ASKED: "waits for a decision",
    PayerState.DUE: "is written to at the next decent hour",
    PayerState.CLAIMED: "is being written to",
    PayerState.SENT: "was written to",
    PayerState.BOUNCED: "the e-mail bounced",
    PayerState.FAILED: "the e-mail could not be sent",
    PayerState.UNKNOWN: "nobody knows whether the e-mail left",
    PayerState.DECLINED: "is not written to",
    PayerState.WITHHELD: "is not written to",
}
"""What became of somebody whom a customer named as the one who pays."""


def money(amount: Decimal | str | None, currency: str | None) -> str:
    """Return an amount as `1,200.00 EUR`; "–" where it is unknown."""
    if amount is None:
        return "–"
    return f"{Decimal(amount):,} {currency or ''}".rstrip()


def day(value: date | str | None) -> str:
    """Return a day as `Wed 24 Mar 2027`; "–" for none."""
    if value is None:
        return "–"
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return f"{value:%a} {value.day} {value:%b %Y}"


def moment(value: datetime | None, zone: str = "UTC") -> str:
    """Return a moment in local time as `Wed 24 Mar 2027, 10:00`; "–" for none."""
    if value is None:
        return "–"
    local = value.astimezone(ZoneInfo(zone))
    return f"{day(local.date())}, {local:%H:%M}"


def local_times(text: str, zone: str) -> str:
    """Return a reason with its times, which are written in UTC, in local time."""

    def local(found: re.Match[str]) -> str:
        return moment(datetime.fromisoformat(found[1]).replace(tzinfo=UTC), zone)

    return _UTC_TIME.sub(local, text)


def clock(value: datetime, zone: str) -> str:
    """Return the local time of day as `10:00`."""
    return f"{value.astimezone(ZoneInfo(zone)):%H:%M}"


def place(zone: str) -> str:
    """Return the city of a time zone, as people say it: `Sao Paulo`."""
    return zone.rpartition("/")[2].replace("_", " ")


def distance(value: datetime, now: datetime) -> str:
    """Return how far a moment is from `now`: `in 3 hours`, `2 days ago`, `now`."""
    seconds = (value - now).total_seconds()
    size = abs(seconds)
    if size < _MINUTE:
        return "now"
    unit, length = next(
        (name, length) for name, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)) if size >= length
    )
    count = int(size // length)
    words = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds > 0 else f"{words} ago"


def plain(word: Any) -> str:
    """Return a word of the database as people read it: `handed over`."""
    text = str(word)
    return _WORDS.get(text, text.replace("_", " ").replace("-", " "))


def worded(value: Any) -> Any:
    """Return a text with words in place of codes; all else as it is."""
    return plain_word(value) if isinstance(value, str) else value


def sentence(text: Any) -> str:
    """Return text that begins with a capital letter."""
    words = str(text)
    return words[:1].upper() + words[1:]


def full_stop(text: Any) -> str:
    """Return text that ends as a sentence does; a reason of several sentences may have the last full stop already."""
    words = str(text).rstrip()
    return words if words.endswith((".", "!", "?", ".”")) else f"{words}."


def step(step_id: str) -> str:
    """Return a step as people read it, without the marks of answers and agreed days."""
    return StepId.parse(step_id).name


def count(number: int, noun: str, many: str = "") -> str:
    """Return a number with its noun: `1 task`, `2 tasks`."""
    return f"{number} {noun if number == 1 else many or noun + 's'}"


def age(days: int) -> str:
    """Return how old something is, of which the whole days are counted: `3 days old`."""
    return f"{count(days, 'day')} old" if days else "less than a day old"


def verdict(one: Verdict) -> str:
    """Return what follows from an entry of a bank statement as people read it."""
    return _VERDICTS[one]


def csv_cell(text: str) -> str:
    """Return text for a CSV file in which no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


FILTERS: Mapping[str, Callable[..., Any]] = {
    "money": money,
    "day": day,
    "moment": moment,
    "clock": clock,
    "local_times": local_times,
    "place": place,
    "distance": distance,
    "plain": plain,
    "sentence": sentence,
    "count": count,
    "full_stop": full_stop,
    "step": step,
    "verdict": verdict,
    "age": age,
    "worded": worded,
}

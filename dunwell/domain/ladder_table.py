"""One table of a ladder file, read key by key: what has the wrong kind is reported and read as missing."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from dunwell.domain.ladder_problems import Report
from dunwell.domain.spelling import hint

_Word = TypeVar("_Word", bound=StrEnum)


_OTHER_WORDS = {
    **dict.fromkeys(("channel", "channels", "via", "how"), "by"),
    **dict.fromkeys(("role", "roles", "recipient", "recipients", "who", "contacts"), "to"),
    **dict.fromkeys(("template", "text", "body", "letter", "mail"), "message"),
    **dict.fromkeys(("delay", "after", "at", "day", "days", "date", "offset"), "when"),
    **dict.fromkeys(("action", "restrict", "suspend"), "access"),
    **dict.fromkeys(("hours", "time", "times"), "window"),
    **dict.fromkeys(("steps", "stage", "level", "levels"), "step"),
}
"""Keys that people try, and the key that says it here."""

_NEVER = ("weekend", "weekends", "holiday", "holidays", "business_days")
_SHOWN = 60


def _advice(key: str, keys: Sequence[str]) -> str:
    """What to write instead of a key that is none."""
    other = _OTHER_WORDS.get(key.lower())
    if other in keys:
        return f": that is said with {other!r}"
    if key.lower() in _NEVER:
        return ": leave it out, people are never contacted on weekends and holidays of their country"
    return f": the keys here are {', '.join(keys)}"


class Table:
    """One table of the file. A value of the wrong kind is reported, then read as if it were missing."""

    def __init__(self, data: object, report: Report, step: str | None, keys: Sequence[str]) -> None:
        self.report, self.step = report, step
        self.data: Mapping[str, object] = data if isinstance(data, Mapping) else {}
        for key in self.data:
            if key not in keys:
                self.bad(str(key), f"is unknown{hint(str(key), keys) or _advice(str(key), keys)}")

    def bad(self, key: str, reason: str) -> None:
        """Report what is wrong with the value of `key`."""
        self.report.add(self.step, f"{key} {reason}")

    def text(self, key: str) -> str | None:
        """A text that is not blank; None when there is none."""
        value = self.data.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None:
            self._wrong(key, value, "a text in quotes")
        return None

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`, else the default."""
        value = self.data.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._wrong(key, value, f"a whole number from {low} to {high}")
        return default

    def flag(self, key: str) -> bool:
        """true or false; false when there is none."""
        value = self.data.get(key, False)
        if isinstance(value, bool):
            return value
        self._wrong(key, value, "true or false, without quotes")
        return False

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, each kept once; empty when there is none."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(key, value, 'a list of texts: ["...", "..."]')
            return ()
        for item in sorted({item for item in value if value.count(item) > 1}):
            self.bad(key, f"names {item!r} more than once: once is enough")
        return tuple(dict.fromkeys(value))

    def word(self, key: str, allowed: Sequence[_Word]) -> _Word | None:
        """One of the allowed words; None when there is none."""
        value = self.text(key)
        return None if value is None else self._known(key, value, allowed)

    def words(self, key: str, allowed: Sequence[_Word]) -> tuple[_Word, ...]:
        """A list of allowed words, without those that are unknown."""
        found = (self._known(key, value, allowed) for value in self.texts(key))
        return tuple(word for word in found if word is not None)

    def _known(self, key: str, value: str, allowed: Sequence[_Word]) -> _Word | None:
        for word in allowed:
            if word == value:
                return word
        self.bad(key, f"{value!r} is unknown: use {' or '.join(allowed)}{hint(value, allowed)}")
        return None

    def _wrong(self, key: str, value: object, wanted: str) -> None:
        self.bad(key, f"must be {wanted}, not {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return "a number of so many digits"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."

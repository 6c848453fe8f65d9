"""Texts that a provider has to approve before they are sent: a short text with a number in place of each fact.

    Northwind Ltd: invoice {{1}}, {{2}}, was due on {{3}}.

The numbers follow the order of the facts in the text. Where a case changes the wording (a warning, a link, other
invoices), that is another text, which needs an approval of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dunwell.domain.toml_text import parse_toml

CONSTANT = frozenset({"sender_company", "sender_name", "phone"})
"""Facts that are the same for every customer, so they are part of the approved text."""

_BEGIN, _END = "\ue000", "\ue001"  # private-use characters, which no text holds
_FACT = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
_MARKS = re.compile(f"[{_BEGIN}{_END}]")
_SID = re.compile(r"HX[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class NumberedText:
    """A text with {{1}}, {{2}}, ... in place of its values."""

    words: str
    values: tuple[str, ...]

    @property
    def filled(self) -> str:
        """The text with its values filled in, as the recipient reads it."""
        return re.sub(r"\{\{(\d+)\}\}", lambda place: self.values[int(place[1]) - 1], self.words)


def mark(value: object) -> object:
    """Return the value with marks around each text in it, and around the result of each function in it."""
    if isinstance(value, str):
        return f"{_BEGIN}{value}{_END}"
    if isinstance(value, Mapping):
        return {name: mark(one) for name, one in value.items()}
    if isinstance(value, list):
        return [mark(one) for one in value]
    return _marking(value) if callable(value) else value


def _marking(function: Callable[..., object]) -> Callable[..., object]:
    return lambda *given: mark(function(*given))


def numbered(marked: str) -> NumberedText:
    """Return a text with marked facts as one with numbers."""
    values: list[str] = []

    def number(found: re.Match[str]) -> str:
        values.append(found[1])
        return f"{{{{{len(values)}}}}}"

    words = _MARKS.sub("", _FACT.sub(number, marked))
    # A date that ends with a full stop needs no second one at the end of a sentence.
    before_a_stop = {int(place) - 1 for place in re.findall(r"\{\{(\d+)\}\}\.", words)}
    shown = (value.removesuffix(".") if at in before_a_stop else value for at, value in enumerate(values))
    return NumberedText(words, tuple(shown))


class ApprovedTexts:
    """The approved texts of one provider: for each message and language the texts and their ids."""

    def __init__(self, ids: Mapping[tuple[str, str, str], str]) -> None:
        self.ids = ids

    @classmethod
    def load(cls, file: Path) -> "ApprovedTexts":
        """Read the file; a missing one has no texts. Raises ValueError naming file, message and language."""
        if not file.exists():
            return cls(MappingProxyType({}))
        ids = {}
        for message, languages in parse_toml(file.read_bytes()).items():
            for language, rows in _entries(languages, f"{file.name}: {message}"):
                for row in rows:
                    where = f"{file.name}: {message}.{language}"
                    if not isinstance(row, Mapping) or set(row) != {"sid", "text"}:
                        raise ValueError(f"{where}: each text has sid and text, and nothing else")
                    if not _SID.fullmatch(str(row["sid"])):
                        raise ValueError(f"{where}: {row['sid']!r} is no ContentSid: HX and 32 hexadecimal digits")
                    ids[message, language, _plain(str(row["text"]))] = str(row["sid"])
        return cls(MappingProxyType(ids))

    def id_of(self, message: str, language: str, words: str) -> str | None:
        """Return the id under which exactly this text is approved; None when it is not."""
        return self.ids.get((message, language, _plain(words)))


def _entries(languages: object, where: str) -> list[tuple[str, list[object]]]:
    if not isinstance(languages, Mapping) or not all(isinstance(rows, list) for rows in languages.values()):
        raise ValueError(f"{where}: write [[{where.rpartition(' ')[2]}.es]] with sid and text below it")
    return list(languages.items())


def _plain(words: str) -> str:
    """Return the text for comparison, in which all white space is alike."""
    return " ".join(words.split())

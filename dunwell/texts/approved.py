"""Texts that a provider approves before they are sent: the words of a short text, with a number for each fact.

    Northwind Ltd: invoice {{1}}, {{2}}, was due on {{3}}.

The numbers follow the order in which the facts stand in the text, so the text itself says which is which. What a case
changes in the words (a warning, a link, other invoices) makes another text, which is approved on its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from dunwell.domain.toml_text import parse_toml

CONSTANT = frozenset({"sender_company", "sender_name", "phone"})
"""Facts that are the same for everybody we write to: they stand in the approved words."""

_BEGIN, _END = "\ue000", "\ue001"  # private characters that no text holds
_FACT = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
_MARKS = re.compile(f"[{_BEGIN}{_END}]")
_SID = re.compile(r"HX[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class NumberedText:
    """`words` has {{1}}, {{2}}, ... where the values belong, in their order."""

    words: str
    values: tuple[str, ...]

    @property
    def filled(self) -> str:
        """What the reader sees."""
        return re.sub(r"\{\{(\d+)\}\}", lambda place: self.values[int(place[1]) - 1], self.words)


def mark(value: object) -> object:
    """The value with marks around each text in it, and around what a function in it returns."""
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
    """The text whose facts stand between marks, with numbers for them."""
    values: list[str] = []

    def number(found: re.Match[str]) -> str:
        values.append(found[1])
        return f"{{{{{len(values)}}}}}"

    words = _MARKS.sub("", _FACT.sub(number, marked))
    # A date that ends with a stop needs no second one where a sentence ends with it.
    before_a_stop = {int(place) - 1 for place in re.findall(r"\{\{(\d+)\}\}\.", words)}
    shown = (value.removesuffix(".") if at in before_a_stop else value for at, value in enumerate(values))
    return NumberedText(words, tuple(shown))


class ApprovedTexts:
    """The approved texts of one provider: for each message and language the words, and the id they were given."""

    def __init__(self, ids: Mapping[tuple[str, str, str], str]) -> None:
        self.ids = ids

    @classmethod
    def load(cls, file: Path) -> "ApprovedTexts":
        """Read the file; none has no texts. Raises ValueError naming file, message, language and what to write."""
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
        """The id under which exactly these words are approved; None when they are not."""
        return self.ids.get((message, language, _plain(words)))


def _entries(languages: object, where: str) -> list[tuple[str, list[object]]]:
    if not isinstance(languages, Mapping) or not all(isinstance(rows, list) for rows in languages.values()):
        raise ValueError(f"{where}: write [[{where.rpartition(' ')[2]}.es]] with sid and text below it")
    return list(languages.items())


def _plain(words: str) -> str:
    """As it is compared: kinds of spaces do not count."""
    return " ".join(words.split())

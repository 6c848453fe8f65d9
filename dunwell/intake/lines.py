"""The numbered lines of a file, and its records before they are checked."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.refusals import Refusal

_BOM = "\ufeff"
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # as the error handler "surrogateescape" marks it


@dataclass(frozen=True)
class Record:
    """A record of a file, not checked yet.

    where    its place in the file, for refusals
    data     the decoded JSON value, or a CSV row in the same shape
    columns  the titles in a CSV file, by field path
    dialect  that of the CSV file; None for JSON
    """

    where: str
    data: object
    columns: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect | None = None


@dataclass(frozen=True)
class Line:
    number: int
    text: str

    @property
    def where(self) -> str:
        return f"line {self.number}"


class Lines(Iterator[Line]):
    """An iterator of the lines of a stream, numbered from 1. Lines can be given back, to be read again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._returned: deque[Line] = deque()
        self._number = 0

    def __next__(self) -> Line:
        if self._returned:
            return self._returned.popleft()
        text = next(self._stream)
        self._number += 1
        return Line(self._number, text.removeprefix(_BOM) if self._number == 1 else text)

    def give_back(self, lines: Iterable[Line]) -> None:
        self._returned.extendleft(reversed(list(lines)))

    def rest(self) -> str:
        return "".join(line.text for line in self)


def kept(lines: Iterator[Line], seen: list[Line]) -> Iterator[Line]:
    """Yield the lines, and append each to `seen`."""
    for line in lines:
        seen.append(line)
        yield line


def bad_byte(where: str, text: str) -> Refusal | None:
    """Return a refusal when the text holds a byte that was not valid UTF-8; else None."""
    found = _BAD_BYTE.search(text)
    if found is None:
        return None
    byte = ord(found[0]) - 0xDC00
    return Refusal(where, "", f"holds the byte 0x{byte:02X}, which is not UTF-8: save the file as UTF-8")

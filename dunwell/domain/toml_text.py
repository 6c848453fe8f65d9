"""TOML files as people write them, and what is wrong with a line in words for people."""

import re
import tomllib
from typing import Any

from dunwell.domain.cleaning import one_line

_SHOWN = 80
_PLACE = re.compile(r"\(at line (\d+), column \d+\)")
_PLAIN_TEXT = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')""")
_CURLY = re.compile("[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]")

_CAUSES: tuple[tuple[re.Pattern[str], str], ...] = (
    # what a line looks like, its quoted texts replaced by "": what to do
    (
        re.compile(r"^\s*\[\[?[^\]]*\]?\s*$"),
        "has a bracket too few or too many: write [name], and for a step [[step]]",
    ),
    (re.compile(r"^[^=]*$"), 'has no "=": write a key, "=" and a value'),
    (re.compile(r"^\s*="), 'has nothing before "=": write a key, "=" and a value'),
    (re.compile(r"=\s*[+-]?\d+,\d"), 'has a number with a comma: write it with a point, an amount in quotes: "1.50"'),
    (
        re.compile(r"=\s*(True|False|TRUE|FALSE|yes|no|Yes|No)\b"),
        "says yes or no otherwise: write true or false",
    ),
    (re.compile(r"""^[^"']*("|')[^"']*$"""), "has a quote left open: close it on the same line"),
    (re.compile(r"\]\s*\S"), "has more text after a list: begin a new line"),
    (re.compile(r'""\s*""'), 'has two texts side by side: put a comma between them, as in ["email", "sms"]'),
    (re.compile(r"=\s*\[[^\]]*[A-Za-z]"), 'has text without quotes: write it in quotes, as in ["email", "sms"]'),
    (re.compile(r"=\s*\[[^\]]*$"), 'has a list left open: close it with "]"'),
    (re.compile(r"=\s*[^\"'\s\[{]*[A-Za-z]"), 'has text without quotes: write it in quotes, as in "email"'),
    (re.compile(r'""\s*\S'), "has more after the text: begin a new line"),
)


class TomlFault(ValueError):
    """What is wrong with a TOML file; the text names the line."""


def parse_toml(content: bytes) -> dict[str, Any]:
    """The tables of a TOML file. A byte order mark is left out. Raises TomlFault."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        reason = (
            f"line {line}: holds the byte 0x{content[error.start]:02X}, which is not UTF-8: save the file as UTF-8"
        )
        raise TomlFault(reason) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlFault(_explained(text.split("\n"), str(error))) from None
    except RecursionError:
        raise TomlFault("has lists or tables nested too deeply: no key needs more than two levels") from None
    except ValueError:
        raise TomlFault("has a number of thousands of digits: shorten it") from None


def _explained(lines: list[str], said: str) -> str:
    place = _PLACE.search(said)
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    number = int(place[1]) if place else filled[-1]
    line = lines[number - 1]
    if not line.strip() or (place is None and line.rstrip().endswith((",", "["))):
        return f"line {number}: a list or a text is left open: close it with ] or a quote"
    shown = one_line(line)[:_SHOWN]
    return f"line {number}: {shown!r} {_cause(line, said)}"


def _cause(line: str, said: str) -> str:
    if said.startswith("Cannot overwrite"):
        return "gives a key a second time: keep one of the two"
    if said.startswith("Cannot"):
        return "begins a table a second time, or otherwise than before: every step begins with [[step]]"
    bare = _PLAIN_TEXT.sub('""', line)
    if _CURLY.search(bare):
        return 'has curly quotes: write straight ones, "like this"'
    if "\\" in line and "Unescaped" in said:
        return "has a backslash in a text: write it twice, or leave it out"
    bare = bare.partition("#")[0]
    for shape, cause in _CAUSES:
        if shape.search(bare):
            return cause
    return "is not understood: write one key, =, and one value a line"

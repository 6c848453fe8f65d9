"""Reads the records of a JSON document, or of a file with one JSON object a line."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from itertools import count

from dunwell.intake.lines import Lines, Record, bad_byte
from dunwell.intake.refusals import Refusal

_BRACKET = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[\]{}]')  # also matches strings, to skip the brackets inside them
_PAIRS = {"{": "}", "[": "]"}
_WHITE = re.compile(r"[ \t\r\n]*")


class JsonObject(dict[str, object]):
    """A JSON object that also holds its repeated keys, so that the field check can refuse this record alone."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = [key for key, count in counts.items() if count > 1]


def _number(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:  # the exponent is beyond the range of Decimal
        return Decimal("Infinity")


# Whole numbers become Decimal too, because Python refuses to parse an int of many thousand digits.
_DECODER = json.JSONDecoder(object_pairs_hook=JsonObject, parse_float=_number, parse_int=_number)


def json_lines(lines: Lines) -> Iterator[Record | Refusal]:
    """Yield the records of a file with one object a line. A broken line gives one refusal."""
    for line in lines:
        text = line.text.strip()
        if not text:
            continue
        try:
            data = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            yield _broken(line.where, text, error)
        else:
            yield bad_byte(line.where, text) or Record(line.where, data)


def json_document(lines: Lines) -> Iterator[Record | Refusal]:
    """Yield the items of a list, or of objects one after the other.

    A broken item gives one refusal. If its end cannot be found, nothing after it is read, and the refusal says so.
    """
    text = lines.rest()
    at = _skip_white(text, 0)
    listed = text.startswith("[", at)
    at = _skip_white(text, at + 1) if listed else at
    line, counted = 1, 0
    for position in count(1):
        line, counted = line + text.count("\n", counted, at), at
        where = f"line {line}, record {position}"
        if at == len(text) or (listed and text[at] == "]"):
            break
        try:
            data, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            closing = _closing(text, at)
            refusal = _broken(where, text[at : closing or getattr(error, "pos", at) + 1], error)
            if closing is None:
                yield replace(refusal, reason=f"{refusal.reason}; nothing after this was read")
                return
            yield refusal
            end = closing
        else:
            yield bad_byte(where, text[at:end]) or Record(where, data)
        at = _skip_white(text, end)
        if listed and text.startswith(",", at):
            at = _skip_white(text, at + 1)
    if listed and at == len(text):
        yield Refusal(f"line {line}", "", "the list has no closing ']': is the file cut off?")
    elif listed and _skip_white(text, at + 1) < len(text):
        yield Refusal(f"line {line}", "", "has more text after the list's ']': nothing after this was read")


def _closing(text: str, at: int) -> int | None:
    """Return the index after the object or list that opens at `at`, by its brackets; None when they do not match."""
    expected: list[str] = []
    for found in _BRACKET.finditer(text, at):
        sign = found[0]
        if sign in _PAIRS:
            expected.append(_PAIRS[sign])
        elif sign in _PAIRS.values() and (not expected or expected.pop() != sign):
            return None
        if not expected:
            return found.end() if text[at] in _PAIRS else None
    return None


def _skip_white(text: str, at: int) -> int:
    found = _WHITE.match(text, at)
    return at if found is None else found.end()


_ADVICE: Mapping[str, str] = {
    # beginning of the parser's message: what to do about it
    "Expecting property name": 'a key in double quotes is missing, or a comma stands before "}"',
    "Illegal trailing comma": "take out the comma before the closing bracket",
    "Expecting ':'": "a colon is missing after the key",
    "Expecting ','": "a comma is missing between two items, or a double quote inside a text has no backslash",
    "Expecting value": "a value is missing: text in double quotes, a number, true, false or null",
    "Unterminated string": "a double quote is left open",
    "Invalid control character": "a text holds a tab or a line break: write \\t or \\n",
    "Invalid \\": "a backslash inside a text is written twice",
    "Extra data": "there is more text after its end: one object a line, or a list",
}


def error_text(error: json.JSONDecodeError) -> str:
    """Return a JSON error in words for people."""
    return next((words for begin, words in _ADVICE.items() if error.msg.startswith(begin)), "it cannot be read there")


def _broken(where: str, text: str, error: ValueError | RecursionError) -> Refusal:
    if bad := bad_byte(where, text):
        return bad
    if isinstance(error, json.JSONDecodeError):
        place = f"column {error.colno}"
        place = place if error.lineno == 1 else f"line {error.lineno}, {place}"
        return Refusal(where, "", f"is not valid JSON at {place}: {error_text(error)}")
    return Refusal(where, "", "is nested too deeply: an invoice has three levels")

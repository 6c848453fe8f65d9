"""The record of a case as a chain of lines, each sealed by a hash over itself and the line before it.

A file holds one record a line, in canonical JSON. Whoever changes, removes, adds or swaps a line breaks the chain,
and `verify` says where. What the chain cannot show is that the whole file was written anew; for that, its head has to
be kept by somebody else.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from dunwell.domain.model import Value

FIRST = "0" * 64
"""What the first record has in place of the hash before it."""

HEADER, END = "header", "end"
_FIELDS = frozenset({"seq", "kind", "at", "data", "prev", "hash"})


class Fact(Value):
    """Something to record: its kind, when it happened (aware), and plain data."""

    kind: str
    at: datetime
    data: Mapping[str, Any]


class VerifiedChain(Value):
    """A chain that holds. `head` is the hash of its last record and so stands for every byte above it."""

    records: tuple[Mapping[str, Any], ...]
    head: str


class Broken(Exception):
    """A file that is not what was written. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def chain(header: Fact, facts: Iterable[Fact]) -> bytes:
    """The file of a case: the header, its facts by time, and a last record with their count and head.

    Facts of one moment keep the order they are given in, so that the same facts always make the same bytes.
    """
    ordered = [header, *sorted(facts, key=lambda fact: fact.at)]
    lines: list[bytes] = []
    head = FIRST
    for seq, fact in enumerate(ordered, 1):
        head = _append(lines, seq, fact, head)
    last = max(fact.at for fact in ordered)
    _append(lines, len(lines) + 1, Fact(kind=END, at=last, data={"records": len(lines), "head": head}), head)
    return b"".join(lines)


def verify(content: bytes) -> VerifiedChain:
    """Check every byte of a file. Raises Broken naming the first line that is wrong, and what is wrong with it."""
    if not content:
        raise Broken(1, "the file is empty")
    *lines, rest = content.split(b"\n")
    records: list[Mapping[str, Any]] = []
    head = FIRST
    for number, line in enumerate(lines, 1):
        if records and records[-1]["kind"] == END:
            raise Broken(number, "stands below the final record: it was added")
        record = _read(number, line)
        _check_place(number, record, head)
        _check_kind(number, record, head)
        records.append(record)
        head = str(record["hash"])
    if rest:
        where = len(lines) + 1
        below = records and records[-1]["kind"] == END
        raise Broken(where, "stands below the final record: it was added" if below else "the file is cut off here")
    if records[-1]["kind"] != END:
        raise Broken(len(lines), "the file ends here without its final record: lines below were removed")
    return VerifiedChain(records=tuple(records), head=head)


def plain(value: object) -> Any:
    """A value as JSON has it: amounts as text, times as UTC text, models and rows of them as objects."""
    match value:
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Decimal() | date():
            return str(value)
    return value


def digest(text: str) -> str:
    """The SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def canonical(value: object) -> bytes:
    """JSON to make a hash of: the same bytes for the same value. Raises ValueError for a float that is no number."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _append(lines: list[bytes], seq: int, fact: Fact, prev: str) -> str:
    record = {"seq": seq, "kind": fact.kind, "at": plain(fact.at), "data": plain(fact.data), "prev": prev}
    sealed = sha256(canonical(record)).hexdigest()
    lines.append(canonical(record | {"hash": sealed}) + b"\n")
    return sealed


def _read(number: int, line: bytes) -> Mapping[str, Any]:
    """One line that is whole and sealed by its own hash."""
    try:
        record = json.loads(line.decode())
        same = canonical(record) == line
    except (ValueError, RecursionError):
        raise Broken(number, "is no record: it was changed, or does not belong here") from None
    if not isinstance(record, dict) or record.keys() != _FIELDS:
        raise Broken(number, f"is no record: it needs exactly the fields {', '.join(sorted(_FIELDS))}")
    if not same:
        raise Broken(number, "is not written as it was: spaces, order of fields or spelling were changed")
    content = {name: value for name, value in record.items() if name != "hash"}
    sealed = sha256(canonical(content)).hexdigest()
    if record["hash"] != sealed:
        raise Broken(number, f"was changed: its content has the hash {sealed}, and it says {record['hash']}")
    if not isinstance(record["data"], dict):
        raise Broken(number, "is no record: its data is no object")
    return record


def _check_place(number: int, record: Mapping[str, Any], head: str) -> None:
    if record["seq"] != number:
        reason = f"is record {record['seq']}: lines were removed, added or swapped here"
        raise Broken(number, reason)
    if record["prev"] != head:
        raise Broken(number, "does not follow the line above it: that one was replaced")


def _check_kind(number: int, record: Mapping[str, Any], head: str) -> None:
    kind = record["kind"]
    if (number == 1) != (kind == HEADER):
        raise Broken(number, "the file must begin with its header, and have no other")
    if kind == END and record["data"] != {"records": number - 1, "head": head}:
        raise Broken(number, "the final record does not fit the records above it")

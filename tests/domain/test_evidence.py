"""A chain of records: no byte can change unseen, and people can read it."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.evidence import FIRST, Broken, Fact, chain, plain, verify
from dunwell.domain.terms import Stage

START = datetime(2027, 3, 1, 9, tzinfo=UTC)


def a_header(**data: Any) -> Fact:
    return Fact(kind="header", at=START, data={"invoice_id": "inv-1", "amount": Decimal("1200.00"), **data})


def a_fact(hours: int, text: str = "sent") -> Fact:
    return Fact(kind="timeline", at=START + timedelta(hours=hours), data={"reason": text, "step": None})


def a_file() -> bytes:
    return chain(a_header(), [a_fact(1, "first"), a_fact(2, "zweite Mahnung für Müller"), a_fact(3, "third")])


def sealed(seq: int, kind: str, data: object, prev: str, **more: object) -> bytes:
    """A record with a hash that fits, written by somebody who knows how."""
    record = {"seq": seq, "kind": kind, "at": "2027-03-01T09:00:00+00:00", "data": data, "prev": prev} | more
    body = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    record["hash"] = sha256(body).hexdigest()
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def test_a_chain_holds_and_ends_with_its_count_and_head() -> None:
    proof = verify(a_file())
    *_, last, end = proof.records
    assert [record["seq"] for record in proof.records] == [1, 2, 3, 4, 5]
    assert proof.records[0]["prev"] == FIRST
    assert end["data"] == {"records": 4, "head": last["hash"]}
    assert proof.head == end["hash"]


def test_facts_stand_by_time_and_facts_of_one_moment_as_given() -> None:
    facts = [a_fact(3, "d"), a_fact(1, "a"), a_fact(2, "b"), a_fact(2, "c")]
    records = verify(chain(a_header(), facts)).records
    assert [record["data"].get("reason") for record in records[1:-1]] == ["a", "b", "c", "d"]


def test_the_header_stands_first_even_above_an_older_fact() -> None:
    assert [record["kind"] for record in verify(chain(a_header(), [a_fact(-9)])).records] == [
        "header",
        "timeline",
        "end",
    ]


def lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def swapped(content: bytes) -> bytes:
    one, two, three, *rest = lines(content)
    return b"".join([one, three, two, *rest])


def turned(line: bytes) -> bytes:
    """The same record with its fields in the opposite order."""
    record = dict(reversed(json.loads(line).items()))
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


BROKEN: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "nothing": (lambda _: b"", 1, "empty"),
    "a word changed": (lambda c: c.replace(b"first", b"First"), 2, "was changed"),
    "an amount changed": (lambda c: c.replace(b"1200.00", b"1200.01"), 1, "was changed"),
    "a number changed": (lambda c: c.replace(b'"seq":3', b'"seq":4'), 3, "was changed"),
    "a space added": (lambda c: c.replace(b'"seq":3', b'"seq": 3'), 3, "spaces"),
    "fields in another order": (
        lambda c: b"".join(
            [json.dumps(dict(reversed(json.loads(lines(c)[0]).items()))).encode(), b"\n", *lines(c)[1:]]
        ),
        1,
        "order of fields",
    ),
    "a letter spelled as an escape": (lambda c: c.replace("ü".encode(), rb"\u00fc"), 3, "spelling"),
    "a field twice": (lambda c: c.replace(b'"seq":3', b'"seq":3,"seq":3'), 3, "not written as it was"),
    "a line removed": (lambda c: b"".join(lines(c)[:1] + lines(c)[2:]), 2, "removed, added or swapped"),
    "the header removed": (lambda c: b"".join(lines(c)[1:]), 1, "removed, added or swapped"),
    "a line twice": (lambda c: b"".join(lines(c)[:2] + lines(c)[1:]), 3, "removed, added or swapped"),
    "two lines swapped": (swapped, 2, "removed, added or swapped"),
    "an empty line added": (lambda c: c.replace(b"}\n", b"}\n\n", 1), 2, "is no record"),
    "the final record removed": (lambda c: b"".join(lines(c)[:-1]), 4, "without its final record"),
    "cut off inside of a line": (lambda c: c[: len(c) - 200], 5, "cut off"),
    "the last line end removed": (lambda c: c[:-1], 5, "cut off"),
    "a record added below": (lambda c: c + lines(c)[1], 6, "below the final record"),
    "an empty line below": (lambda c: c + b"\n", 6, "below the final record"),
    "rubbish below": (lambda c: c + b"x", 6, "below the final record"),
    "Windows line ends": (lambda c: c.replace(b"\n", b"\r\n"), 1, "spaces"),
    "a byte order mark": (lambda c: b"\xef\xbb\xbf" + c, 1, "is no record"),
    "no UTF-8": (lambda c: c.replace(b"first", b"fir\xff\xff"), 2, "is no record"),
    "deep nesting": (lambda _: b"[" * 100_000 + b"\n", 1, "is no record"),
    "another kind of JSON": (lambda _: b"[1]\n", 1, "needs exactly the fields"),
    "a number JSON does not have": (lambda c: c.replace(b'"seq":3', b'"seq":NaN'), 3, "is no record"),
    # Each of the rest was sealed anew by somebody who knows how, but not the lines below it.
    "a header that is none": (lambda c: sealed(1, "timeline", {}, FIRST) + b"".join(lines(c)[1:]), 1, "its header"),
    "another header": (lambda c: sealed(1, "header", {}, FIRST) + b"".join(lines(c)[1:]), 2, "was replaced"),
    "data that is no object": (lambda _: sealed(1, "header", [], FIRST), 1, "no object"),
    "a field too many": (lambda _: sealed(1, "header", {}, FIRST, extra=1), 1, "exactly the fields"),
    "an end of another file": (
        lambda c: lines(c)[0] + sealed(2, "end", {"records": 7, "head": FIRST}, json.loads(lines(c)[0])["hash"]),
        2,
        "does not fit",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found_where_it_is(name: str) -> None:
    change, line, reason = BROKEN[name]
    with pytest.raises(Broken) as caught:
        verify(change(a_file()))
    assert (caught.value.line, reason in caught.value.reason) == (line, True), str(caught.value)


SMALL = chain(a_header(), [a_fact(1, "a")])


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_law_a_changed_byte_is_found(position: int, change: int) -> None:
    content = bytearray(SMALL)
    content[position] ^= change
    with pytest.raises(Broken):
        verify(bytes(content))


@given(st.integers(0, len(SMALL)), st.binary(min_size=1, max_size=3))
def test_law_an_added_byte_is_found(position: int, more: bytes) -> None:
    with pytest.raises(Broken):
        verify(SMALL[:position] + more + SMALL[position:])


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 400))
def test_law_a_missing_stretch_is_found(position: int, length: int) -> None:
    with pytest.raises(Broken):
        verify(SMALL[:position] + SMALL[position + length :])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_law_whatever_is_written_can_be_checked(value: object) -> None:
    assert verify(chain(a_header(more=value), [])).records[0]["data"]["more"] == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("1200.00"), "1200.00"),  # never a number, whose cents could be lost
        (Stage.PAID, "paid"),
        (date(2027, 3, 1), "2027-03-01"),
        (datetime(2027, 3, 1, 10, tzinfo=UTC), "2027-03-01T10:00:00+00:00"),
        ((1, None, True), [1, None, True]),
        ({"a": a_fact(0).data}, {"a": {"reason": "sent", "step": None}}),
    ],
)
def test_values_are_written_plainly(value: object, written: object) -> None:
    assert plain(value) == written

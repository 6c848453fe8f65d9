"""Reads a bank statement of any format that is known, by what the file itself looks like."""

import re
from collections.abc import Callable

from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.camt_statements import read_camt
from dunwell.intake.csv_statements import read_csv_statement
from dunwell.intake.ofx_statements import read_ofx
from dunwell.intake.statement_parts import StatementError, StatementFile
from dunwell.intake.swift_statements import read_swift

LARGEST = 200_000_000  # bytes: a hundred thousand movements in camt.053 have about as many
_OFX = re.compile(rb"OFXHEADER|<OFX[\s>]", re.IGNORECASE)
_SWIFT = re.compile(rb"^:20:", re.MULTILINE)
_HEAD = 4_000


def read_statement(content: bytes, layout: StatementLayout | None = None) -> StatementFile:
    """Read a bank statement; with a layout, a CSV file. Raises StatementError: its text continues the file's name."""
    if not content.strip():
        raise StatementError("is empty")
    if len(content) > LARGEST:
        raise StatementError(f"has more than {LARGEST // 1_000_000} MB: ask the bank for statements of single days")
    if layout is not None:
        return read_csv_statement(content, layout)
    read = _reader(content)
    if read is None:
        raise StatementError(
            "is none of camt.052, camt.053, camt.054, MT940, MT942 or OFX; for a CSV file, choose the layout of its "
            "bank (--layout)"
        )
    return read(content)


def is_known(content: bytes) -> bool:
    """Whether a file looks like one of a format that is read without a layout."""
    return _reader(content) is not None


def _reader(content: bytes) -> Callable[[bytes], StatementFile] | None:
    head = content[:_HEAD]
    if _OFX.search(head):
        return read_ofx
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t").startswith((b"<", b"\x00<")):
        return read_camt
    return read_swift if _SWIFT.search(content.replace(b"\r", b"\n")) else None

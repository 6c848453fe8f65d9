"""Reads SWIFT statements: MT940, and MT942, whose movements of the running day are shown as pending."""

import logging
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mt940 import Options
from mt940.models import Balance, Transactions
from mt940.tags import StatementGLS

from dunwell.domain.bank_entry import BankEntry, Direction, StatementFormat
from dunwell.intake.encoding import decode_table
from dunwell.intake.statement_parts import (
    Findings,
    StatementError,
    StatementFile,
    account_of,
    adds_up,
    number,
    number_of,
    with_charges,
    word,
    words,
)

logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)  # it logs the lines that it cannot read

_BLOCK = re.compile(r"^(?=:20:)", re.MULTILINE)
_LINE = re.compile(r"^:61:", re.MULTILINE)
_INTERIM = re.compile(r"^:(?:34F|13D|90C|90D):", re.MULTILINE)
_SLASHED = re.compile(r"/(EREF|REMI|NAME|IBAN|CREF|MARF|CSID|TRTP|BIC|ORDP|BENM|PREF|RTRN|ADDR|PURP|ULTD|ULTC)/")
_KEPT = re.compile(r"/(OCMT|CHGS)/([A-Z]{3})([0-9]+,[0-9]*)")
_RETURNS = frozenset({"108", "109", "159"})
"""German transaction codes of returned direct debits and credit transfers."""

_FULL_LINE = 65  # characters: a longer text goes on in the next line, within a word too
_OPTIONS = Options(
    applicant_iban=True,
    merge_keeps_values=True,
    reversal_sign=True,
    case_insensitive_marks=True,
    unbounded_details=True,
    strip_bom=True,
    gvc_leading_text=True,
    floor_limit_blank_mark=True,
    timezone_offset=True,
    non_swift_free_text=True,
)
_DAMAGED = "cannot be read: get the file from the bank anew"


def read_swift(content: bytes) -> StatementFile:
    """Read an MT940 or MT942 file. Raises StatementError for another file."""
    text = decode_table(content).text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    blocks = [block for block in _BLOCK.split(text) if block.startswith(":20:")]
    if not blocks:
        raise StatementError("holds no statement: an MT940 statement begins with :20:")
    found, interim = Findings(), all(_INTERIM.search(block) and ":60" not in block for block in blocks)
    if text.count("\n:25") + text.startswith(":25") < len(blocks) or _LINE.search(text[: text.index(":20:")]):
        found.refuse("file", "", "has parts outside of its statements: get the file from the bank anew")
    for place, block in enumerate(blocks, 1):
        where = f"statement {place}"
        found.take(where, _block(found, where, block, interim), balanced=True)
    return found.file(StatementFormat.MT942 if interim else StatementFormat.MT940)


def _block(found: Findings, where: str, block: str, interim: bool) -> list[BankEntry]:
    """Return the entries of one statement."""
    read = Transactions(options=_OPTIONS, tags={StatementGLS.id: StatementGLS()})
    try:
        read.parse(block)
    except Exception:  # the package raises whatever its parts raise, such as RuntimeError for a line it does not know
        found.refuse(where, "", _DAMAGED)
        return []
    account = account_of(str(read.data.get("account_identification") or ""))
    lines = [one.data for one in read.transactions if one.data.get("amount") is not None]
    if account is None:
        found.refuse(where, ":25:", "has no account: get the file from the bank anew")
        return []
    if len(lines) != len(_LINE.findall(block)):
        found.refuse(where, ":61:", f"tells {len(_LINE.findall(block))} movements, of which {len(lines)} can be read")
    entries = [_entry(found, f"{where}, movement {at}", account, facts, interim) for at, facts in enumerate(lines, 1)]
    if not interim:
        _check_balances(found, where, read, lines)
    return [entry for entry in entries if entry is not None]


def _entry(found: Findings, where: str, account: str, facts: Mapping[str, Any], interim: bool) -> BankEntry | None:
    """Return one movement; None for one without money, and, with a problem, for one that cannot be read."""
    mark, amount = str(facts.get("status") or "").upper(), abs(Decimal(facts["amount"].amount))
    if not amount:
        return None
    details = _details(facts) | _charges(facts)
    entry = found.made(
        where,
        account=account,
        reference=word(facts.get("bank_reference")),
        booked_on=facts.get("entry_date") or facts["date"],
        value_on=facts["date"],
        amount=amount,
        currency=str(facts.get("currency") or ""),
        direction=Direction.IN if mark in ("C", "RD") else Direction.OUT,
        reversal=mark.startswith("R") or facts.get("transaction_code") in _RETURNS,
        pending=interim,
        **details,
    )
    if entry is None or not entry.came_in or not entry.charges:
        return entry
    paid = entry.amount + entry.charges
    ordered = (entry.instructed_amount, entry.instructed_currency)
    return with_charges(entry, paid, entry.charges) if ordered == (paid, entry.currency) else entry


def _charges(facts: Mapping[str, Any]) -> dict[str, object]:
    """Return what was ordered and what was kept of it, which banks write as /OCMT/EUR1000,00/CHGS/EUR2,50/."""
    written = "".join(str(facts.get(part) or "") for part in ("extra_details", "transaction_details"))
    told = {code: (currency, number(amount)) for code, currency, amount in _KEPT.findall(written.replace("\n", ""))}
    ordered, kept = told.get("OCMT"), told.get("CHGS")
    found: dict[str, object] = {}
    if ordered is not None and ordered[1]:
        found |= {"instructed_currency": ordered[0], "instructed_amount": ordered[1]}
    if kept is not None and kept[1] and kept[0] == facts.get("currency"):
        found["charges"] = kept[1]
    return found


def _details(facts: Mapping[str, Any]) -> dict[str, object]:
    """Return who paid and what was written: from the parts of :86: in the German or the Dutch way, or as it is."""
    free = str(facts.get("transaction_details") or "")
    slashed = _SLASHED.split(_joined(free))
    if len(slashed) > 1:
        parts = dict(zip(slashed[1::2], slashed[2::2], strict=False))
        end_to_end, name, iban = parts.get("EREF"), parts.get("NAME"), parts.get("IBAN")
        text = parts.get("REMI") or ""
    else:
        end_to_end = str(facts.get("end_to_end_reference") or "").partition("MTLG:")[0]
        name, iban = facts.get("applicant_name"), facts.get("applicant_iban") or facts.get("gvc_applicant_iban")
        text = " ".join(
            _joined(str(facts[part])) for part in ("purpose", "additional_purpose") if facts.get(part)
        ) or _joined(free)
    text = text or _joined(str(facts.get("extra_details") or ""))
    return {
        "text": words(text),
        "end_to_end_id": word(end_to_end) or word(facts.get("customer_reference")),
        "payer_name": word(name),
        "payer_iban": number_of(iban),
    }


def _joined(text: str) -> str:
    """Return a text of several lines as one: a line that is full goes on in the next without a space."""
    lines = text.split("\n")
    return "".join(line if len(line) >= _FULL_LINE else f"{line} " for line in lines).strip()


def _check_balances(found: Findings, where: str, read: Transactions, lines: list[dict[str, Any]]) -> None:
    before, after = (
        next((read.data[name] for name in names if name in read.data), None)
        for names in (
            ("final_opening_balance", "intermediate_opening_balance", "opening_balance"),
            ("final_closing_balance", "intermediate_closing_balance", "closing_balance"),
        )
    )
    if not isinstance(before, Balance) or not isinstance(after, Balance):
        found.refuse(where, "", "has no opening or closing balance: the file may be cut off")
        return
    opening, closing = _money(before.amount), _money(after.amount)
    movements = [(_money(facts["amount"]), False) for facts in lines]  # RC and RD say which way the money moved
    if not adds_up(opening, movements, closing):
        found.refuse(
            where,
            "",
            f"has {opening} before and {closing} after, and its movements do not lead from one to the other: "
            "some are missing or damaged",
        )


def _money(amount: Any) -> Decimal:
    return Decimal(amount.amount)

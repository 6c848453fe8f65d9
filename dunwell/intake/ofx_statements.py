"""Reads OFX statements of bank accounts, as SGML (OFX 1) or XML (OFX 2). Element order does not matter."""

import re
from decimal import Decimal
from html import unescape

from dunwell.domain.bank_entry import BankEntry, Direction, StatementFormat
from dunwell.intake.encoding import decode_table
from dunwell.intake.statement_parts import (
    Findings,
    StatementError,
    StatementFile,
    account_of,
    day,
    minor_units,
    number,
    number_of,
    word,
    words,
)

_TAG = re.compile(r"<(/?)([A-Za-z0-9_.]+)[^<>]*>([^<]*)")
_BEGIN = re.compile(r"<OFX[\s>]", re.IGNORECASE)
_STATEMENT, _MOVEMENT, _PENDING = "STMTRS", "STMTTRN", "STMTTRNP"
_OTHER = frozenset({"CCSTMTRS", "INVSTMTRS"})
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_AGAIN = "get the file from the bank anew"

Facts = dict[str, str]


def read_ofx(content: bytes) -> StatementFile:
    """Read an OFX file. Raises StatementError for another file, and for one of cards or securities alone."""
    text = decode_table(content).text.encode("utf-8", "replace").decode()
    begin = _BEGIN.search(text)
    if begin is None:
        raise StatementError("is no OFX file: it has no <OFX>")
    found = Findings()
    scan = _Scan(found)
    for closing, name, value in _TAG.findall(text[begin.start() :]):
        scan.tag(name.upper(), unescape(value).strip(), bool(closing))
    scan.end(cut_off=True)
    for place, (movements, head) in enumerate(scan.statements, 1):
        _take(found, f"statement {place}", movements, head)
    if not re.search(r"</OFX>\s*\Z", text, re.IGNORECASE):
        found.refuse("file", "", f"does not end with </OFX>: it is cut off; {_AGAIN}")
    if not scan.statements and not found.problems:
        raise StatementError("holds no statement of a bank account (STMTRS)")
    return found.file(StatementFormat.OFX)


class _Scan:
    """Goes through the tags of a file, and collects the movements of each statement of a bank account."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.statements: list[tuple[list[tuple[str, Facts]], Facts]] = []
        self._movements: list[tuple[str, Facts]] = []
        self._head: Facts = {}
        self._inside: str | None = None  # the kind of statement
        self._facts: Facts | None = None  # of the movement that has begun
        self._in_account = False

    def tag(self, name: str, value: str, closing: bool) -> None:
        """Take in one tag, with the text behind it."""
        if name in (_STATEMENT, *_OTHER):
            self.end()
            self._inside = None if closing else name
            if self._inside in _OTHER:
                self.found.remarks.append("statements of cards and securities are left out")
        elif self._inside == _STATEMENT:
            self._in_statement(name, value, closing)
        elif self._inside is None and name in (_MOVEMENT, "TRNAMT") and not closing:
            self.found.refuse("file", name, f"stands outside of a statement: the file is damaged; {_AGAIN}")

    def end(self, cut_off: bool = False) -> None:
        """End the statement that has begun; a movement without end in it is a problem, and is left out."""
        if self._inside == _STATEMENT:
            if self._facts is not None:
                self._unended()
            if cut_off:
                self.found.refuse("file", "", f"has a statement without end: it is cut off; {_AGAIN}")
            self.statements.append((self._movements, self._head))
        self._movements, self._head, self._facts, self._in_account = [], {}, None, False

    def _in_statement(self, name: str, value: str, closing: bool) -> None:
        if name in (_MOVEMENT, _PENDING):
            if self._facts is not None and not closing:
                self._unended()
            if closing and self._facts is None:
                self.found.refuse("file", name, f"ends twice: the file is damaged; {_AGAIN}")
            self._facts = None if closing else {}
            if self._facts is not None:
                self._movements.append((name, self._facts))
        elif name == "BANKACCTFROM":
            self._in_account = not closing
        elif closing:
            return
        elif self._in_account or name == "CURDEF":
            self._head.setdefault(name, value)
        elif self._facts is not None:
            self._facts[name] = f"{self._facts[name]} {value}" if name in self._facts else value
        elif name == "TRNAMT":
            self.found.refuse("file", name, f"stands outside of a movement: the file is damaged; {_AGAIN}")

    def _unended(self) -> None:
        self._movements.pop()
        self.found.refuse("file", _MOVEMENT, f"has no end: the file is damaged; {_AGAIN}")


def _take(found: Findings, where: str, movements: list[tuple[str, Facts]], head: Facts) -> None:
    account, bank = number_of(head.get("ACCTID")), number_of(head.get("BANKID"))
    currency = head.get("CURDEF", "").upper()
    if account is None or minor_units(currency) is None:
        found.refuse(where, "ACCTID" if account is None else "CURDEF", f"is missing or damaged: {_AGAIN}")
        return
    account = account_of(f"{bank}/{account}" if bank else account)
    entries = [
        _entry(found, f"{where}, movement {place}", account, currency, kind, facts)
        for place, (kind, facts) in enumerate(movements, 1)
    ]
    found.take(where, [entry for entry in entries if entry is not None])


def _entry(
    found: Findings, where: str, account: str | None, currency: str, kind: str, facts: Facts
) -> BankEntry | None:
    """Return a movement; None for one without money, and, with a problem, for one that cannot be read."""
    text = facts.get("TRNAMT", "")
    amount = number(text.lstrip("+-").strip(), minor_units(currency))
    booked_on = _day(facts.get("DTPOSTED") or facts.get("DTTRAN"))
    if amount is None or len(text) - len(text.lstrip("+-")) > 1:
        found.refuse(where, "TRNAMT", f"is missing, damaged or in doubt: {_AGAIN}", text)
        return None
    if booked_on is None:
        found.refuse(where, "DTPOSTED", f"is missing or no day: {_AGAIN}", facts.get("DTPOSTED", ""))
        return None
    if facts.get("CORRECTFITID"):
        found.refuse(
            where, "CORRECTFITID", "corrects an earlier movement: look at it, and correct the payment by hand"
        )
        return None
    if not amount:
        return None
    name = word(facts.get("NAME"))
    return found.made(
        where,
        account=account,
        reference=word(facts.get("FITID")),
        booked_on=booked_on,
        value_on=_day(facts.get("DTAVAIL")),
        amount=Decimal(amount),
        currency=currency,
        direction=Direction.OUT if text.startswith("-") else Direction.IN,
        pending=kind == _PENDING,
        text=words(" ".join(filter(None, (facts.get("MEMO"), facts.get("REFNUM"), facts.get("CHECKNUM"))))),
        payer_name=name,
    )


def _day(text: str | None) -> object:
    """Return the day of an OFX time by its first eight digits: the zone that may follow is not the bank's."""
    found = _DAY.match((text or "").strip())
    return day("-".join(found.groups())) if found else None

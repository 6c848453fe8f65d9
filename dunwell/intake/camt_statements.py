"""Reads ISO 20022 statements: camt.052, camt.053 and camt.054 of any version, by local names."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from io import BytesIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from dunwell.domain.bank_entry import BankEntry, Direction, StatementFormat, identify
from dunwell.intake.encoding import WESTERN
from dunwell.intake.statement_parts import (
    Findings,
    StatementError,
    StatementFile,
    account_of,
    adds_up,
    day,
    minor_units,
    number,
    number_of,
    with_charges,
    word,
    words,
)

_FORMATS = {
    "BkToCstmrAcctRpt": StatementFormat.CAMT_052,
    "BkToCstmrStmt": StatementFormat.CAMT_053,
    "BkToCstmrDbtCdtNtfctn": StatementFormat.CAMT_054,
}
_STATEMENTS = frozenset({"Stmt", "Rpt", "Ntfctn"})
_KEPT_AT = frozenset({"Acct", "Bal", "TxsSummry", "Ntry"})
_BOOKED, _STATUS = "BOOK", frozenset({"BOOK", "PDNG", "INFO", "FUTR"})
_FLAGS = frozenset({"true", "1", "false", "0"})
_DIRECTIONS = {"CRDT": Direction.IN, "DBIT": Direction.OUT}
_OPENING, _CLOSING = ("OPBD", "PRCD", "first ITBD"), ("CLBD", "last ITBD")
_BALANCES = frozenset({"OPBD", "PRCD", "ITBD", "CLBD"})
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]+)["']""")
_AGAIN = "get the file from the bank anew"
_DAMAGED = f"is damaged, or says what is not allowed: {_AGAIN}"


@dataclass
class _Statement:
    """What one statement of the file told so far."""

    account: str = ""
    currency: str = ""
    balances: dict[str, Decimal] = field(default_factory=dict)
    movements: list[tuple[Decimal, bool]] = field(default_factory=list)
    entries: list[BankEntry] = field(default_factory=list)
    summary: Element | None = None
    told: int = 0
    unread: bool = False


def read_camt(content: bytes) -> StatementFile:
    """Read a camt message. Raises StatementError for another file.

    A file that breaks off is read up to there, with a problem that says so.
    """
    found, format_, statement = Findings(), None, _Statement()
    depth = 0  # of a statement's parts; banks put their messages into envelopes of their own
    content, remark = _as_utf_8(content)
    if remark:
        found.remarks.append(remark)
    parents: list[Element] = []
    try:
        for event, element in iterparse(BytesIO(content), events=("start", "end"), forbid_dtd=True):
            name = _local(element)
            if event == "start":
                parents.append(element)
                format_ = _FORMATS.get(name, format_)
                if name in _STATEMENTS and len(parents) > 1 and _local(parents[-2]) in _FORMATS:
                    statement, depth = _Statement(), len(parents)
                continue
            parents.pop()
            if name in _STATEMENTS and len(parents) == depth - 1:
                _close(found, statement)
                statement, depth = _Statement(), 0
            elif depth and len(parents) == depth:
                if name in _KEPT_AT:
                    _take(found, statement, name, element)
                parents[-1].remove(element)  # a statement may have a hundred thousand entries
    except ParseError as error:
        line, _ = error.position
        found.refuse(f"line {line}", "", "is damaged, or the file is cut off here: get it from the bank anew")
        found.take("file", statement.entries)
    except DefusedXmlException:
        raise StatementError("declares entities or a DTD, which no bank does: it is not read") from None
    except (LookupError, ValueError):  # an encoding that nobody knows
        raise StatementError(f"cannot be decoded: it {_DAMAGED}") from None
    if format_ is None:
        raise StatementError("is XML, and neither camt.052, camt.053, camt.054 nor OFX: ask the bank for one of them")
    return found.file(format_)


def _as_utf_8(content: bytes) -> tuple[bytes, str | None]:
    """Return a file that says UTF-8 and has bytes of windows-1252 as UTF-8, with a remark; others as they are."""
    declared = _DECLARED.match(content)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or (declared and declared[1].lower() not in (b"utf-8", b"utf8")):
        return content, None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode(WESTERN, "replace")
        return text.encode(), f"the file is not UTF-8 as it says: its letters were read as {WESTERN}"
    return content, None


def _take(found: Findings, statement: _Statement, name: str, element: Element) -> None:
    if name == "Acct":
        statement.account = account_of(_text(element, "Id", "IBAN") or _text(element, "Id", "Othr", "Id")) or ""
        statement.currency = (_text(element, "Ccy") or "").strip()
    elif name == "Bal":
        code, amount = _text(element, "Tp", "CdOrPrtry", "Cd"), _amount(_child(element, "Amt"))
        direction = _DIRECTIONS.get(_text(element, "CdtDbtInd") or "")
        if code in _BALANCES:
            if amount is None or direction is None:
                statement.unread = True
                found.refuse(f"balance {code}", "", _DAMAGED)
            else:
                signed = amount if direction is Direction.IN else -amount
                statement.balances[f"last {code}"] = signed
                for name_of in (code, f"first {code}"):
                    statement.balances.setdefault(name_of, signed)
    elif name == "TxsSummry":
        statement.summary = element
    else:
        _entry(found, statement, element)


def _entry(found: Findings, statement: _Statement, element: Element) -> None:
    """Add the entries of one booking: its transactions where it tells their amounts, else the booking itself."""
    statement.told += 1
    where = f"entry {statement.told}"
    money = _child(element, "Amt")
    amount, direction = _amount(money), _DIRECTIONS.get(_text(element, "CdtDbtInd") or "")
    status = (_text(element, "Sts", "Cd") or _text(element, "Sts") or "").strip()
    booked_on = day(_text(element, "BookgDt", "Dt") or _text(element, "BookgDt", "DtTm"))
    currency = money.get("Ccy", "") if money is not None else ""
    pending = status != _BOOKED
    if booked_on is None and pending:
        booked_on = day(_text(element, "ValDt", "Dt") or _text(element, "ValDt", "DtTm"))
    for what, bad in (
        ("account", not statement.account),
        ("Amt", amount is None),
        ("CdtDbtInd", direction is None),
        ("Sts", status not in _STATUS),
        ("BookgDt", booked_on is None),
        ("Ccy", bool(statement.currency) and currency != statement.currency),
    ):
        if bad:
            statement.unread = True
            found.refuse(where, what, f"is missing or damaged: {_AGAIN}")
            return
    assert amount is not None and direction is not None
    told = (_text(element, "RvslInd") or "false").strip().lower()
    reversal = told in ("true", "1")
    if told not in _FLAGS:
        statement.unread = True
        found.refuse(where, "RvslInd", f"is damaged: {_AGAIN}", told)
        return
    details = [one for part in _children(element, "NtryDtls") for one in _children(part, "TxDtls")]
    reversal = reversal or any(_child(one, "RtrInf") is not None for one in details)
    if not pending:
        statement.movements.append((amount if direction is Direction.IN else -amount, reversal))
    if not amount:
        return
    facts = {
        "account": statement.account,
        "reference": word(_text(element, "AcctSvcrRef")),
        "booked_on": booked_on,
        "value_on": day(_text(element, "ValDt", "Dt") or _text(element, "ValDt", "DtTm")),
        "currency": currency,
        "direction": direction,
        "reversal": reversal,
        "pending": pending,
    }
    whole = found.made(where, **facts, amount=amount, charges=_charges(element), **_said(element, details, direction))
    if whole is None:
        statement.unread = True
        return
    if len(details) == 1:
        statement.entries.append(_single(whole, details[0], element))
    else:
        statement.entries.extend(_transactions(found, where, whole, element, details) or [whole])


def _single(whole: BankEntry, details: Element, element: Element) -> BankEntry:
    """Return the one transaction of a booking, with what the customer paid where charges were kept back of it."""
    charges = whole.charges or _charges(details)
    paid = _paid(details, whole.amount, whole.currency, charges)
    if not whole.came_in or paid == whole.amount or _not_included(element):
        return whole.model_copy(update={"charges": charges})
    return with_charges(whole, paid, charges)


def _paid(details: Element, amount: Decimal, currency: str, charges: Decimal | None) -> Decimal:
    """Return what the payer paid: what the file says, where the charges explain the difference; else `amount`."""
    if not charges or _not_included(details):
        return amount
    told = (_transaction_amount(details), _path(details, "AmtDtls", "InstdAmt", "Amt"))
    amounts = [_amount(one) for one in told if one is not None and one.get("Ccy", currency) == currency]
    return amount + charges if amount + charges in amounts else amount


def _not_included(element: Element) -> bool:
    """Whether charges are said to be booked by themselves, and not kept back of the amount."""
    charges = _children(element, "Chrgs")
    records = [record for one in charges for record in (_children(one, "Rcrd") or [one])]
    return any((_text(record, "ChrgInclInd") or "").strip().lower() in ("false", "0") for record in records)


def _transactions(
    found: Findings, where: str, whole: BankEntry, element: Element, details: list[Element]
) -> list[BankEntry]:
    """Return the transactions of a batch; none where the file does not tell the amount of each.

    Banks keep charges back from a batch. A difference that no charges explain is a problem: the batch stays one sum.
    """
    (batch,) = identify([whole])
    parts, total, charges = [], Decimal(0), whole.charges or Decimal(0)
    if len(details) < 2:
        return []
    for place, one in enumerate(details, 1):
        money = _transaction_amount(one)
        amount = _amount(money)
        currency = money.get("Ccy", whole.currency) if money is not None else ""
        if money is not None and (amount is None or minor_units(currency) is None):
            found.refuse(where, f"transaction {place}", f"has no amount that can be read: {_AGAIN}", money.text or "")
        if not amount or currency != whole.currency:
            return []
        direction = _DIRECTIONS.get(_text(one, "CdtDbtInd") or "", whole.direction)
        kept = _charges(one)
        facts = whole.model_dump(exclude={"identity", "references", "text", "charges"}) | {
            "reference": word(_text(one, "Refs", "AcctSvcrRef")) or whole.reference,
            "amount": _paid(one, amount, currency, kept),
            "direction": direction,
            "charges": kept,
            "batch": batch.identity,
            "batch_amount": whole.amount,
        }
        part = found.made(f"{where}, transaction {place}", **facts | _said(element, [one], direction))
        if part is None:
            return []
        parts.append(part)
        total += amount if direction is whole.direction else -amount
        charges += kept or Decimal(0)
    if total - whole.amount in (Decimal(0), charges, (whole.charges or Decimal(0))):
        if total != whole.amount:
            found.remarks.append(
                f"{where}: its transactions are {total} {whole.currency}, {whole.amount} was booked: "
                f"{total - whole.amount} of charges"
            )
        return parts
    found.refuse(
        where,
        "",
        f"has transactions of {total} {whole.currency} and was booked with {whole.amount}; no charges explain the "
        "difference, so it is read as one sum",
    )
    return []


def _transaction_amount(details: Element) -> Element | None:
    direct = _child(details, "Amt")
    return direct if direct is not None else _path(details, "AmtDtls", "TxAmt", "Amt")


def _said(entry: Element, details: list[Element], direction: Direction) -> dict[str, object]:
    """Return what the payer wrote, and who it is, from the details of a transaction, or of all of a booking."""
    references, texts = [], []
    for one in details:
        for remittance in _children(one, "RmtInf"):
            texts += [part.text or "" for part in _children(remittance, "Ustrd")]
            for structured in _children(remittance, "Strd"):
                references.append(number_of(_text(structured, "CdtrRefInf", "Ref")))
                texts += [_text(part, "Nb") or "" for part in _children(structured, "RfrdDocInf")]
                texts += [part.text or "" for part in _children(structured, "AddtlRmtInf")]
    if not any(texts):
        texts = [_text(one, "AddtlTxInf") or "" for one in details]
    if not any(texts):
        texts = [_text(entry, "AddtlNtryInf") or ""]
    said: dict[str, object] = {
        "references": tuple(dict.fromkeys(reference for reference in references if reference)),
        "text": words(" ".join(texts)),
    }
    if len(details) == 1:
        said |= _parties(details[0], direction)
    return said


def _parties(details: Element, direction: Direction) -> dict[str, object]:
    returned = _child(details, "RtrInf") is not None
    role = "Dbtr" if direction is Direction.IN or returned else "Cdtr"
    name = _text(details, "RltdPties", role, "Nm") or _text(details, "RltdPties", role, "Pty", "Nm")
    account = _path(details, "RltdPties", f"{role}Acct", "Id")
    instructed = _path(details, "AmtDtls", "InstdAmt", "Amt")
    amount, currency = _amount(instructed), instructed.get("Ccy") if instructed is not None else None
    return {
        "end_to_end_id": word(_text(details, "Refs", "EndToEndId")),
        "payer_name": word(name),
        "payer_iban": number_of(_text(account, "IBAN") or _text(account, "Othr", "Id"))
        if account is not None
        else None,
        "instructed_amount": amount if currency else None,
        "instructed_currency": currency if amount is not None else None,
    }


def _charges(element: Element) -> Decimal | None:
    """Return the charges that the bank states at a booking or a transaction; None without any."""
    records = [
        record for charges in _children(element, "Chrgs") for record in (_children(charges, "Rcrd") or [charges])
    ]
    amounts = [amount for record in records if (amount := _amount(_child(record, "Amt"))) is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _close(found: Findings, statement: _Statement) -> None:
    """Take over the entries of a statement that has ended, and note what does not add up in it."""
    name = f"account {statement.account}" if statement.account else "statement"
    opening, closing = (
        next((statement.balances[code] for code in codes if code in statement.balances), None)
        for codes in (_OPENING, _CLOSING)
    )
    found.take(name, statement.entries, balanced=opening is not None and closing is not None)
    if statement.unread:
        return  # what is missing then has been said
    if (opening is None) is not (closing is None):
        found.refuse(name, "Bal", f"has only one of its opening and closing balances: {_AGAIN}")
    if opening is not None and closing is not None and not adds_up(opening, statement.movements, closing):
        found.refuse(
            name,
            "",
            f"has {opening} before and {closing} after, and its entries do not lead from one to the other: "
            "some are missing or damaged",
        )
    if statement.summary is not None and not _sums_up(statement, statement.summary):
        found.refuse(name, "TxsSummry", "tells other sums than its entries have: some are missing or damaged")


def _sums_up(statement: _Statement, summary: Element) -> bool:
    """Whether the entries are as many, and as much, as the summary says, pending ones counted or not."""
    if any(reversal for _, reversal in statement.movements) or len(statement.movements) != statement.told:
        return True  # banks differ in what they count
    for name, sign in (("TtlCdtNtries", 1), ("TtlDbtNtries", -1)):
        amounts = [amount * sign for amount, _ in statement.movements if amount * sign > 0]
        told = _child(summary, name)
        count, total = (_text(told, "NbOfNtries"), _text(told, "Sum")) if told is not None else (None, None)
        if total is not None and number(total.strip()) != sum(amounts, Decimal(0)):
            return False
        if count is not None and count.strip().lstrip("0") != (str(len(amounts)) if amounts else ""):
            return False
    return True


# Elements by their local names ---------------------------------------------------------------------------


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element if _local(child) == name]


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if _local(child) == name), None)


def _path(element: Element, *names: str) -> Element | None:
    found: Element | None = element
    for name in names:
        found = _child(found, name) if found is not None else None
    return found


def _text(element: Element, *names: str) -> str | None:
    found = _path(element, *names)
    return None if found is None else found.text


def _amount(element: Element | None) -> Decimal | None:
    """Return the amount of an element with its currency in `Ccy`; None when it is none, or in doubt."""
    if element is None:
        return None
    text = (element.text or "").strip()
    return number(text) if "," not in text else None

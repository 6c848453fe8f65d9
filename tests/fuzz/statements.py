"""Bank statements, damaged in every way: none tells of money that came in and is not in the undamaged file.

What is undamaged is what the balances and sums of a file leave no doubt about. OFX has none, so its amounts stay as
they are, and a CSV file has none for its oldest row.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.statement_parts import StatementError
from dunwell.intake.statements import read_statement
from tests.fuzz.tally import Tally
from tests.intake.statements import ACCOUNT, camt, camt_entry, mt940, ofx, ofx_movement, transaction

_LAYOUT = StatementLayout(
    account=ACCOUNT,
    currency="EUR",
    columns={"booked_on": ("Day",), "text": ("Text",), "amount": ("Amount",), "balance": ("Balance",)},
    decimals="decimal-comma",
    days="day-first",
)
_SUMMARY = (
    "<TxsSummry><TtlCdtNtries><NbOfNtries>3</NbOfNtries><Sum>1539.00</Sum></TtlCdtNtries>"
    "<TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>41.50</Sum></TtlDbtNtries></TxsSummry>"
)
_ENTRIES = (
    camt_entry("1200.00", "INV-1", reference="B1"),
    camt_entry("315.00", "INV-2", reference="B2"),
    camt_entry("41.50", "rent", sign="DBIT", reference="B3"),
    camt_entry("24.00", details=transaction("a", amount="15.00") + transaction("b", amount="9.00"), reference="B4"),
)
_MOVEMENTS = (("1200.00", "A"), ("315.00", "B"), ("-41.50", "C"))
_SPOILED = b"0123456789.,-<>/\x00\xe4;C "


@dataclass(frozen=True)
class Format:
    """An undamaged file. `kept` is what damage leaves as it is."""

    name: str
    content: bytes
    layout: StatementLayout | None = None
    kept: re.Pattern[bytes] | None = None


FORMATS = (
    Format("camt.053", camt(*_ENTRIES, balances=("100.00", "1597.50"))),
    Format("camt.054", camt(*_ENTRIES, kind="054", more=_SUMMARY)),
    Format(
        "mt940",
        mt940(
            [
                ":61:2703010301C1200,00NTRFNONREF//B1",
                ":86:166?20EREF+E1?21SVWZ+INV-1?32Debtor",
                ":61:2703010301C315,00NTRFNONREF//B2",
                ":86:INV-2",
                ":61:2703010301D41,50NTRFNONREF//B3",
                ":86:rent",
                ":61:2703010301RC5,00NTRFNONREF//B4",
            ],
            opening="C270228EUR100,00",
            closing="C270301EUR1568,50",
        ).encode(),
    ),
    Format(
        "ofx",
        ofx(*(ofx_movement(amount, text, text) for amount, text in _MOVEMENTS)).encode(),
        kept=re.compile(rb"<TRNAMT>[^\r<]*|<CURDEF>\w*"),
    ),
    Format(
        "csv",
        (
            b"Day;Text;Amount;Balance\r\n01.03.2027;rent;-41,50;58,50\r\n02.03.2027;INV-1;1.200,00;1.258,50\r\n"
            b"03.03.2027;INV-2;315,00;1.573,50\r\n04.03.2027;x;-0,50;1.573,00\r\n"
        ),
        layout=_LAYOUT,
        kept=re.compile(rb"Day;[^\r]*\r\n[^\r]*\r\n"),
    ),
)  # fmt: skip


def damaged(random: Random, count: int, one: Format) -> Tally:
    """Read the file in `count` damaged forms. `refused` counts those that a person would have to accept."""
    tally, there = Tally(f"statements, {one.name}"), _money(one.content, one.layout)
    assert there
    for _ in range(count):
        tally.tried += 1
        try:
            found = _money(_damage(random, one), one.layout)
        except StatementError:
            tally.refused += 1
            continue
        except Exception:
            tally.crashes += 1
            continue
        tally.refused += found is None
        tally.invented += found is not None and any(
            times > (there or {}).get(money, 0) for money, times in found.items()
        )
    return tally


def _money(content: bytes, layout: StatementLayout | None) -> Mapping[tuple[Decimal, str], int] | None:
    """The sums that came in, by how often; None for a file with problems."""
    file = read_statement(content, layout)
    if file.problems:
        return None
    return Counter((entry.amount, entry.currency) for entry in file.entries if entry.came_in)


def _damage(random: Random, one: Format) -> bytes:
    """The file with a part gone bad: bytes replaced, inserted or lost, lines doubled or lost, or its end lost."""
    while True:
        spoiled = _spoil(random, one.content)
        if one.kept is None or set(one.kept.findall(spoiled)) <= set(one.kept.findall(one.content)):
            return spoiled


def _spoil(random: Random, content: bytes) -> bytes:
    at, length = random.randrange(len(content)), random.randrange(1, 40)
    noise = bytes(random.choice(_SPOILED) for _ in range(random.randrange(1, 4)))
    lines = content.splitlines(keepends=True)
    line = random.randrange(len(lines))
    begin = random.randrange(len(content))
    return random.choice(
        (
            content[:at] + noise + content[at + len(noise) :],
            content[:at] + noise + content[at:],
            content[:at] + content[at + length :],
            b"".join([*lines[: line + 1], *lines[line:]]),
            b"".join([*lines[:line], *lines[line + 1 :]]),
            content[:at] + content[begin : begin + length] + content[at:],
            content[:at],
        )
    )

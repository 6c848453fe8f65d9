"""Bank statements from file to case: what a preview says, what is booked, and what never is."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import delete, select

from dunwell.client.cases import Cases
from dunwell.client.server import ServerAway
from dunwell.client.statements import StatementBooking
from dunwell.domain.bank_entry import EntryState
from dunwell.domain.incoming import booked_as
from dunwell.domain.payment_reference import reference_for
from dunwell.domain.principals import SYSTEM, NotAllowed, Principal, PrincipalKind, Role
from dunwell.domain.refusal import Refused
from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.statement_parts import StatementFile
from dunwell.intake.statements import read_statement
from dunwell.services.statements import StatementPreview, Statements, Verdict
from dunwell.store import bank_entries, incoming_payments, tasks
from dunwell.store.database import Database
from dunwell.store.tables import AuditRow, BankEntryRow, IncomingPaymentRow
from dunwell.views.unmatched import lately_decided
from tests.builders import a_customer, an_invoice, sample_deps
from tests.databases import opened
from tests.intake.statements import ACCOUNT, PAYER, camt, camt_entry, mt940, transaction
from tests.services.conftest import ServiceHarness

BILLING = Principal(PrincipalKind.KEY, "billing", "Billing", Role.BILLING)
NUMBER = "INV-2027-0417"
AT = datetime(2027, 3, 4, 9, tzinfo=UTC)
REVERSAL = "<RvslInd>true</RvslInd>"


@dataclass
class RecordedCases:
    """Cases that take in everything they are told, or refuse what is named in `refuses`. `away`: none can be told."""

    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    refuses: str = ""
    away: bool = False

    async def tell(self, invoice_id: str, name: str, content: dict[str, Any], **_: object) -> None:
        if self.away:
            raise ServerAway("Temporal does not answer.")
        if name == self.refuses:
            raise Refused("payment_id", "is not known")
        self.told.append((invoice_id, name, content))

    def of(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        return [(invoice_id, content) for invoice_id, told, content in self.told if told == name]


class Bank:
    """A database with two invoices of 1,200 and 300 euros, and statements that come to it."""

    def __init__(self, database: Database) -> None:
        self.database, self.cases = database, RecordedCases()
        self.opened = dict[str, ServiceHarness]()
        self.statements = Statements(database, unmatched_days=3)
        self.booking = StatementBooking(database, cast(Cases, self.cases), unmatched_days=3)
        for invoice_id, number, amount in (("A", NUMBER, "1200.00"), ("B", "INV-2027-0418", "300.00")):
            invoice = an_invoice(invoice_id=invoice_id, number=number, amount=Decimal(amount), customer=a_customer())
            self.opened[invoice_id] = ServiceHarness(sample_deps(database))
            self.opened[invoice_id].open(invoice)

    def preview(
        self, content: bytes, layout: StatementLayout | None = None
    ) -> tuple[StatementPreview, StatementFile]:
        file = read_statement(content, layout)
        return self.statements.preview(file, content, "march.xml", AT), file

    def verdicts(self, content: bytes) -> list[Verdict]:
        return [line.verdict for line in self.preview(content)[0].lines]

    async def book(
        self, content: bytes, *, accept_partial: bool = False, layout: StatementLayout | None = None
    ) -> list[Verdict]:
        preview, file = self.preview(content, layout)
        done = await self.booking.book(preview, file, BILLING, accept_partial=accept_partial)
        return [line.verdict for line in done.lines]

    @property
    def payments(self) -> list[tuple[str, str]]:
        return [(invoice_id, content["amount"]) for invoice_id, content in self.cases.of("payment_received")]

    def states(self) -> list[EntryState]:
        with self.database.reading() as session:
            return list(session.scalars(select(BankEntryRow.state).order_by(BankEntryRow.amount)))

    def rows(self, table: Any) -> int:
        with self.database.reading() as session:
            return len(session.scalars(select(table)).all())


@pytest.fixture
def bank(blank_file: Path, tmp_path: Path) -> Iterator[Bank]:
    shutil.copy(blank_file, tmp_path / "dunwell.sqlite")
    database = opened(f"sqlite:///{tmp_path}/dunwell.sqlite")
    yield Bank(database)
    database.close()


def test_a_preview_says_what_follows_from_each_entry_and_changes_nothing(bank: Bank) -> None:
    content = camt(
        camt_entry("1200.00", NUMBER),
        camt_entry("300.00", f"thanks {reference_for(['B'])}", day="2027-03-02"),
        camt_entry("299.00", "INV-2027-0418"),
        camt_entry("77.00", "hello"),
        camt_entry("5.00", status="PDNG"),
        camt_entry("3.00", sign="DBIT"),
        camt_entry("9.00", sign="DBIT", more=REVERSAL),
    )
    preview, _ = bank.preview(content)
    assert [line.verdict for line in preview.lines] == [
        Verdict.BOOK,
        Verdict.BOOK,
        Verdict.PROPOSE,
        Verdict.UNMATCHED,
        Verdict.PENDING,
        Verdict.OUTGOING,
        Verdict.UNRELATED,
    ]
    assert [(part.invoice_id, part.amount) for part in preview.lines[0].parts] == [("A", Decimal("1200.00"))]
    assert (bank.rows(BankEntryRow), bank.rows(IncomingPaymentRow), bank.cases.told) == (0, 0, [])


async def test_the_same_file_twice_books_nothing(bank: Bank) -> None:
    content = camt(camt_entry("1200.00", NUMBER), camt_entry("77.00", "hello"), camt_entry("3.00", sign="DBIT"))
    assert await bank.book(content) == [Verdict.BOOK, Verdict.UNMATCHED, Verdict.OUTGOING]
    assert await bank.book(content) == [Verdict.KNOWN, Verdict.KNOWN, Verdict.OUTGOING]
    assert bank.payments == [("A", "1200.00")]
    assert sorted(bank.states()) == [EntryState.BOOKED, EntryState.UNMATCHED]
    assert bank.preview(content)[0].known


async def test_files_that_overlap_book_what_is_new_in_each(bank: Bank) -> None:
    first = camt(camt_entry("1200.00", NUMBER, reference="B1"))
    await bank.book(first)
    second = camt(camt_entry("300.00", "INV-2027-0418", reference="B2"), camt_entry("1200.00", "-", reference="B1"))
    assert await bank.book(second) == [Verdict.BOOK, Verdict.KNOWN]
    assert bank.payments == [("A", "1200.00"), ("B", "300.00")]


@pytest.mark.parametrize("first", ["053", "054"])
async def test_the_same_money_by_two_formats_is_booked_once(bank: Bank, first: str) -> None:
    """One file tells the batch as a sum, the other its transactions; ids, days and texts may differ."""
    details = transaction(NUMBER, amount="1200.00") + transaction("INV-2027-0418", amount="300.00")
    files = {
        "053": camt(camt_entry("1500.00", "collective", reference="B1"), camt_entry("20.00", "x", end_to_end="E9")),
        "054": camt(
            camt_entry("1500.00", details=details, reference="B1", day="2027-03-02"),
            camt_entry("20.00", "y", end_to_end="E9", day="2027-03-02"),
            kind="054",
        ),
    }
    (other,) = files.keys() - {first}
    await bank.book(files[first])
    again = [Verdict.BOOK, Verdict.BOOK] if first == "053" else [Verdict.ELSEWHERE]  # the transactions of the sum
    assert await bank.book(files[other]) == [*again, Verdict.ELSEWHERE]
    assert bank.payments == [("A", "1200.00"), ("B", "300.00")]
    assert bank.verdicts(files[first])[:-1] == [Verdict.KNOWN] * (1 if first == "053" else 2)
    assert "keep to one format" in bank.preview(files[other])[0].remarks[0]


CSV = StatementLayout.model_validate(
    {
        "account": ACCOUNT,
        "currency": "EUR",
        "columns": {"booked_on": ["Tag"], "payer_name": ["Name"], "text": ["Zweck"], "amount": ["Betrag"]},
        "decimals": "decimal-comma",
        "days": "day-first",
        "separator": ";",
    }
)


def csv(*rows: str) -> bytes:
    return "\n".join(("Tag;Name;Zweck;Betrag", *rows, "")).encode()


def told_by_mt940(details: str, amount: str = "1200,00") -> bytes:
    return mt940([f":61:2703010301C{amount}NTRFNONREF//X1\r\n:86:{details}"], closing=f"C270301EUR{amount}").encode()


@pytest.mark.parametrize(
    "other",
    [
        told_by_mt940(f"166?00GUTSCHRIFT?20SVWZ+Rechnung {NUMBER}?32Sammel e.K."),
        told_by_mt940(f"166?00GUTSCHRIFT?20SVWZ+Rechnung {NUMBER}?31{PAYER}?32Sammel e.K."),
        told_by_mt940(f"166?00GUTSCHRIFT?20EREF+E7?21SVWZ+Rechnung {NUMBER}"),
        camt(camt_entry("1200.00", NUMBER, reference="B9", end_to_end="E7")),
    ],
    ids=["name", "iban", "text", "camt"],
)
async def test_another_customer_who_pays_the_same_sum_that_day_has_paid(bank: Bank, other: bytes) -> None:
    """A file of another format told an equal sum, and nothing in both speaks for one payment."""
    await bank.book(csv("01.03.2027;Monat GmbH;Rate 1 RE-2026-1090;1.200,00"), layout=CSV)
    assert bank.payments == []
    assert await bank.book(other) == [Verdict.BOOK]
    assert bank.payments == [("A", "1200.00")]
    assert await bank.book(other) == [Verdict.KNOWN]


async def test_the_same_payment_as_two_formats_write_it_is_one(bank: Bank) -> None:
    await bank.book(csv(f"01.03.2027;Rücklauf Verwaltung GmbH;SVWZ+Rg. {NUMBER} v. 01.02.2027;1.200,00"), layout=CSV)
    cut = told_by_mt940(f"166?00GUTSCHRIFT?20SVWZ+Rg. INV-2027-?210417?31{PAYER}?32RUECKLAUF VERWALT")
    assert await bank.book(cut) == [Verdict.ELSEWHERE]
    assert bank.payments == [("A", "1200.00")]


async def test_what_may_be_the_same_money_waits_for_a_person(bank: Bank) -> None:
    """The payer is the same and the invoice is not, or the other way round: nobody is booked twice or forgotten."""
    await bank.book(csv("01.03.2027;Monat GmbH;Rate 1 RE-2026-1090;1.200,00"), layout=CSV)
    doubtful = told_by_mt940(f"166?00GUTSCHRIFT?20SVWZ+Rechnung {NUMBER}?32MONAT GMBH")
    preview, _ = bank.preview(doubtful)
    assert "it may be the same money as E" in preview.lines[0].why
    assert await bank.book(doubtful) == [Verdict.PROPOSE]
    assert bank.payments == []
    await bank.booking._matching.try_again()
    assert bank.payments == []
    with bank.database.reading() as session:
        (proposed,) = incoming_payments.open_for(session, "acme")
    await bank.booking._matching.confirm(proposed.entry_id, 1, BILLING)
    assert bank.payments == [("A", "1200.00")]


async def test_the_surest_pair_is_the_same_money(bank: Bank) -> None:
    """Whichever stands first in the file: what says nothing does not take the place of the one that is it."""
    await bank.book(csv("01.03.2027;Monat GmbH;Rate 1 RE-2026-1090;20,00"), layout=CSV)
    lines = [
        ":61:2703010301C20,00NTRFNONREF//X1",
        ":61:2703010301C20,00NTRFNONREF//X2\r\n:86:166?20SVWZ+RE-2026-1090",
    ]
    assert bank.verdicts(mt940(lines, closing="C270301EUR40,00").encode()) == [Verdict.UNMATCHED, Verdict.ELSEWHERE]


@pytest.mark.parametrize(
    ("details", "shown"), [("166?20SVWZ+Rate 1?32Monat GmbH", False), ("166?20SVWZ+as agreed?32Monat GmbH", True)]
)
async def test_what_is_taken_for_the_same_is_shown_where_it_reads_otherwise(
    bank: Bank, details: str, shown: bool
) -> None:
    await bank.book(csv("01.03.2027;Monat GmbH;Rate 1;20,00"), layout=CSV)
    (line,) = bank.preview(told_by_mt940(details, "20,00"))[0].lines
    assert (line.verdict, line.quiet) == (Verdict.ELSEWHERE, not shown)
    assert ("20.00 EUR on 2027-03-01, from Monat GmbH, Rate 1" in line.why) is shown


@pytest.mark.parametrize("kind", ["053", "054"])
async def test_the_transactions_of_a_sum_that_waits_are_matched_in_its_place(bank: Bank, kind: str) -> None:
    """By the bank's other message, or by the same one when it comes again with more."""
    batch = "<Btch><NbOfTxs>2</NbOfTxs></Btch>"
    details = transaction(NUMBER, amount="1200.00") + transaction("hello", amount="11.00", name="Sammel e.K.")
    one_sum = camt(camt_entry("1211.00", details=batch, reference="B1"))
    itemised = camt(camt_entry("1211.00", details=batch + details, reference="B1"), kind=kind)
    assert await bank.book(one_sum) == [Verdict.UNMATCHED]
    assert bank.verdicts(itemised) == [Verdict.BOOK, Verdict.UNMATCHED]
    assert await bank.book(itemised) == [Verdict.BOOK, Verdict.UNMATCHED]
    assert bank.payments == [("A", "1200.00")]
    assert sorted(bank.states()) == [EntryState.BOOKED, EntryState.ITEMISED, EntryState.UNMATCHED]
    assert bank.verdicts(one_sum) == [Verdict.KNOWN]
    assert bank.verdicts(itemised) == [Verdict.KNOWN, Verdict.KNOWN]
    assert bank.verdicts(told_by_mt940("166?20SVWZ+Sammelgutschrift", "1211,00")) == [Verdict.ELSEWHERE]


async def test_a_payment_of_which_the_bank_kept_charges_pays_its_invoice(bank: Bank) -> None:
    """MT940 told what arrived; camt.053 tells what the customer paid too, and takes its place."""
    ordered = '<AmtDtls><InstdAmt><Amt Ccy="EUR">1200.00</Amt></InstdAmt></AmtDtls>'
    charges = '<Chrgs><Rcrd><Amt Ccy="EUR">2.50</Amt><ChrgInclInd>true</ChrgInclInd></Rcrd></Chrgs>'
    assert await bank.book(told_by_mt940(f"166?20SVWZ+{NUMBER}", "1197,50")) == [Verdict.PROPOSE]
    content = camt(camt_entry("1197.50", details=transaction(NUMBER, more=ordered + charges)))
    (line,) = bank.preview(content)[0].lines
    assert "a bank kept charges of 2.50 EUR" in line.why
    assert await bank.book(content) == [Verdict.BOOK]
    assert bank.payments == [("A", "1200.00")]
    assert sorted(bank.states()) == [EntryState.BOOKED, EntryState.ITEMISED]
    again = camt_entry("1197.50", reference="B2", details=transaction(NUMBER, more=ordered + charges))
    assert bank.verdicts(camt(again, kind="054")) == [Verdict.ELSEWHERE]


@pytest.mark.parametrize("kind", ["053", "054"])
async def test_the_sum_of_transactions_that_were_told_is_no_money_more(bank: Bank, kind: str) -> None:
    details = transaction(NUMBER, amount="1200.00") + transaction("hello", amount="11.00", name="Sammel e.K.")
    await bank.book(camt(camt_entry("1211.00", details=details, reference="B1")))
    verdict = Verdict.KNOWN if kind == "053" else Verdict.ELSEWHERE
    assert bank.verdicts(camt(camt_entry("1211.00", details="", reference="B1"), kind=kind)) == [verdict]


async def test_the_transactions_of_a_sum_that_a_person_split_are_not_booked_again(bank: Bank) -> None:
    await bank.book(camt(camt_entry("1211.00", details="", reference="B1")))
    with bank.database.reading() as session:
        (waiting,) = incoming_payments.waiting(session)
    await bank.booking._matching.assign(waiting.entry_id, [("A", Decimal(1200)), ("B", Decimal(11))], BILLING)
    details = transaction(NUMBER, amount="1200.00") + transaction("hello", amount="11.00", name="Sammel e.K.")
    itemised = camt(camt_entry("1211.00", details=details, reference="B1"), kind="054")
    assert await bank.book(itemised) == [Verdict.ELSEWHERE, Verdict.ELSEWHERE]
    assert not any(line.quiet for line in bank.preview(itemised)[0].lines)
    assert bank.payments == [("A", "1200.00"), ("B", "11.00")]


async def test_what_another_format_told_stands_for_as_many_entries_as_it_told(bank: Bank) -> None:
    await bank.book(camt(camt_entry("20.00", "one")))
    lines = ["C20,00NTRFNONREF//X1", "C20,00NTRFNONREF//X2"]
    content = mt940([f":61:2703010301{line}\r\n:86:text" for line in lines], closing="C270301EUR40,00").encode()
    assert await bank.book(content) == [Verdict.ELSEWHERE, Verdict.UNMATCHED]
    assert await bank.book(content) == [Verdict.ELSEWHERE, Verdict.KNOWN]


async def test_payments_of_one_sum_and_day_with_ids_of_their_own_are_two(bank: Bank) -> None:
    await bank.book(camt(camt_entry("20.00", end_to_end="E1")))
    assert await bank.book(camt(camt_entry("20.00", end_to_end="E2"), kind="054")) == [Verdict.UNMATCHED]


async def test_a_file_that_is_half_good_books_nothing_until_a_person_says_so(bank: Bank) -> None:
    content = camt(camt_entry("1200.00", NUMBER), camt_entry("3x0.00", "INV-2027-0418"))
    with pytest.raises(Refused, match=r"good in part only.*entry 2: Amt"):
        await bank.book(content)
    assert (bank.rows(BankEntryRow), bank.cases.told) == (0, [])
    assert await bank.book(content, accept_partial=True) == [Verdict.BOOK]
    whole = content.replace(b"3x0.00", b"300.00")
    assert await bank.book(whole) == [Verdict.KNOWN, Verdict.BOOK]


async def test_a_booking_day_to_come_is_a_problem(bank: Bank) -> None:
    with pytest.raises(Refused, match="lies in the future"):
        await bank.book(camt(camt_entry("1200.00", NUMBER, day="2072-03-01")))


async def test_a_reversal_three_days_later_takes_the_payment_back_once(bank: Bank) -> None:
    await bank.book(camt(camt_entry("1200.00", NUMBER, end_to_end="E1")))
    back = camt(camt_entry("1200.00", "returned", sign="DBIT", more=REVERSAL, day="2027-03-04", end_to_end="E1"))
    assert bank.verdicts(back) == [Verdict.RETURN]
    assert await bank.book(back) == [Verdict.RETURN]
    assert await bank.book(back) == [Verdict.KNOWN]
    ((invoice_id, told),) = bank.cases.of("payment_reversed")
    ((_, paid),) = bank.cases.of("payment_received")
    assert (invoice_id, told["payment_id"], told["reason"]) == ("A", paid["payment_id"], "returned")
    assert told["reversed_at"].startswith("2027-03-04")


async def test_unmatched_money_that_went_back_is_set_aside_and_cannot_be_taken_up_again(bank: Bank) -> None:
    await bank.book(camt(camt_entry("77.00", "hello", end_to_end="E1")))
    await bank.book(
        camt(camt_entry("77.00", "returned", sign="DBIT", more=REVERSAL, day="2027-03-04", end_to_end="E1"))
    )
    with bank.database.reading() as session:
        (shown,) = lately_decided(session, EntryState.SET_ASIDE, AT)
    assert (shown["taken_back"], str(shown["returned_on"])) == (True, "2027-03-04")
    with pytest.raises(Refused, match="its money went back to the payer on 2027-03-04"):
        bank.statements._payments.undo(shown["entry_id"], BILLING, AT)


async def test_the_preview_of_two_equal_payments_on_one_invoice_books_one(bank: Bank) -> None:
    content = camt(camt_entry("1200.00", NUMBER, end_to_end="E1"), camt_entry("1200.00", NUMBER, end_to_end="E2"))
    previewed = bank.preview(content)[0].lines
    assert sorted(line.verdict for line in previewed) == [Verdict.BOOK, Verdict.UNMATCHED]
    assert sum(part.amount for line in previewed for part in line.parts) == Decimal("1200.00")
    assert [line.verdict for line in previewed] == await bank.book(content)
    assert bank.payments == [("A", "1200.00")]


async def test_a_payment_and_its_return_in_one_file_leave_nothing_paid(bank: Bank) -> None:
    content = camt(
        camt_entry("1200.00", NUMBER, end_to_end="E1"),
        camt_entry("1200.00", "returned", sign="DBIT", more=REVERSAL, day="2027-03-03", end_to_end="E1"),
    )
    assert await bank.book(content) == [Verdict.BOOK, Verdict.RETURN]
    assert [name for _, name, _ in bank.cases.told] == ["payment_received", "payment_reversed"]


async def test_a_return_that_was_told_before_its_payment_takes_it_back(bank: Bank) -> None:
    """Files come in another order than the days; after a restore older ones are imported again beside new ones."""
    back = camt_entry("1200.00", "returned", sign="DBIT", more=REVERSAL, day="2027-03-04", end_to_end="E1")
    assert await bank.book(camt(back)) == [Verdict.UNRELATED]
    assert await bank.book(camt(camt_entry("300.00", "INV-2027-0418", end_to_end="E2"))) == [Verdict.BOOK]
    assert sorted(bank.states()) == [EntryState.BOOKED, EntryState.UNRELATED]
    assert await bank.book(camt(camt_entry("1200.00", NUMBER, end_to_end="E1"))) == [Verdict.BOOK]
    assert [name for _, name, _ in bank.cases.told] == ["payment_received", "payment_received", "payment_reversed"]
    assert bank.cases.of("payment_reversed")[0][0] == "A"
    assert bank.states().count(EntryState.RETURNED) == 1


async def test_what_a_file_without_references_told_before_a_restore_is_found_by_one_with_them(
    bank: Bank, tmp_path: Path
) -> None:
    """It would wait for a person, and could be booked once more: its id is another one."""
    facts = {"text": "thanks", "end_to_end": "E1"}
    await bank.book(camt(camt_entry("300.00", **facts)))
    with bank.database.reading() as session:
        (identity,) = session.scalars(select(BankEntryRow.identity))
    with bank.database.writing_beside_customers() as session:
        session.execute(delete(IncomingPaymentRow))
        session.execute(delete(BankEntryRow))
    bank.opened["B"].pay("2027-03-04 09:00", "300.00", booked_as(f"bank-{identity}", 1))
    await bank.book(camt(camt_entry("300.00", reference="B1", **facts)))
    assert bank.states() == [EntryState.BOOKED]
    assert bank.cases.told == []


async def test_the_return_of_what_nobody_matched_sets_it_aside(bank: Bank) -> None:
    await bank.book(camt(camt_entry("77.00", "hello", end_to_end="E1")))
    await bank.book(camt(camt_entry("77.00", sign="DBIT", more=REVERSAL, day="2027-03-03", end_to_end="E1")))
    assert bank.cases.told == []
    assert sorted(bank.states()) == [EntryState.RETURNED, EntryState.SET_ASIDE]


@pytest.mark.parametrize(
    "unsure",
    [
        {"amount": "1100.00", "more": REVERSAL},
        {"amount": "1200.00"},
        {"amount": "1200.00", "more": REVERSAL, "sign": "CRDT"},
    ],
)
async def test_a_reversal_that_is_not_sure_is_a_persons_task(bank: Bank, unsure: dict[str, str]) -> None:
    await bank.book(camt(camt_entry("1200.00", NUMBER, end_to_end="E1")))
    facts: dict[str, Any] = {"sign": "DBIT", "day": "2027-03-03", "end_to_end": "E1"} | unsure
    assert await bank.book(camt(camt_entry(**facts))) == [Verdict.ASK]
    assert bank.cases.of("payment_reversed") == []
    with bank.database.reading() as session:
        (task,) = [one for one in tasks.open_tasks(session, "A") if ".returned." in one.task_id]
    assert "reverse-payment A bank-" in task.reason
    assert f"--amount {unsure['amount']} --reason returned --reversal-id bank-" in task.reason


async def test_what_may_return_a_payment_waits_until_that_is_decided(bank: Bank) -> None:
    """Else the payment would be booked later, and nobody would hear that it may have gone back."""
    await bank.book(camt(camt_entry("1200.00", "as agreed", end_to_end="E1")))
    await bank.book(camt(camt_entry("1200.00", sign="DBIT", day="2027-03-03", end_to_end="E1")))
    assert sorted(bank.states()) == [EntryState.NEW, EntryState.UNMATCHED]
    matching = bank.booking._matching
    with bank.database.reading() as session:
        (payment,) = session.scalars(select(IncomingPaymentRow)).all()
    await matching.assign(payment.entry_id, [("A", None)], BILLING)
    await bank.booking.finish(SYSTEM)
    assert sorted(bank.states()) == [EntryState.ASKED, EntryState.BOOKED]
    with bank.database.reading() as session:
        assert [one for one in tasks.open_tasks(session, "A") if ".returned." in one.task_id]


async def test_money_that_went_out_under_a_number_used_before_is_nobodys_task(bank: Bank) -> None:
    await bank.book(camt(camt_entry("1200.00", NUMBER, reference="1")))
    assert await bank.book(camt(camt_entry("9.00", sign="DBIT", reference="1"))) == [Verdict.OUTGOING]


async def test_of_two_payments_under_one_id_none_is_taken_back_by_itself(bank: Bank) -> None:
    await bank.book(
        camt(camt_entry("300.00", "INV-2027-0418", end_to_end="E1"), camt_entry("300.00", "x", end_to_end="E1"))
    )
    back = camt_entry("300.00", sign="DBIT", more=REVERSAL, day="2027-03-03", end_to_end="E1")
    assert await bank.book(camt(back)) == [Verdict.ASK]


async def test_a_reversal_that_the_case_refuses_is_a_persons_task(bank: Bank) -> None:
    await bank.book(camt(camt_entry("1200.00", NUMBER, end_to_end="E1")))
    bank.cases.refuses = "payment_reversed"
    back = camt_entry("1200.00", sign="DBIT", more=REVERSAL, day="2027-03-03", end_to_end="E1")
    assert await bank.book(camt(back)) == [Verdict.ASK]


async def test_what_broke_off_is_finished_by_the_next_file(bank: Bank) -> None:
    preview, file = bank.preview(camt(camt_entry("1200.00", NUMBER)))
    bank.statements.keep(preview, file, BILLING, AT)
    assert bank.cases.told == []
    await bank.book(camt(camt_entry("77.00", "hello")))
    assert bank.payments == [("A", "1200.00")]


async def test_nothing_goes_back_before_its_payment_came(bank: Bank) -> None:
    """Whoever books a return may overtake the process that booked the payment and has not told its case yet."""
    bank.cases.away = True
    await bank.book(camt(camt_entry("1200.00", NUMBER, end_to_end="E1")))
    back = camt(camt_entry("1200.00", "returned", sign="DBIT", more=REVERSAL, day="2027-03-04", end_to_end="E1"))
    await bank.book(back)
    assert sorted(bank.states()) == [EntryState.BOOKED, EntryState.NEW]
    bank.cases.away = False
    await bank.booking.finish(SYSTEM)
    assert [name for _, name, _ in bank.cases.told] == ["payment_received", "payment_reversed"]
    assert sorted(bank.states()) == [EntryState.BOOKED, EntryState.RETURNED]


async def test_only_who_may_book_statements_does(bank: Bank) -> None:
    preview, file = bank.preview(camt(camt_entry("1200.00", NUMBER)))
    for role in (Role.AGENT, Role.AUDITOR, Role.PRODUCT):
        with pytest.raises(NotAllowed):
            await bank.booking.book(preview, file, Principal(PrincipalKind.PERSON, "x", "X", role))
    assert bank.rows(BankEntryRow) == 0


async def test_a_booked_statement_is_in_the_audit(bank: Bank) -> None:
    await bank.book(camt(camt_entry("1200.00", NUMBER), camt_entry("3.00", sign="DBIT")))
    with bank.database.reading() as session:
        (row,) = session.scalars(select(AuditRow).where(AuditRow.object.like("statement/%"))).all()
    assert (row.action, row.principal) == ("booked", "billing")
    assert row.details == {"format": "camt.053", "entries": 2, "kept": 1}


async def test_statements_are_booked_on_every_database(database: Database) -> None:
    bank = Bank(database)
    await bank.book(camt(camt_entry("1200.00", NUMBER, end_to_end="E1"), camt_entry("77.00", "hello")))
    await bank.book(camt(camt_entry("1200.00", sign="DBIT", more=REVERSAL, day="2027-03-03", end_to_end="E1")))
    assert [name for _, name, _ in bank.cases.told] == ["payment_received", "payment_reversed"]
    with bank.database.reading() as session:
        assert len(bank_entries.in_state(session, [EntryState.RETURNED])) == 1

"""Prints the statement of account of a customer, in their language and laid out as a letter."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.invoice import Customer
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Role
from dunwell.gateways.base import Attachment
from dunwell.services.account_statements import AccountStatement, Credit, Movement, OpenInvoice
from dunwell.services.dependencies import Dependencies
from dunwell.services.letters import Letter, missing_glyph, paper_of, printed, window_lines
from dunwell.store import contacts
from dunwell.texts.catalogue import in_country
from dunwell.texts.formatting import CALL, Formatter
from dunwell.texts.letter_blocks import Block, Piece

_HEADS = ("interest", "lump_sum", "costs")

Row = tuple[str, ...]


def statement_letter(session: Session, deps: Dependencies, statement: AccountStatement) -> Attachment:
    """Return the statement as a PDF. Raises Refused where our fonts lack a character of it."""
    customer, head = statement.customer, deps.letterhead
    language = in_country(deps.catalogue.spoken(customer.language), customer.country)
    labels, locale = deps.catalogue.labels(language), deps.catalogue.locale(language)
    formatter = Formatter(locale, CALL)
    day = formatter.day(statement.as_of, statement.as_of) or ""
    letter = Letter(
        paper=paper_of(customer.country),
        language=locale.language,
        day=statement.as_of,
        sender=deps.sender.company,
        sender_lines=head.address,
        window=_window(session, customer),
        side=head.window,
        addressed=True,
        today=day,
        references=((labels["customer_number"], customer.customer_id),),
        subject=labels["statement"].replace("{day}", day),
        body=tuple(_Layout(labels, formatter, statement).blocks()),
        slip=None,
        page=labels["page"],
    )
    lacking = missing_glyph("".join((*letter.window, *(one.number for one in statement.invoices))))
    if lacking is not None:
        raise Refused("customer", f"has a statement that cannot be printed: no font of ours has {lacking}")
    return printed(letter)


def _window(session: Session, customer: Customer) -> tuple[str, ...]:
    """The customer with the postal address of accounts payable, or of another; alone where no address is known."""
    people = contacts.people(session, [customer.customer_id])[customer.customer_id]
    posted = [one.contact for one in people if one.open and one.contact.post]
    theirs = [one for one in posted if one.role is not Role.ACCOUNT_MANAGER]
    theirs.sort(key=lambda one: one.role is not Role.ACCOUNTS_PAYABLE)
    return window_lines(customer.name, theirs[0]) if theirs else (customer.name,)


class _Layout:
    """A statement as the blocks of a letter."""

    def __init__(self, labels: Mapping[str, str], formatter: Formatter, statement: AccountStatement) -> None:
        self._labels, self._formatter, self._statement = labels, formatter, statement

    def blocks(self) -> Iterator[Block]:
        found = self._statement
        if not found.invoices:
            yield _paragraph(self._labels["nothing_open"])
        for currency in dict.fromkeys(one.currency for one in found.invoices):
            yield self._open([one for one in found.invoices if one.currency == currency])
        if found.movements:
            yield _heading(self._labels["payments"])
            rows = [(self._day(one.on), one.number, self._money(one.amount, one)) for one in found.movements]
            yield self._table(("date", "invoice", "amount"), rows, amounts=1)
        if found.credits:
            yield _heading(self._labels["credit"])
            held = [(one.number, self._money(one.amount, one)) for one in found.credits]
            yield self._table(("invoice", "amount"), held, amounts=1)
        yield Block(kind="rule")
        yield _paragraph(self._labels["statement_note"])

    def _open(self, listed: Sequence[OpenInvoice]) -> Block:
        """The open invoices of one currency, what is owed beside them, what is disputed, and the total."""
        rows: list[Row] = []
        total = Decimal(0)
        for one in listed:
            rows.append((one.number, self._day(one.due_on), self._money(one.amount, one), self._money(one.open, one)))
            total += one.open
            beside = [(name, getattr(one, name)) for name in _HEADS] + [("in_dispute", -one.disputed)]
            for name, amount in beside:
                if amount:
                    rows.append((f"{self._labels[name]} ({one.number})", "", "", self._money(amount, one)))
                    total += amount
        rows.append((self._labels["total_due"], "", "", self._money(total, listed[0])))
        return self._table(("invoice", "due", "invoiced", "open"), rows, amounts=2, last_is_total=True)

    def _table(self, heads: Row, rows: Sequence[Row], *, amounts: int, last_is_total: bool = False) -> Block:
        """A table whose last columns, `amounts` of them, are set to the right."""
        cells = [tuple(_cell(self._labels[head]) for head in heads)]
        for number, row in enumerate(rows, start=1):
            cells.append(tuple(_cell(text, bold=last_is_total and number == len(rows)) for text in row))
        right = tuple(place >= len(heads) - amounts for place in range(len(heads)))
        return Block(kind="table", rows=tuple(cells), right=right)

    def _day(self, day: date) -> str:
        return self._formatter.day(day, self._statement.as_of) or ""

    def _money(self, amount: Decimal, of: OpenInvoice | Movement | Credit) -> str:
        return self._formatter.money(amount, of.currency, of.digits) or ""


def _cell(text: str, *, bold: bool = False) -> tuple[Piece, ...]:
    return (Piece(text=text, bold=bold),) if text else ()


def _paragraph(text: str) -> Block:
    return Block(kind="paragraph", pieces=(Piece(text=text),))


def _heading(text: str) -> Block:
    return Block(kind="heading", pieces=(Piece(text=text, bold=True),))

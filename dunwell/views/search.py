"""Finds cases and customers by what somebody knows of them: a name, a number, an amount, a stage, a policy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, case, cast, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from dunwell.domain.case import Case
from dunwell.domain.invoice import REHEARSAL
from dunwell.domain.terms import ENDS, Access, Stage
from dunwell.intake.typed_amounts import sought_amount
from dunwell.store import accounts
from dunwell.store.tables import CaseRow, ContactRow, CustomerRow, InvoiceRow

OPEN = "open"
"""Stands for every stage in which a case has not ended."""

_AMOUNT: ColumnElement[float] = cast(InvoiceRow.amount, Double)
"""To compare: SQLite keeps amounts as text."""
_ENDED = [stage.value for stage in ENDS]


@dataclass(frozen=True)
class Filters:
    """What a list of cases is narrowed to. Empty texts and None narrow nothing.

    words  customer, number, id or amount
    stage  a stage, or OPEN
    least, most  of the invoiced amount
    sort   due, amount, next or customer
    rehearsals   those of rehearsals, which are never listed among the others
    """

    words: str = ""
    stage: str = ""
    policy: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    sort: str = "due"
    rehearsals: bool = False

    @property
    def narrow(self) -> bool:
        """Whether anything is left out."""
        return replace(self, sort="due") != Filters()


@dataclass(frozen=True)
class FoundCase:
    """A case in a list."""

    invoice_id: str
    number: str
    customer_id: str
    customer: str
    time_zone: str
    stage: Stage
    amount: Decimal
    open: Decimal
    currency: str
    due_on: date
    next_step: str | None
    next_at: datetime | None
    policy: str


@dataclass(frozen=True)
class FoundCustomer:
    """A customer in a list, with how many invoices are open."""

    customer_id: str
    name: str
    country: str
    invoices: int
    open_invoices: int
    access: Access


def find_cases(session: Session, filters: Filters, first: int, most: int) -> tuple[list[FoundCase], int]:
    """Return the cases from number `first` on, at most `most`, and how many there are: real, or of rehearsals."""
    query = _cases(filters)
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = session.execute(query.offset(first).limit(most))
    return [_case(row, invoice, customer) for row, invoice, customer in rows], total


def find_customers(
    session: Session, words: str, first: int, most: int, *, rehearsals: bool = False
) -> tuple[list[FoundCustomer], int]:
    """Return the customers likewise, by their name, their id or somebody who works there."""
    rehearsed = CustomerRow.customer_id.startswith(REHEARSAL)
    query = select(CustomerRow).where(rehearsed if rehearsals else ~rehearsed).order_by(CustomerRow.name)
    if words:
        people = exists().where(
            ContactRow.customer_id == CustomerRow.customer_id,
            or_(*(_has(column, words) for column in (ContactRow.name, ContactRow.email, ContactRow.phone))),
        )
        query = query.where(or_(_has(CustomerRow.name, words), _has(CustomerRow.customer_id, words), people))
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = session.scalars(query.offset(first).limit(most)).all()
    counts = _counts(session, [row.customer_id for row in rows])
    found = [
        FoundCustomer(
            customer_id=row.customer_id,
            name=row.name,
            country=row.country,
            invoices=counts.get(row.customer_id, (0, 0))[0],
            open_invoices=counts.get(row.customer_id, (0, 0))[1],
            access=accounts.access(session, row.customer_id),
        )
        for row in rows
    ]
    return found, total


def _cases(filters: Filters) -> Select[CaseRow, InvoiceRow, CustomerRow]:
    query = (
        select(CaseRow, InvoiceRow, CustomerRow)
        .join(InvoiceRow, InvoiceRow.invoice_id == CaseRow.invoice_id)
        .join(CustomerRow, CustomerRow.customer_id == CaseRow.customer_id)
        .where(CaseRow.rehearsal.is_(filters.rehearsals))
    )
    if filters.words:
        columns = (CustomerRow.name, CustomerRow.customer_id, InvoiceRow.number, InvoiceRow.invoice_id)
        tests = [_has(column, filters.words) for column in columns]
        if (amount := sought_amount(filters.words)) is not None:
            tests.append(_AMOUNT.in_([float(amount)]))
        query = query.where(or_(*tests))
    if filters.stage == OPEN:
        query = query.where(CaseRow.stage.not_in(_ENDED))
    elif filters.stage:
        query = query.where(CaseRow.stage == filters.stage)
    if filters.policy:
        query = query.where(InvoiceRow.policy_name == filters.policy)
    if filters.least is not None:
        query = query.where(float(filters.least) <= _AMOUNT)
    if filters.most is not None:
        query = query.where(float(filters.most) >= _AMOUNT)
    return query.order_by(*_order(filters.sort), CaseRow.invoice_id)


def _order(sort: str) -> Sequence[ColumnElement[Any]]:
    orders: dict[str, Sequence[ColumnElement[Any]]] = {
        "amount": (_AMOUNT.desc(),),
        "next": (CaseRow.next_at.is_(None), CaseRow.next_at.asc()),
        "customer": (CustomerRow.name.asc(),),
    }
    return orders.get(sort, (InvoiceRow.due_on.asc(),))


def _has(column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], words: str) -> ColumnElement[bool]:
    return column.icontains(words, autoescape=True)


def _counts(session: Session, customer_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many cases, and how many that have not ended, each of these customers has."""
    is_open = func.sum(case((CaseRow.stage.in_(_ENDED), 0), else_=1))
    query = (
        select(CaseRow.customer_id, func.count(), is_open)
        .where(CaseRow.customer_id.in_(customer_ids))
        .group_by(CaseRow.customer_id)
    )
    return {customer: (count, still or 0) for customer, count, still in session.execute(query)}


def _case(row: CaseRow, invoice: InvoiceRow, customer: CustomerRow) -> FoundCase:
    kept = Case.model_validate(row.state)
    return FoundCase(
        invoice_id=row.invoice_id,
        number=invoice.number,
        customer_id=customer.customer_id,
        customer=customer.name,
        time_zone=customer.time_zone,
        stage=kept.stage,
        amount=round(kept.money.amount, invoice.digits),
        open=kept.open_amount,
        currency=invoice.currency,
        due_on=kept.due_on,
        next_step=row.next_step,
        next_at=row.next_at,
        policy=invoice.policy_name,
    )

"""The statement of account of a customer: what is open, what was paid, and what is in their favour, on a day."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.claim import Claim, ClaimCertainty
from dunwell.domain.invoice import Customer
from dunwell.domain.model import Value
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Stage
from dunwell.services import claims
from dunwell.services.dependencies import Dependencies
from dunwell.store import cases, credits, invoices
from dunwell.store.tables import InvoiceRow

_RECENT = timedelta(days=90)
"""For how long the payments on settled invoices are shown."""


class OpenInvoice(Value):
    """An invoice of which something was open on the day, with what is owed beside it, where that is confirmed.

    disputed  of what is open, the part that is not to be paid for now
    """

    number: str
    issued_on: date
    due_on: date
    currency: str
    digits: int
    amount: Decimal
    paid: Decimal
    open: Decimal
    disputed: Decimal = Decimal(0)
    interest: Decimal = Decimal(0)
    lump_sum: Decimal = Decimal(0)
    costs: Decimal = Decimal(0)


class Movement(Value):
    """Money that came in for an invoice; below zero: that was taken back."""

    on: date
    number: str
    currency: str
    digits: int
    amount: Decimal


class Credit(Value):
    """What was paid too much on an invoice, and was neither applied nor returned by the day."""

    number: str
    currency: str
    digits: int
    amount: Decimal


class AccountStatement(Value):
    """What a customer owes and has paid, at the end of the day `as_of` in their own time zone."""

    customer: Customer
    as_of: date
    invoices: tuple[OpenInvoice, ...]
    movements: tuple[Movement, ...]
    credits: tuple[Credit, ...]


def statement_of(
    session: Session, deps: Dependencies, customer_id: str, as_of: date | None, now: datetime
) -> AccountStatement:
    """Return the statement of a customer on a day, by default today, which is that of the cases of a rehearsal.

    Raises Refused for a day that is to come.
    """
    customer = invoices.find_customers(session, [customer_id]).get(customer_id)
    if customer is None:
        raise Refused("customer", f"{customer_id!r} is not known")
    now = cases.time_of_customer(session, customer_id, now)
    today = now.astimezone(ZoneInfo(customer.time_zone)).date()
    day = as_of or today
    if day > today:
        raise Refused("as_of", f"{day} is still to come: give a day up to {today}")
    query = select(InvoiceRow).where(InvoiceRow.customer_id == customer_id, InvoiceRow.issued_on <= day)
    rows = session.scalars(query.order_by(InvoiceRow.due_on, InvoiceRow.invoice_id)).all()
    accounts = [_Account(session, deps, row, case, customer, day) for row, case in _with_cases(session, rows)]
    movements = [one for account in accounts for one in account.movements()]
    return AccountStatement(
        customer=customer,
        as_of=day,
        invoices=tuple(found for account in accounts if (found := account.open_invoice()) is not None),
        movements=tuple(sorted(movements, key=lambda one: (one.on, one.number))),
        credits=tuple(held for account in accounts if (held := account.credit()) is not None),
    )


def _with_cases(session: Session, rows: Sequence[InvoiceRow]) -> Iterator[tuple[InvoiceRow, Case]]:
    """Yield the invoices that have a case; what was only registered may still be refused."""
    for row in rows:
        case = cases.get(session, row.invoice_id)
        if case is not None:
            yield row, case


class _Account:
    """What is known of one invoice on the day."""

    def __init__(
        self, session: Session, deps: Dependencies, row: InvoiceRow, case: Case, customer: Customer, day: date
    ) -> None:
        self._session, self._row, self._case, self._day = session, row, case, day
        self._zone = ZoneInfo(customer.time_zone)
        history = claims.history_of_case(case, self._zone, (), ())
        self._payments = [one for one in history.payments if one.on <= day]
        self._reversals = [one for one in history.reversals if one.on <= day]
        self._written_off_on = history.written_off_on
        self._amount = history.amount_on(day)
        paid = sum((one.amount for one in self._payments), Decimal(0))
        self._paid = paid - sum((one.amount for one in self._reversals), Decimal(0))
        self._claim = self._claim_of_day(deps)

    def _claim_of_day(self, deps: Dependencies) -> Claim | None:
        """None where the law is not known, or the ladder is missing: then only the invoice itself is stated."""
        try:
            return claims.claim_on(self._session, self._row.invoice_id, self._day, seller=deps.sender.country).claim
        except (Refused, LookupError):
            return None

    @property
    def _given_up(self) -> bool:
        """Whether it had been written off by the day."""
        if self._case.ended is not Stage.WRITTEN_OFF:
            return False
        return self._written_off_on is None or self._written_off_on <= self._day

    def open_invoice(self) -> OpenInvoice | None:
        still = self._amount - self._paid
        claim = self._claim
        sure = claim if claim is not None and claim.certainty is not ClaimCertainty.UNCONFIRMED else None
        heads = {name: getattr(sure, name) for name in ("interest", "lump_sum", "costs")} if sure else {}
        if self._case.ended is Stage.CANCELLED or self._given_up or (still <= 0 and not any(heads.values())):
            return None
        return OpenInvoice(
            number=self._row.number,
            issued_on=self._row.issued_on,
            due_on=self._case.due_on,
            currency=self._row.currency,
            digits=self._row.digits,
            amount=self._amount,
            paid=self._paid,
            open=max(still, Decimal(0)),
            disputed=claim.disputed if claim is not None else Decimal(0),
            **heads,
        )

    def movements(self) -> Iterator[Movement]:
        since = date.min if self.open_invoice() is not None else self._day - _RECENT
        facts = {"number": self._row.number, "currency": self._row.currency, "digits": self._row.digits}
        for payment in self._payments:
            if payment.on >= since:
                yield Movement(on=payment.on, amount=payment.amount, **facts)
        for reversal in self._reversals:
            if reversal.on >= since:
                yield Movement(on=reversal.on, amount=-reversal.amount, **facts)

    def credit(self) -> Credit | None:
        above = self._claim.overpaid if self._claim is not None else self._paid - self._amount
        uses = [one for one in credits.uses(self._session, self._row.invoice_id) if self._date(one.at) <= self._day]
        used = sum((one.amount - credits.undone_amount(self._session, one) for one in uses), Decimal(0))
        left = above - used
        if left <= 0:
            return None
        return Credit(number=self._row.number, currency=self._row.currency, digits=self._row.digits, amount=left)

    def _date(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

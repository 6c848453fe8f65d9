"""Reads the invoices that figures are made of, with their money and promises; never those of rehearsals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from dunwell.domain.events import BY_CREDIT
from dunwell.domain.figures.promise import Promised
from dunwell.domain.figures.receivable import Movement, Receivable, Standing
from dunwell.domain.invoice import REHEARSAL
from dunwell.domain.policy import tolerated
from dunwell.store.column_types import ExactAmount
from dunwell.store.incoming_payments import WAITING
from dunwell.store.tables import (
    CreditUseRow,
    IncomingPaymentRow,
    InvoiceRow,
    PaymentRow,
    PolicyRow,
    PromiseRow,
    ReversalRow,
    StandingRow,
)

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Ledger:
    """The invoices of one currency, which has `digits` after the point, and what was promised of them."""

    currency: str
    digits: int
    invoices: list[Receivable] = field(default_factory=list)
    promises: list[Promised] = field(default_factory=list)


def of_no_rehearsal(currency: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions that narrow a query of invoices to those of no rehearsal, in one currency or in all."""
    conditions: list[ColumnElement[bool]] = [InvoiceRow.customer_id.not_like(f"{REHEARSAL}%")]
    return conditions if currency is None else [*conditions, InvoiceRow.currency == currency]


def _exact(amount: InstrumentedAttribute[Decimal]) -> ColumnElement[Decimal]:
    return type_coerce(amount, ExactAmount())


class _Reading:
    """One reading of all that is recorded. Money comes before promises, which count it."""

    def __init__(self, session: Session, currency: str | None) -> None:
        self._session = session
        self.ledgers: dict[str, Ledger] = {}
        self._known: dict[str, tuple[Receivable, Ledger]] = {}
        self._read_invoices(currency)
        self._read_standings()
        self._read_money()
        self._read_promises()

    def _read_invoices(self, currency: str | None) -> None:
        row = InvoiceRow
        query = select(
            row.invoice_id,
            row.currency,
            row.digits,
            row.issued_on,
            _exact(row.amount),
            row.due_on,
            row.policy_name,
            row.policy_version,
        ).where(*of_no_rehearsal(currency))
        tolerances = {
            (policy.name, policy.version): policy.body.get("tolerance", 0)
            for policy in self._session.scalars(select(PolicyRow))
        }
        for invoice_id, code, digits, issued_on, amount, due_on, name, version in self._session.execute(query):
            ledger = self.ledgers.get(code) or self.ledgers.setdefault(code, Ledger(code, digits))
            tolerance = tolerated(tolerances.get((name, version), 0), digits)
            invoice = Receivable(invoice_id, issued_on, [Standing(_ALWAYS, amount, due_on, tolerance)])
            ledger.invoices.append(invoice)
            self._known[invoice_id] = invoice, ledger

    def _read_standings(self) -> None:
        row = StandingRow
        query = select(
            row.invoice_id,
            row.since,
            row.amount,
            row.due_on,
            row.tolerance,
            row.end,
            row.disputed,
            row.beside_principal,
        ).order_by(row.invoice_id, row.number)
        for invoice_id, since, amount, due_on, tolerance, end, disputed, beside in self._session.execute(query):
            if invoice_id in self._known:
                standing = Standing(since, amount, due_on, tolerance, end, disputed, beside)
                self._known[invoice_id][0].standings.append(standing)

    def _read_money(self) -> None:
        came = self._read_payments()
        given = self._read_uses_of_credit()
        for row in self._session.scalars(select(ReversalRow)):
            payment = came.get((row.invoice_id, row.payment_id))
            if payment is None:
                continue
            at = max(payment.at, row.at if row.recorded_at is None else min(row.at, row.recorded_at))
            movement = Movement(at, -row.amount, row.payment_id, payment.by_credit)
            self._known[row.invoice_id][0].movements.append(movement)
            use = given.get(row.payment_id)
            if use is not None and use.to_invoice == row.invoice_id:
                self._give(use.from_invoice, at, -row.amount)  # it is credit again
        for invoice, _ in self._known.values():
            if len(invoice.movements) > 1:
                invoice.movements.sort(key=lambda one: (one.at, -one.amount, one.payment_id))

    def _read_payments(self) -> dict[tuple[str, str], Movement]:
        came, row = {}, PaymentRow
        query = select(
            row.invoice_id, row.payment_id, _exact(row.amount), row.received_at, row.recorded_at, row.method
        )
        for invoice_id, payment_id, amount, received_at, recorded_at, method in self._session.execute(query):
            if invoice_id in self._known:
                at = received_at if recorded_at is None else min(received_at, recorded_at)
                came[invoice_id, payment_id] = movement = Movement(at, amount, payment_id, method == BY_CREDIT)
                self._known[invoice_id][0].movements.append(movement)
        return came

    def _read_uses_of_credit(self) -> dict[str, CreditUseRow]:
        found = {row.credit_id: row for row in self._session.scalars(select(CreditUseRow))}
        for row in found.values():
            self._give(row.from_invoice, row.at, row.amount)
        return found

    def _give(self, invoice_id: str, at: datetime, amount: Decimal) -> None:
        if invoice_id in self._known:
            self._known[invoice_id][0].given.append((at, amount))

    def _read_promises(self) -> None:
        row = PromiseRow
        query = select(
            row.invoice_id, row.made_at, row.date, row.amount, row.state, row.settled_at, row.earlier
        ).order_by(row.invoice_id, row.number)
        for invoice_id, made_at, day, amount, state, settled_at, earlier in self._session.execute(query):
            if invoice_id in self._known:
                invoice, ledger = self._known[invoice_id]
                movements = tuple(invoice.movements)
                promised = Promised(made_at, day, amount, state, settled_at, frozenset(earlier), movements)
                ledger.promises.append(promised)


def ledgers(session: Session, currency: str | None = None) -> dict[str, Ledger]:
    """Return the ledger of each currency, or of one if it has any invoice, by currency."""
    return _Reading(session, currency).ledgers


def currencies(session: Session) -> Sequence[str]:
    """Return the currencies of all invoices but those of rehearsals, that with most invoices first."""
    row = InvoiceRow
    query = select(row.currency).where(*of_no_rehearsal(None)).group_by(row.currency)
    return session.scalars(query.order_by(func.count().desc(), row.currency)).all()


class Unmatched(NamedTuple):
    """Money that came in and belonged to no invoice yet. `oldest`: since when the first of it was known."""

    amount: Decimal
    payments: int
    oldest: datetime | None


def unmatched(session: Session, currency: str, moment: datetime) -> Unmatched:
    """Return the money in a currency that waited for a decision at a moment."""
    row = IncomingPaymentRow
    waits = row.state.in_(WAITING)
    query = select(row.amount, row.since).where(
        row.currency == currency, row.since <= moment, or_(waits, row.decided_at > moment)
    )
    found = session.execute(query).all()
    oldest = min((since for _, since in found), default=None)
    return Unmatched(sum((amount for amount, _ in found), Decimal(0)), len(found), oldest)

"""The events of billing systems and payment providers, each stored once, and the subjects they are about.

Payments that wait because nobody knows their invoice are subjects in the state `waiting`: `waiting` lists them.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.billing_events import BillingEvent, Fact, SubjectKind, SubjectState
from dunwell.domain.provider_payment import Booked
from dunwell.store import payments
from dunwell.store.tables import BillingEventRow, BillingSubjectRow, CaseRow, InvoiceRow, PaymentRow

_FACT: TypeAdapter[Fact] = TypeAdapter(Fact)


def known(session: Session, provider: str, event_ids: Collection[str]) -> set[str]:
    """Return which of these events are stored already."""
    query = select(BillingEventRow.event_id).where(
        BillingEventRow.provider == provider, BillingEventRow.event_id.in_(event_ids)
    )
    return set(session.scalars(query))


def add(session: Session, provider: str, event: BillingEvent, now: datetime) -> None:
    """Store a new event, and make due what it is about and what depends on it.

    Raises IntegrityError when another transaction has just stored it.
    """
    session.add(
        BillingEventRow(
            provider=provider,
            event_id=event.event_id,
            subject=event.subject,
            related=event.related,
            kind=event.kind,
            fact=event.fact.model_dump(mode="json"),
            at=event.at,
            received_at=now,
        )
    )
    _make_due(session, provider, event.subject, event.subject_kind, now)
    if event.related is not None:
        _make_due(session, provider, event.related, SubjectKind.INVOICE, now)
    if event.subject_kind is SubjectKind.INVOICE:
        for subject in payments_for(session, provider, event.subject):
            _make_due(session, provider, subject, SubjectKind.PAYMENT, now)
    session.flush()


def _make_due(session: Session, provider: str, subject: str, kind: SubjectKind, now: datetime) -> None:
    row = session.get(BillingSubjectRow, (provider, subject))
    if row is None:
        session.add(
            BillingSubjectRow(
                provider=provider,
                subject=subject,
                kind=kind,
                state=SubjectState.DUE,
                applied={},
                since=now,
                version=1,
                attempts=0,
                next_at=now,
            )
        )
        session.flush()
        return
    row.version += 1
    if row.state is not SubjectState.DISMISSED:
        row.state, row.attempts = SubjectState.DUE, 0
        row.next_at = now if row.next_at is None else min(row.next_at, now)


def again(session: Session, provider: str, subject: str, now: datetime) -> None:
    """Make a subject due that is known. Does nothing for any other."""
    row = session.get(BillingSubjectRow, (provider, subject))
    if row is not None:
        _make_due(session, provider, subject, row.kind, now)


def due(session: Session, now: datetime, most: int) -> Sequence[tuple[str, str, SubjectKind]]:
    """Return provider, subject and kind of what is to be applied now, oldest first."""
    row = BillingSubjectRow
    query = select(row.provider, row.subject, row.kind).where(row.next_at <= now)
    found = session.execute(query.order_by(row.next_at, row.subject).limit(most))
    return [(provider, subject, SubjectKind(kind)) for provider, subject, kind in found]


def take(session: Session, provider: str, subject: str, now: datetime, until: datetime) -> BillingSubjectRow | None:
    """Take a subject, so that no other process applies it before `until`. None when it is not due any more."""
    query = select(BillingSubjectRow).where(
        BillingSubjectRow.provider == provider,
        BillingSubjectRow.subject == subject,
        BillingSubjectRow.next_at <= now,
    )
    row = session.scalars(query.with_for_update()).first()
    if row is not None:
        row.next_at = until
        session.flush()
    return row


def settle(
    session: Session,
    taken: BillingSubjectRow,
    state: SubjectState,
    *,
    invoice_id: str | None,
    reason: str | None,
    applied: dict[str, Any],
    next_at: datetime | None,
    now: datetime,
) -> None:
    """Note what came of applying it. When a new event arrived meanwhile, it stays due."""
    row = session.get(BillingSubjectRow, (taken.provider, taken.subject), with_for_update=True)
    if row is None:
        return
    row.applied = applied
    if row.decided_at == taken.decided_at:
        row.invoice_id, row.reason = invoice_id or row.invoice_id, reason
    elif invoice_id not in {None, row.invoice_id} and row.undone_from is None:
        row.undone_from = invoice_id  # a person decided otherwise while this case was told
    if row.version != taken.version:
        row.state, row.next_at = SubjectState.DUE, now
    else:
        row.state, row.next_at, row.attempts = state, next_at, row.attempts + 1
    session.flush()


def note_telling(session: Session, taken: BillingSubjectRow, telling: dict[str, Any]) -> None:
    """Note what the case of a payment is about to be told."""
    row = session.get(BillingSubjectRow, (taken.provider, taken.subject), with_for_update=True)
    if row is not None:
        row.applied = telling
        session.flush()


def note_taken_back(session: Session, taken: BillingSubjectRow) -> None:
    """Note that the case of its former invoice has given the payment back."""
    row = session.get(BillingSubjectRow, (taken.provider, taken.subject), with_for_update=True)
    if row is not None and row.undone_from == taken.undone_from:
        row.undone_from = None
        session.flush()


def lately_decided(session: Session, states: Collection[SubjectState], most: int) -> Sequence[BillingSubjectRow]:
    """Return the payments in these states about which a person decided last, the latest first."""
    query = select(BillingSubjectRow).where(
        BillingSubjectRow.kind == SubjectKind.PAYMENT,
        BillingSubjectRow.state.in_(states),
        BillingSubjectRow.decided_at.is_not(None),
    )
    return session.scalars(query.order_by(BillingSubjectRow.decided_at.desc()).limit(most)).all()


def get(session: Session, provider: str, subject: str) -> BillingSubjectRow | None:
    return session.get(BillingSubjectRow, (provider, subject))


def facts(session: Session, provider: str, subject: str) -> list[Fact]:
    """Return everything that was said of a subject, oldest first."""
    query = select(BillingEventRow.fact).where(
        BillingEventRow.provider == provider, BillingEventRow.subject == subject
    )
    rows = session.scalars(query.order_by(BillingEventRow.at, BillingEventRow.event_id))
    return [_FACT.validate_python(fact) for fact in rows]


def payments_for(session: Session, provider: str, billed: str) -> Sequence[str]:
    """Return the payments that are for the provider's invoice `billed`."""
    query = select(BillingEventRow.subject).where(
        BillingEventRow.provider == provider, BillingEventRow.related == billed, BillingEventRow.subject != billed
    )
    return session.scalars(query.distinct().order_by(BillingEventRow.subject)).all()


def billed_for(session: Session, provider: str, payment: str) -> Sequence[str]:
    """Return the provider's invoices that a payment is for."""
    query = select(BillingEventRow.related).where(
        BillingEventRow.provider == provider, BillingEventRow.subject == payment, BillingEventRow.related.is_not(None)
    )
    return [name for name in session.scalars(query.distinct().order_by(BillingEventRow.related)) if name]


def waiting(session: Session, kind: SubjectKind | None = None) -> Sequence[BillingSubjectRow]:
    """Return what waits, oldest first: money and invoices that no case has got, each with its reason."""
    query = select(BillingSubjectRow).where(BillingSubjectRow.state == SubjectState.WAITING)
    if kind is not None:
        query = query.where(BillingSubjectRow.kind == kind)
    return session.scalars(query.order_by(BillingSubjectRow.since, BillingSubjectRow.subject)).all()


# Our invoices and what is booked on them ------------------------------------------------------------------


def real_invoices(session: Session, *, invoice_id: str | None = None, number: str | None = None) -> Sequence[str]:
    """Return the ids of our invoices with this id or this number; those of rehearsals are none."""
    query = (
        select(InvoiceRow.invoice_id)
        .join(CaseRow, CaseRow.invoice_id == InvoiceRow.invoice_id)
        .where(CaseRow.takes_reported_money)
    )
    query = query.where(InvoiceRow.invoice_id == invoice_id if invoice_id else InvoiceRow.number == number)
    return session.scalars(query.order_by(InvoiceRow.invoice_id).limit(10)).all()


def provider_of(session: Session, payment_id: str) -> str | None:
    """Return the billing system or payment provider that reported this payment; None for any other."""
    query = select(BillingSubjectRow.provider).where(
        BillingSubjectRow.subject == payment_id, BillingSubjectRow.kind == SubjectKind.PAYMENT
    )
    return session.scalars(query.order_by(BillingSubjectRow.provider)).first()


def booked_on(session: Session, payment_id: str) -> Sequence[str]:
    """Return the invoices on which a payment of this id is booked."""
    query = select(PaymentRow.invoice_id).where(PaymentRow.payment_id == payment_id)
    return session.scalars(query.order_by(PaymentRow.invoice_id)).all()


def booked(session: Session, invoice_id: str, names: Collection[str], prefix: str | None = None) -> dict[str, Booked]:
    """Return these payments on the invoice as they are booked, by id; with `prefix`, also those that begin so."""
    found = {
        row.payment_id: Booked(row.amount)
        for row in payments.rows(session, invoice_id)
        if row.payment_id in names or (prefix is not None and row.payment_id.startswith(prefix))
    }
    for row in payments.reversals(session, invoice_id):
        if row.payment_id in found:
            found[row.payment_id].reversals[row.key] = (row.amount, row.reason)
    return found


def came_in(session: Session, invoice_id: str, without_methods: Collection[str]) -> dict[str, Decimal]:
    """Return what came in for the invoice by each payment, whatever went back of it, but for these methods."""
    return {
        row.payment_id: row.amount
        for row in payments.rows(session, invoice_id)
        if row.method is None or row.method not in without_methods
    }

"""Incoming payments: what is proposed for them, and what was booked of them.

Call inside a transaction that holds the locks of the customers concerned, except for reading.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from babel.numbers import get_currency_precision
from sqlalchemy import Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import EntryState
from dunwell.domain.incoming import Incoming, ProposalState, Source
from dunwell.domain.matching import Part, Proposal
from dunwell.domain.money import exact_amount
from dunwell.domain.terms import Stage
from dunwell.store.bulk_rows import add_all
from dunwell.store.tables import (
    BankEntryRow,
    BookingRow,
    CaseRow,
    CustomerRow,
    IncomingPaymentRow,
    InvoiceRow,
    MessageInvoiceRow,
    MessageRow,
    PayerAccountRow,
    PaymentRow,
    ProposalPartRow,
    ProposalRow,
    ReversalRow,
)

WAITING = (EntryState.PROPOSED, EntryState.UNMATCHED)
"""The states in which somebody has to decide."""

_AT_ONCE = 500
_AMOUNTS = ("amount", "charges", "ordered")
_SETTLED = (Stage.PAID, Stage.WRITTEN_OFF, Stage.CANCELLED)
_NAMED = (
    select(InvoiceRow.invoice_id, InvoiceRow.number, InvoiceRow.customer_id, CustomerRow.name)
    .join(CaseRow, CaseRow.invoice_id == InvoiceRow.invoice_id)
    .join(CustomerRow, CustomerRow.customer_id == InvoiceRow.customer_id)
    .where(CaseRow.takes_reported_money)
    .order_by(InvoiceRow.invoice_id)
)
_SETTLED_BY_NUMBER = _NAMED.where(
    InvoiceRow.number.in_(bindparam("numbers", expanding=True)), CaseRow.stage.in_(_SETTLED)
)


class NamedInvoice(NamedTuple):
    """An invoice of a real case, with what a payer may call it."""

    invoice_id: str
    number: str
    customer_id: str
    customer_name: str


# The payments ----------------------------------------------------------------------------------------------


def get(session: Session, entry_id: str) -> IncomingPaymentRow | None:
    return session.get(IncomingPaymentRow, entry_id)


def known(session: Session, entry_ids: Collection[str]) -> dict[str, IncomingPaymentRow]:
    """Return those of these payments that are known, by id."""
    rows = session.scalars(select(IncomingPaymentRow).where(IncomingPaymentRow.entry_id.in_(entry_ids)))
    return {row.entry_id: row for row in rows}


def waiting(session: Session) -> Sequence[IncomingPaymentRow]:
    """Return the payments that somebody has to decide about, the oldest first."""
    query = select(IncomingPaymentRow).where(IncomingPaymentRow.state.in_(WAITING))
    return session.scalars(query.order_by(IncomingPaymentRow.since, IncomingPaymentRow.entry_id)).all()


def proposed(session: Session) -> Sequence[str]:
    """Return the ids of the payments with a proposal that somebody has to decide about, the oldest first."""
    query = select(IncomingPaymentRow.entry_id).where(IncomingPaymentRow.state == EntryState.PROPOSED)
    return session.scalars(query.order_by(IncomingPaymentRow.since, IncomingPaymentRow.entry_id)).all()


def lately(session: Session, state: EntryState, most: int) -> Sequence[IncomingPaymentRow]:
    """Return the payments that came into this state last, booked or set aside, the latest first."""
    query = select(IncomingPaymentRow).where(IncomingPaymentRow.state == state)
    return session.scalars(query.order_by(IncomingPaymentRow.decided_at.desc()).limit(most)).all()


def refused_by_cases(session: Session) -> Sequence[IncomingPaymentRow]:
    """Return booked payments that a case does not take, the oldest first."""
    query = (
        select(IncomingPaymentRow)
        .join(BookingRow, BookingRow.entry_id == IncomingPaymentRow.entry_id)
        .where(BookingRow.refused.is_not(None), BookingRow.undone_at.is_(None))
    )
    return session.scalars(query.order_by(IncomingPaymentRow.since, IncomingPaymentRow.entry_id)).unique().all()


def undecided(session: Session) -> Sequence[IncomingPaymentRow]:
    """Return the payments that somebody has to decide about, the oldest first, then those that a case refuses."""
    return [*waiting(session), *refused_by_cases(session)]


def overdue(session: Session, now: datetime) -> Sequence[IncomingPaymentRow]:
    """Return the undecided payments that are a person's task by now."""
    return [row for row in undecided(session) if row.ask_at <= now]


def to_try_again(session: Session, since: datetime | None) -> Sequence[str]:
    """Return the ids of unmatched payments that came since then and that nobody has decided about.

    With those whose booking was undone since then, once their cases know of that. since  None: these alone
    """
    undone = exists().where(
        BookingRow.entry_id == IncomingPaymentRow.entry_id, BookingRow.undone_at == IncomingPaymentRow.decided_at
    )
    untold = exists().where(
        BookingRow.entry_id == IncomingPaymentRow.entry_id,
        BookingRow.undone_at.is_not(None),
        BookingRow.undone_told_at.is_(None),
    )
    again = and_(undone, ~untold)
    wanted = again
    if since is not None:
        fresh = and_(IncomingPaymentRow.decided_by.is_(None), IncomingPaymentRow.since >= since)
        wanted = or_(fresh, and_(again, IncomingPaymentRow.decided_at >= since))
    query = select(IncomingPaymentRow.entry_id).where(IncomingPaymentRow.state == EntryState.UNMATCHED, wanted)
    return session.scalars(query.order_by(IncomingPaymentRow.since)).all()


def add(session: Session, incoming: Incoming, now: datetime, ask_at: datetime) -> IncomingPaymentRow:
    """Keep a payment, unmatched. Raises IntegrityError when another transaction has just kept it."""
    row = IncomingPaymentRow(
        entry_id=incoming.entry_id,
        **incoming.model_dump(exclude={"texts"}),
        texts=list(incoming.texts),
        state=EntryState.UNMATCHED,
        why="",
        since=now,
        ask_at=ask_at,
    )
    session.add(row)
    session.flush()
    return row


def incoming_of(row: IncomingPaymentRow) -> Incoming:
    """Return the payment as its source told it: the database pads its amounts with zeros."""
    facts = {name: getattr(row, name) for name in Incoming.model_fields if name not in {"texts", *_AMOUNTS}}
    for name in _AMOUNTS:
        padded, digits = getattr(row, name), get_currency_precision(row.currency)
        facts[name] = padded if padded is None else exact_amount(padded, digits) or padded
    return Incoming(**facts, texts=tuple(row.texts))


def set_state(session: Session, row: IncomingPaymentRow, state: EntryState, why: str) -> None:
    """Note how far the payment has come; the movement on our account that it is has the same state."""
    row.state, row.why = state, why
    entry = session.get(BankEntryRow, row.identity) if row.source is Source.BANK else None
    if entry is not None:
        entry.state = state
    session.flush()


# Proposals -------------------------------------------------------------------------------------------------


def propose(session: Session, entry_id: str, proposals: Iterable[Proposal]) -> None:
    """Add proposals, numbered on from those that there are."""
    last = session.scalar(select(func.max(ProposalRow.number)).where(ProposalRow.entry_id == entry_id)) or 0
    for number, one in enumerate(proposals, last + 1):
        session.add(
            ProposalRow(entry_id=entry_id, number=number, reasons=list(one.reasons), state=ProposalState.OPEN)
        )
        session.flush()
        add_all(
            session,
            ProposalPartRow,
            [{"entry_id": entry_id, "number": number, **part.model_dump()} for part in one.parts],
        )


def proposals(session: Session, entry_id: str, state: ProposalState | None = None) -> list[ProposalRow]:
    """Return the proposals for a payment, in the order of their numbers; those in this state if one is given."""
    query = select(ProposalRow).where(ProposalRow.entry_id == entry_id).order_by(ProposalRow.number)
    return [row for row in session.scalars(query) if state is None or row.state == state]


def parts_of(session: Session, proposal: ProposalRow) -> tuple[Part, ...]:
    """Return what a proposal uses of the payment for each invoice."""
    query = select(ProposalPartRow).where(
        ProposalPartRow.entry_id == proposal.entry_id, ProposalPartRow.number == proposal.number
    )
    rows = session.scalars(query.order_by(ProposalPartRow.invoice_id))
    return tuple(Part(invoice_id=row.invoice_id, customer_id=row.customer_id, amount=row.amount) for row in rows)


def invoices_proposed(session: Session, entry_id: str) -> list[str]:
    """Return the invoices of the open proposals for a payment, the first proposal's first."""
    found = [parts_of(session, one) for one in proposals(session, entry_id, ProposalState.OPEN)]
    return list(dict.fromkeys(part.invoice_id for parts in found for part in parts))


def open_for(session: Session, customer_id: str) -> Sequence[IncomingPaymentRow]:
    """Return the payments of which an open proposal is for this customer, the oldest first."""
    query = (
        select(IncomingPaymentRow)
        .join(ProposalRow, ProposalRow.entry_id == IncomingPaymentRow.entry_id)
        .join(
            ProposalPartRow,
            and_(ProposalPartRow.entry_id == ProposalRow.entry_id, ProposalPartRow.number == ProposalRow.number),
        )
        .where(ProposalPartRow.customer_id == customer_id, ProposalRow.state == ProposalState.OPEN)
        .order_by(IncomingPaymentRow.since, IncomingPaymentRow.entry_id)
    )
    return session.scalars(query).unique().all()


# Bookings --------------------------------------------------------------------------------------------------


def book(session: Session, row: IncomingPaymentRow, parts: Iterable[Part], by: str, now: datetime) -> None:
    """Note that the payment is for these invoices."""
    entry_id, attempt = row.entry_id, last_attempt(session, row.entry_id) + 1
    payment_id = incoming_of(row).payment_id(attempt)
    for part in parts:
        session.add(
            BookingRow(
                entry_id=entry_id,
                attempt=attempt,
                payment_id=payment_id,
                by=by,
                at=now,
                **part.model_dump(),
            )
        )
    session.flush()


def last_attempt(session: Session, entry_id: str) -> int:
    """Return how often the payment was booked."""
    return session.scalar(select(func.max(BookingRow.attempt)).where(BookingRow.entry_id == entry_id)) or 0


def bookings(session: Session, entry_id: str) -> Sequence[BookingRow]:
    """Return every booking of a payment, undone ones too, in their order."""
    query = select(BookingRow).where(BookingRow.entry_id == entry_id)
    return session.scalars(query.order_by(BookingRow.attempt, BookingRow.invoice_id)).all()


def booked_as(session: Session, payment_ids: Collection[str]) -> Sequence[BookingRow]:
    """Return every booking under one of these payment ids, of whatever incoming payment, undone ones too."""
    return session.scalars(select(BookingRow).where(BookingRow.payment_id.in_(payment_ids))).all()


def has_unexplained(session: Session, source: Source) -> bool:
    """Return whether an invoice has a payment under an id of this source that no booking explains."""
    return session.scalars(_unexplained(source).limit(1)).first() is not None


def unexplained(session: Session, source: Source, first: datetime, last: datetime) -> Sequence[PaymentRow]:
    """Return such payments that were received in this time, in the order of their ids."""
    query = _unexplained(source).where(PaymentRow.received_at.between(first, last))
    return session.scalars(query.order_by(PaymentRow.payment_id, PaymentRow.invoice_id)).all()


def _unexplained(source: Source) -> Select[PaymentRow]:
    explained = exists().where(
        BookingRow.invoice_id == PaymentRow.invoice_id, BookingRow.payment_id == PaymentRow.payment_id
    )
    return select(PaymentRow).where(PaymentRow.payment_id.startswith(f"{source.value}-"), ~explained)


def standing(session: Session, entry_id: str) -> Sequence[BookingRow]:
    """Return the bookings of a payment that were not undone, in their order."""
    return [one for one in bookings(session, entry_id) if one.undone_at is None]


def on_their_way(session: Session, customer_ids: Collection[str] | None = None) -> Sequence[BookingRow]:
    """Return bookings that stand and that their case was not told of or has not written down, the oldest first."""
    query = (
        select(BookingRow)
        .outerjoin(
            PaymentRow,
            and_(PaymentRow.invoice_id == BookingRow.invoice_id, PaymentRow.payment_id == BookingRow.payment_id),
        )
        # The invoice may have another payment of this id: only the answer of its case says whether that is the same.
        .where(or_(PaymentRow.payment_id.is_(None), BookingRow.told_at.is_(None)))
        .where(BookingRow.undone_at.is_(None), BookingRow.refused.is_(None))
    )
    if customer_ids is not None:
        query = query.where(BookingRow.customer_id.in_(customer_ids))
    return session.scalars(query.order_by(BookingRow.at, BookingRow.entry_id, BookingRow.invoice_id)).all()


def to_take_back(session: Session) -> Sequence[BookingRow]:
    """Return undone bookings of which their case was not told yet, the oldest first."""
    query = select(BookingRow).where(BookingRow.undone_at.is_not(None), BookingRow.undone_told_at.is_(None))
    return session.scalars(query.order_by(BookingRow.undone_at, BookingRow.entry_id, BookingRow.invoice_id)).all()


def taken_back(session: Session, reason: str) -> Sequence[str]:
    """Return the ids of payments with a booking that stands, though its case took it back for this reason."""
    query = (
        select(BookingRow.entry_id)
        .join(
            ReversalRow,
            and_(ReversalRow.invoice_id == BookingRow.invoice_id, ReversalRow.payment_id == BookingRow.payment_id),
        )
        .where(ReversalRow.reason == reason, BookingRow.undone_at.is_(None))
    )
    return session.scalars(query.distinct()).all()


# Whom a payment could be from ------------------------------------------------------------------------------


def learn_account(session: Session, iban: str, customer_id: str, entry_id: str, by: str, now: datetime) -> None:
    """Note that this customer pays from this account. Does nothing when that is known."""
    if session.get(PayerAccountRow, (iban, customer_id)) is None:
        session.add(PayerAccountRow(iban=iban, customer_id=customer_id, entry_id=entry_id, by=by, at=now))
        session.flush()


def forget_accounts(session: Session, entry_id: str) -> None:
    """Forget the accounts that were learned from this payment."""
    for row in session.scalars(select(PayerAccountRow).where(PayerAccountRow.entry_id == entry_id)):
        session.delete(row)
    session.flush()


def customers_paying_from(session: Session, iban: str) -> Sequence[str]:
    """Return the customers that are known to pay from this account."""
    query = select(PayerAccountRow.customer_id).where(PayerAccountRow.iban == iban)
    return session.scalars(query.order_by(PayerAccountRow.customer_id)).all()


def open_invoices(session: Session, customer_ids: Collection[str] | None = None) -> list[NamedInvoice]:
    """Return the open invoices of real cases; of these customers if some are given."""
    query = _NAMED.where(CaseRow.stage.not_in(_SETTLED))
    if customer_ids is not None:
        query = query.where(InvoiceRow.customer_id.in_(customer_ids))
    return [NamedInvoice(*row) for row in session.execute(query)]


def settled_invoices(session: Session, numbers: Collection[str]) -> list[NamedInvoice]:
    """Return the invoices of real cases that have one of these numbers and of which nothing is asked for any more."""
    wanted, found = sorted(numbers), list[NamedInvoice]()
    for first in range(0, len(wanted), _AT_ONCE):
        some = session.execute(_SETTLED_BY_NUMBER, {"numbers": wanted[first : first + _AT_ONCE]})
        found += [NamedInvoice(*row) for row in some]
    return found


def last_claimed(session: Session, invoice_id: str) -> MessageInvoiceRow | None:
    """Return what the newest message claimed of an invoice; None when none claimed anything beside it."""
    query = (
        select(MessageInvoiceRow)
        .join(MessageRow, MessageRow.message_id == MessageInvoiceRow.message_id)
        .where(MessageInvoiceRow.invoice_id == invoice_id, MessageInvoiceRow.claimed.is_not(None))
        .order_by(MessageRow.claimed_at.desc())
        .limit(1)
    )
    return session.scalar(query)

"""Collects what an incoming payment says about invoices: references, numbers, known accounts, names."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.incoming import Incoming, Source
from dunwell.domain.matching import (
    Clues,
    KnownNumbers,
    NumberKey,
    Owed,
    Receipt,
    Settled,
    is_distinctive,
    name_key,
    number_key,
    numbers_in,
    possible_numbers,
)
from dunwell.domain.payment_reference import found_in
from dunwell.store import billing_events, cases, invoices, payment_references, payments
from dunwell.store import incoming_payments as store
from dunwell.store.tables import PaymentRow

_BY_BANK = "told by the bank"

Earlier = Mapping[str, Sequence[Receipt]]
"""What payments that are not kept yet, and go before the one that is looked at, bring to each invoice."""


@dataclass(frozen=True)
class OpenInvoices:
    """The open invoices by what a payer may write of them. Read once for many payments.

    has_lost  whether the ledger may have a payment of the bank that no booking explains
    """

    numbers: KnownNumbers
    names: Mapping[frozenset[str], Sequence[str]]
    has_lost: bool = True

    @classmethod
    def read(cls, session: Session, customer_ids: Collection[str] | None = None) -> "OpenInvoices":
        """Those of these customers, or of all."""
        numbers: dict[NumberKey, list[str]] = {}
        names: dict[frozenset[str], list[str]] = {}
        for one in store.open_invoices(session, customer_ids):
            numbers.setdefault(number_key(one.number), []).append(one.invoice_id)
            if words := name_key(one.customer_name):
                names.setdefault(words, []).append(one.invoice_id)
        has_lost = customer_ids is not None or store.has_unexplained(session, Source.BANK)
        return cls(KnownNumbers.of(numbers), names, has_lost)


def receipt_of(incoming: Incoming, amount: Decimal) -> Receipt:
    """Return so much of a payment as what an invoice gets."""
    return Receipt(amount=amount, on=incoming.received_at.date(), told=_BY_BANK)


def clues_of(session: Session, incoming: Incoming, opened: OpenInvoices, earlier: Earlier | None = None) -> Clues:
    """Return the invoices that a payment could be for, as they stand in this transaction and after `earlier`."""
    earlier = earlier or {}
    texts = [*incoming.texts]
    references = dict.fromkeys(one for text in texts for one in found_in(text))
    issued = payment_references.invoices_of(session, list(references))
    called = opened.names.get(name_key(incoming.payer_name), []) if incoming.payer_name else []
    payers = store.customers_paying_from(session, incoming.payer_iban) if incoming.payer_iban else []
    theirs = [one.invoice_id for one in store.open_invoices(session, payers)] if payers else []
    named = numbers_in(texts, opened.numbers)
    referred = {one: sorted(issued[one]) for one in references if one in issued}
    surely = [*chain.from_iterable(referred.values()), *named]
    every = dict.fromkeys([*surely, *theirs, *called])
    owed = {one.invoice_id: one for one in owed_of(session, every, earlier)}

    def known(ids: Iterable[str]) -> tuple[Owed, ...]:
        return tuple(owed[one] for one in ids if one in owed)

    done = [one for one in surely if _nothing_open(owed, one)]
    closed = [] if surely else _closed_invoices(session, texts)
    return Clues(
        settled=tuple(_settled(session, one, earlier) for one in dict.fromkeys([*done, *closed])),
        references={one: found for one, ids in referred.items() if (found := known(ids))},
        numbers=known(named),
        payers=known(theirs),
        names=known(called),
    )


def _nothing_open(owed: Mapping[str, Owed], invoice_id: str) -> bool:
    return invoice_id in owed and owed[invoice_id].open <= 0


def _closed_invoices(session: Session, texts: Sequence[str]) -> list[str]:
    """Return the invoices whose whole number stands in the texts and of which nothing is asked for any more."""
    numbers: dict[NumberKey, list[str]] = {}
    for one in store.settled_invoices(session, possible_numbers(texts)):
        if is_distinctive(one.number):
            numbers.setdefault(number_key(one.number), []).append(one.invoice_id)
    return numbers_in(texts, KnownNumbers.of(numbers))


def _settled(session: Session, invoice_id: str, earlier: Earlier) -> Settled:
    """Return how an invoice was settled: by the payments that it has, and by those that are on their way to it."""
    invoice, case = invoices.get_row(session, invoice_id), cases.get_row(session, invoice_id)
    assert invoice is not None and case is not None  # found by number or reference in this transaction
    returned = payments.reversed_amounts(session, invoice_id)
    receipts = [
        Receipt(
            amount=round(row.amount, invoice.digits),
            on=row.received_at.date(),
            told=_told(session, row),
        )
        for row in payments.rows(session, invoice_id)
        if returned[row.payment_id] < row.amount
    ]
    receipts += [
        Receipt(amount=round(one.amount, invoice.digits), on=one.at.date(), told=_BY_BANK)
        for one in store.on_their_way(session, {invoice.customer_id})
        if one.invoice_id == invoice_id
    ]
    receipts += earlier.get(invoice_id, ())
    how = "paid" if receipts else case.stage.value.replace("_", " ")
    return Settled(number=invoice.number, currency=invoice.currency, how=how, receipts=tuple(receipts))


def _told(session: Session, row: PaymentRow) -> str:
    """Return who told of a payment, as people read it."""
    provider = billing_events.provider_of(session, row.payment_id)
    if provider is not None:
        return f"reported by {provider.capitalize()}"
    return _BY_BANK if row.method == Source.BANK else f"recorded as {row.payment_id}"


def owed_of(session: Session, invoice_ids: Iterable[str], earlier: Earlier | None = None) -> tuple[Owed, ...]:
    """What is owed of these invoices, less what was booked and is on its way or comes `earlier`; no rehearsals."""
    ids = list(invoice_ids)
    if not ids:  # as of most payments that nobody expects
        return ()
    kept = {name: row for name, row in cases.get_rows(session, ids).items() if row.takes_reported_money}
    registered = invoices.get_rows(session, list(kept))
    coming: dict[str, Decimal] = {}
    for booking in store.on_their_way(session, {row.customer_id for row in kept.values()}) if kept else ():
        coming[booking.invoice_id] = coming.get(booking.invoice_id, Decimal(0)) + booking.amount
    for invoice_id, more in (earlier or {}).items():
        coming[invoice_id] = coming.get(invoice_id, Decimal(0)) + sum((one.amount for one in more), Decimal(0))
    found = []
    for invoice_id in ids:
        row, invoice = kept.get(invoice_id), registered.get(invoice_id)
        if row is None or invoice is None:
            continue
        case = Case.model_validate(row.state)
        known = case.with_paid(payments.paid(session, invoice_id) + coming.get(invoice_id, Decimal(0)))
        claimed = store.last_claimed(session, invoice_id)
        beside = claimed.claimed if claimed is not None and claimed.claimed is not None else Decimal(0)
        found.append(
            Owed(
                invoice_id=invoice_id,
                number=invoice.number,
                customer_id=case.customer_id,
                customer_name=invoices.customer_row(session, case.customer_id).name,
                currency=case.currency,
                open=known.open_amount,
                claimed=round(beside, case.money.digits),
                tolerance=case.tolerance,
                due_on=case.due_on,
            )
        )
    return tuple(found)

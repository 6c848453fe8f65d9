"""Collects what an incoming payment says about invoices: references, numbers, known accounts, names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.incoming import Incoming
from dunwell.domain.matching import Clues, KnownNumbers, NumberKey, Owed, name_key, number_key, numbers_in
from dunwell.domain.payment_reference import found_in
from dunwell.store import cases, invoices, payment_references, payments
from dunwell.store import incoming_payments as store


@dataclass(frozen=True)
class OpenInvoices:
    """The open invoices by what a payer may write of them. Read once for many payments."""

    numbers: KnownNumbers
    names: Mapping[frozenset[str], Sequence[str]]

    @classmethod
    def read(cls, session: Session) -> "OpenInvoices":
        numbers: dict[NumberKey, list[str]] = {}
        names: dict[frozenset[str], list[str]] = {}
        for one in store.open_invoices(session):
            numbers.setdefault(number_key(one.number), []).append(one.invoice_id)
            if words := name_key(one.customer_name):
                names.setdefault(words, []).append(one.invoice_id)
        return cls(KnownNumbers.of(numbers), names)


def clues_of(session: Session, incoming: Incoming, opened: OpenInvoices) -> Clues:
    """Return the invoices that a payment could be for, as they stand in this transaction."""
    texts = [*incoming.texts]
    references = dict.fromkeys(one for text in texts for one in found_in(text))
    issued = payment_references.invoices_of(session, list(references))
    called = opened.names.get(name_key(incoming.payer_name), []) if incoming.payer_name else []
    payers = store.customers_paying_from(session, incoming.payer_iban) if incoming.payer_iban else []
    theirs = [one.invoice_id for one in store.open_invoices(session, payers)] if payers else []
    named = numbers_in(texts, opened.numbers)
    referred = {one: sorted(issued[one]) for one in references if one in issued}
    every = dict.fromkeys([*(one for ids in referred.values() for one in ids), *named, *theirs, *called])
    owed = {one.invoice_id: one for one in owed_of(session, every)}

    def known(ids: Iterable[str]) -> tuple[Owed, ...]:
        return tuple(owed[one] for one in ids if one in owed)

    return Clues(
        references={one: found for one, ids in referred.items() if (found := known(ids))},
        numbers=known(named),
        payers=known(theirs),
        names=known(called),
    )


def owed_of(session: Session, invoice_ids: Iterable[str]) -> tuple[Owed, ...]:
    """What is owed of these invoices, less what was booked and is on its way; without rehearsals."""
    ids = list(invoice_ids)
    kept = {name: row for name, row in cases.get_rows(session, ids).items() if row.takes_reported_money}
    registered = invoices.get_rows(session, list(kept))
    coming: dict[str, Decimal] = {}
    for booking in store.on_their_way(session, {row.customer_id for row in kept.values()}) if kept else ():
        coming[booking.invoice_id] = coming.get(booking.invoice_id, Decimal(0)) + booking.amount
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

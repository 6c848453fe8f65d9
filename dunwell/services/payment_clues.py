"""Collects what an incoming payment says about invoices: references, numbers, known accounts, names."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.incoming import Incoming
from dunwell.domain.matching import Clues, NumberKey, Owed, name_key, number_key, numbers_in
from dunwell.domain.payment_reference import found_in
from dunwell.store import cases, invoices, payment_references, payments
from dunwell.store import incoming_payments as store


@dataclass(frozen=True)
class OpenInvoices:
    """The open invoices by what a payer may write of them. Read once for many payments."""

    numbers: dict[NumberKey, list[str]] = field(default_factory=dict)
    names: dict[frozenset[str], list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session) -> "OpenInvoices":
        found = cls()
        for one in store.open_invoices(session):
            found.numbers.setdefault(number_key(one.number), []).append(one.invoice_id)
            if words := name_key(one.customer_name):
                found.names.setdefault(words, []).append(one.invoice_id)
        return found


def clues_of(session: Session, incoming: Incoming, opened: OpenInvoices) -> Clues:
    """Return the invoices that a payment could be for, as they stand in this transaction."""
    texts = [*incoming.texts]
    references = dict.fromkeys(one for text in texts for one in found_in(text))
    issued = payment_references.invoices_of(session, list(references))
    called = opened.names.get(name_key(incoming.payer_name), []) if incoming.payer_name else []
    payers = store.customers_paying_from(session, incoming.payer_iban) if incoming.payer_iban else []
    theirs = [one.invoice_id for one in store.open_invoices(session, payers)] if payers else []
    return Clues(
        references={
            one: found for one in references if one in issued if (found := owed_of(session, sorted(issued[one])))
        },
        numbers=owed_of(session, numbers_in(texts, opened.numbers)),
        payers=owed_of(session, theirs),
        names=owed_of(session, called),
    )


def owed_of(session: Session, invoice_ids: Iterable[str]) -> tuple[Owed, ...]:
    """What is owed of these invoices, less what was booked and is on its way; without rehearsals."""
    found = []
    for invoice_id in invoice_ids:
        row, case, invoice = cases.get_row(session, invoice_id), cases.get(session, invoice_id), None
        if row is not None and case is not None and not row.rehearsal:
            invoice = invoices.get_row(session, invoice_id)
        if case is None or invoice is None:
            continue
        coming = (
            one.amount for one in store.on_their_way(session, [case.customer_id]) if one.invoice_id == invoice_id
        )
        known = case.with_paid(payments.paid(session, invoice_id) + sum(coming, Decimal(0)))
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

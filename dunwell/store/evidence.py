"""Collects what the database holds about a case, for its evidence file.

Call inside one transaction that holds the customer's lock, so that all facts are of the same moment.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.evidence import HEADER, Fact, digest
from dunwell.domain.policy import PolicyRef
from dunwell.store import cases, credits, invoices, notes, outbox, payment_references, payments, timeline
from dunwell.store.tables import (
    AccessChangeRow,
    Base,
    CaseRow,
    ClosedAddressRow,
    CreditRow,
    HoldRow,
    InvoiceRow,
    MessageInvoiceRow,
    PaymentRow,
    PolicyRow,
    TaskRow,
)


def collect(session: Session, invoice_id: str) -> tuple[Fact, list[Fact]]:
    """Return the header of a case and its facts, table by table. Raises LookupError when there is no case."""
    row, case, invoice = cases.get_row(session, invoice_id), cases.get(session, invoice_id), None
    if row is not None and case is not None:
        invoice = invoices.get_row(session, invoice_id)
    if row is None or case is None or invoice is None:
        raise LookupError(f"invoice {invoice_id!r} has no case: start its file first")
    entries = [entry for _, entry in timeline.read(session, invoice_id)]
    opened = entries[0].at if entries else row.updated_at
    facts = [Fact(kind="timeline", at=entry.at, data=entry.model_dump(exclude={"key", "at"})) for entry in entries]
    facts += _messages(session, invoice_id)
    facts += _closed_addresses(session, invoice_id)
    facts += _promises(case, opened)
    facts += _tasks(session, invoice_id)
    facts += _payments(session, invoice_id)
    facts += _access(session, invoice_id)
    facts += _notes_and_credit(session, invoice_id)
    facts.append(_standing(row, case))
    header = _header(session, invoice, row, case, opened)
    return _rounded(header, case.money.digits), [_rounded(fact, case.money.digits) for fact in facts]


def _rounded(fact: Fact, digits: int) -> Fact:
    """Return the fact with its amounts rounded to `digits` minor units: the database pads them with zeros."""
    data = {
        name: round(value, digits) if isinstance(value, Decimal) and round(value, digits) == value else value
        for name, value in fact.data.items()
    }
    return fact.model_copy(update={"data": data})


def _header(session: Session, invoice: InvoiceRow, row: CaseRow, case: Case, opened: datetime) -> Fact:
    began = PolicyRef(name=invoice.policy_name, version=invoice.policy_version)
    versions = dict.fromkeys([began, *case.former, case.policy])
    data = {
        **_columns(invoice, "policy_name", "policy_version", "customer_id"),
        "customer": invoices.get_customer(session, invoice.customer_id),
        "policies": [_policy(session, ref) for ref in versions],
        "payment_references": payment_references.of_invoice(session, invoice.invoice_id),
        "rehearsal": row.rehearsal,
    }
    return Fact(kind=HEADER, at=opened, data=data)


def _policy(session: Session, ref: PolicyRef) -> dict[str, Any]:
    """Return the body and digest with which this policy version was registered. Raises LookupError if it was not."""
    row = session.get(PolicyRow, (ref.name, ref.version))
    if row is None:
        raise LookupError(f"policy {ref.name}@{ref.version} is not in the database")
    return {"policy": f"{ref.name}@{ref.version}", "digest": row.digest, "body": row.body}


def _messages(session: Session, invoice_id: str) -> Iterator[Fact]:
    mine = outbox.of_invoice(session, invoice_id)
    links = select(MessageInvoiceRow).where(MessageInvoiceRow.message_id.in_([row.message_id for row in mine]))
    carried: dict[str, list[dict[str, Any]]] = {}
    for link in session.scalars(links.order_by(MessageInvoiceRow.invoice_id, MessageInvoiceRow.step)):
        facts = _columns(link, "message_id", "contact_id", "channel")
        carried.setdefault(link.message_id, []).append(facts)
    for row in mine:
        data = _columns(row, "customer_id", "address", "address_key") | {
            "to": row.address,
            "carries": carried[row.message_id],
            "body_sha256": digest(row.body),
            "html_sha256": digest(row.html) if row.html is not None else None,
        }
        yield Fact(kind="message", at=row.claimed_at, data=data)


def _closed_addresses(session: Session, invoice_id: str) -> Iterator[Fact]:
    """Yield when and why an address of this case's messages was closed."""
    used = {(row.channel, row.address_key): row.address for row in outbox.of_invoice(session, invoice_id)}
    for (channel, key), address in sorted(used.items()):
        row = session.get(ClosedAddressRow, (channel, key))
        if row is not None:
            yield Fact(kind="address_closed", at=row.since, data=_columns(row) | {"address": address})


def _promises(case: Case, opened: datetime) -> Iterator[Fact]:
    for number, promise in enumerate(case.agreements.promises, 1):
        data = promise.model_dump() | {"number": number, "currency": case.currency}
        yield Fact(kind="promise", at=promise.made_at or opened, data=data)


def _tasks(session: Session, invoice_id: str) -> Iterator[Fact]:
    query = select(TaskRow).where(TaskRow.invoice_id == invoice_id).order_by(TaskRow.due_at, TaskRow.task_id)
    for row in session.scalars(query):
        yield Fact(kind="task", at=row.due_at, data=_columns(row, "invoice_id"))


def _payments(session: Session, invoice_id: str) -> Iterator[Fact]:
    query = select(PaymentRow).where(PaymentRow.invoice_id == invoice_id)
    for row in session.scalars(query.order_by(PaymentRow.received_at, PaymentRow.payment_id)):
        facts = _columns(row, "invoice_id") | _credit_source(session, row)
        yield Fact(kind="payment", at=row.received_at, data=facts)
        for reversal in payments.reversals(session, invoice_id, row.payment_id):
            less = {"amount": reversal.amount, "reason": reversal.reason, "reversal": reversal.key}
            yield Fact(kind="reversal", at=reversal.at, data=facts | less)


def _credit_source(session: Session, payment: PaymentRow) -> dict[str, Any]:
    """Return the invoice whose credit was applied as this payment, and who did it; empty for other payments."""
    use = credits.get_use(session, payment.payment_id)
    if use is None or use.to_invoice != payment.invoice_id:
        return {}
    return {"from_invoice": use.from_invoice, "by": use.by}


def _access(session: Session, invoice_id: str) -> Iterator[Fact]:
    query = select(HoldRow).where(HoldRow.invoice_id == invoice_id).order_by(HoldRow.placed_at, HoldRow.hold_id)
    for row in session.scalars(query):
        facts = {"hold_id": row.hold_id, "level": row.level}
        yield Fact(kind="hold", at=row.placed_at, data=facts | {"reason": row.reason})
        if row.released_at is not None:
            yield Fact(kind="hold_released", at=row.released_at, data=facts | {"reason": row.release_reason})
    changes = select(AccessChangeRow).where(AccessChangeRow.invoice_id == invoice_id)
    for change in session.scalars(changes.order_by(AccessChangeRow.sequence)):
        yield Fact(kind="access", at=change.at, data=_columns(change, "sequence", "customer_id", "invoice_id"))


def _notes_and_credit(session: Session, invoice_id: str) -> Iterator[Fact]:
    for note in notes.of_invoice(session, invoice_id):
        yield Fact(kind="note", at=note.at, data=_columns(note, "invoice_id"))
    credit = session.get(CreditRow, invoice_id)
    if credit is not None:
        yield Fact(kind="credit", at=credit.at, data=_columns(credit, "invoice_id", "customer_id"))
    for use in credits.uses(session, invoice_id):
        facts = _columns(use, "from_invoice", "at")
        yield Fact(kind="credit_used", at=use.at, data=facts)
        for undone in payments.reversals(session, use.to_invoice, use.credit_id) if use.to_invoice else ():
            yield Fact(kind="credit_undone", at=undone.at, data=facts | {"amount": undone.amount})


def _standing(row: CaseRow, case: Case) -> Fact:
    """Return the state of the case by its latest copy, as far as no other fact says it.

    Unless the invoice was cancelled: amount + beside_principal + credit + credit_used = paid + open + waived +
    written_off + uncovered.
    """
    data = {
        "stage": case.stage,
        "policy": f"{case.policy.name}@{case.policy.version}",
        "amount": case.money.amount,
        "due_on": case.due_on,
        "paid": case.money.paid,
        "open": case.open_amount,
        "waived": case.waived,
        "written_off": case.unpaid - case.open_amount,
        "beside_principal": case.money.beside_principal,
        "accessory": case.accessory,
        "accessory_asked_on": case.accessory_asked_on,
        "credit": case.credit,
        "credit_used": case.money.given,
        "uncovered": case.uncovered,
        "currency": case.currency,
        "access": case.account_access,
        "holds": case.own_holds,
        "plan": case.agreements.plan,
        "dispute": case.agreements.dispute,
        "pause": case.agreements.pause,
        "customer_pause": case.agreements.customer_pause,
        "steps": [*case.progress.former_steps, *case.progress.steps],
        "next_action": case.next_action,
    }
    return Fact(kind="standing", at=row.updated_at, data=data)


def _columns(row: Base, *without: str) -> dict[str, Any]:
    names = [column.name for column in row.__table__.columns]
    return {name: getattr(row, name) for name in names if name not in without}

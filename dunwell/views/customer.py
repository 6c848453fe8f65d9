"""Everything about a customer: invoices, people with their standing, credit, holds, tasks and messages."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import CLOSABLE
from dunwell.domain.consent import Consent
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.people import Person, asked, is_third_party
from dunwell.domain.terms import DebtorKind
from dunwell.store import addresses, cases, contacts, customer_pauses, invoices
from dunwell.store.tables import CaseRow, CorrectionRow, CustomerPauseRow, InvoiceRow, MessageRow
from dunwell.views.account import access_facts
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_customer
from dunwell.views.names import user_name
from dunwell.views.outbox import of_customer
from dunwell.views.work_list import work_of

_MOST_MESSAGES = 200


def customer_facts(session: Session, customer_id: str) -> Facts:
    """Everything that concerns the customer. Raises Refused when nobody registered this customer."""
    find_customer(session, customer_id)
    customer = invoices.find_customers(session, [customer_id])[customer_id]
    rows = session.scalars(
        select(InvoiceRow)
        .where(InvoiceRow.customer_id == customer_id)
        .order_by(InvoiceRow.due_on, InvoiceRow.invoice_id)
    ).all()
    people = contacts.people(session, [customer_id])[customer_id]
    corrections = contacts.corrections(session, [customer_id])
    kept = cases.get_rows(session, [row.invoice_id for row in rows])
    about = _asked_about(session, rows, people, customer.kind)
    listed = [_invoice(row, kept.get(row.invoice_id), about[row.invoice_id]) for row in rows]
    pause = customer_pauses.get(session, customer_id)
    return {
        **customer.model_dump(mode="json", exclude={"contacts"}),
        "rehearsal": is_rehearsal(customer_id),
        **access_facts(session, customer_id),
        "pause": _pause(session, pause) if pause else None,
        "corrected": _corrected(session, corrections, ""),
        "contacts": [_contact(session, one, corrections, about, is_rehearsal(customer_id)) for one in people],
        "invoices": listed,
        "credit": [
            {"invoice_id": one["invoice_id"], "amount": one["credit"], "currency": one["currency"]}
            for one in listed
            if one["credit"]
        ],
        "tasks": work_of(session, [row.invoice_id for row in rows]),
        "messages": [_message(row) for row in of_customer(session, customer_id, _MOST_MESSAGES)],
    }


def _asked_about(
    session: Session, rows: Sequence[InvoiceRow], people: Sequence[Person], kind: DebtorKind | None
) -> dict[str, list[str]]:
    """Who may be written to about each invoice: nobody who is told nothing of a private person's debts."""
    found = contacts.namings(session, rows)
    told = [one for one in people if not is_third_party(kind, one.contact.role)]
    return {row.invoice_id: [one.contact_id for one in asked(told, found[row.invoice_id])] for row in rows}


def _invoice(row: InvoiceRow, kept: CaseRow | None, people: Sequence[str]) -> Facts:
    case = Case.model_validate(kept.state) if kept else None
    return {
        "invoice_id": row.invoice_id,
        "number": row.number,
        "stage": case.stage.value if case else None,
        "amount": case.money.amount if case else row.amount,
        "amount_due": case.open_amount if case else row.amount,
        "credit": _credit(case),
        "currency": row.currency,
        "due_on": case.due_on if case else row.due_on,
        "next_step": kept.next_step if kept else None,
        "next_at": kept.next_at if kept else None,
        "contacts": list(people),
    }


def _credit(case: Case | None) -> Any:
    return case.credit if case is not None and case.credit > 0 else None


def _contact(
    session: Session,
    person: Person,
    corrections: Sequence[CorrectionRow],
    about: dict[str, list[str]],
    rehearsal: bool,
) -> Facts:
    contact = person.contact
    closed = {}
    for channel in CLOSABLE:
        address = contact.address(channel)
        why = addresses.why_closed(session, channel, address, rehearsal=rehearsal) if address else None
        if why:
            closed[channel.value] = why
    state = "closed" if person.closed_at else "retired" if person.retired_at else "current"
    return {
        **contact.model_dump(mode="json"),
        "whatsapp_opt_in": Consent.parse(contact.whatsapp_opt_in).model_dump() if contact.whatsapp_opt_in else None,
        "state": state,
        "since": person.closed_at or person.retired_at,
        "by": user_name(session, person.closed_by),
        "reason": person.closed_why,
        "added_by": user_name(session, person.added_by),
        "addresses_closed": closed,
        "corrected": _corrected(session, corrections, contact.contact_id),
        "invoices": [invoice_id for invoice_id, people in about.items() if contact.contact_id in people],
    }


def _pause(session: Session, row: CustomerPauseRow) -> Facts:
    return {"reason": row.reason, "by": user_name(session, row.by), "until": row.until, "since": row.since}


def _corrected(session: Session, corrections: Sequence[CorrectionRow], contact_id: str) -> list[Facts]:
    return [
        {"field": row.field, "exported": row.exported, "by": user_name(session, row.by), "at": row.at}
        for row in corrections
        if row.contact_id == contact_id
    ]


def _message(row: MessageRow) -> Facts:
    return {
        "message_id": row.message_id,
        "step": row.step,
        "message": row.message,
        "channel": row.channel,
        "contact": row.contact_id or None,
        "to": row.address,
        "state": row.state,
        "reason": row.reason,
        "subject": row.subject or None,
        "at": row.sent_at or row.claimed_at,
    }

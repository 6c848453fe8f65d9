"""The list of cases as people read it, the next to act first."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.terms import Stage
from dunwell.store import accounts, cases, reconciliations
from dunwell.store.tables import CaseRow, CustomerRow, InvoiceRow
from dunwell.views.facts import Facts


def listed(session: Session, stage: Stage | None = None) -> list[Facts]:
    """All cases, or those of a stage, with the access of each one's account."""
    levels: dict[str, str] = {}
    interrupted = reconciliations.interrupted(session)
    found = []
    for row, invoice, customer in cases.rows(session, stage.value if stage else None):
        if customer.customer_id not in levels:
            levels[customer.customer_id] = accounts.access(session, customer.customer_id).value
        found.append(
            _case_facts(session, row, invoice, customer, interrupted) | {"access": levels[customer.customer_id]}
        )
    return found


def case_page(session: Session, stage: Stage | None, after: str | None, most: int) -> list[Facts]:
    """Cases as `listed` has them, or those of a stage, by invoice id: those after the id `after`, at most `most`."""
    rows, interrupted = cases.page(session, stage, after, most), reconciliations.interrupted(session)
    holds = accounts.open_holds_of(session, {customer.customer_id for _, _, customer in rows})
    return [
        _case_facts(session, row, invoice, customer, interrupted)
        | {"access": accounts.access_by(holds.get(customer.customer_id, [])).value}
        for row, invoice, customer in rows
    ]


def _case_facts(
    session: Session,
    row: CaseRow,
    invoice: InvoiceRow,
    customer: CustomerRow,
    interrupted: Mapping[str, datetime],
) -> Facts:
    """`interrupted`: when the last comparison found the case without its run; a case written since then goes on."""
    found_at = interrupted.get(row.invoice_id)
    case = cases.get(session, row.invoice_id)
    return {
        "invoice_id": row.invoice_id,
        "number": invoice.number,
        "customer_id": customer.customer_id,
        "customer": customer.name,
        "amount_due": case.open_amount if case else invoice.amount,
        "credit": case.credit if case else Decimal(0),
        "currency": invoice.currency,
        "due_on": case.due_on if case else invoice.due_on,
        "stage": row.stage,
        "next_step": row.next_step,
        "next_at": row.next_at,
        "rehearsal": row.rehearsal,
        "interrupted": found_at is not None and (row.rehearsal or row.updated_at < found_at),
    }

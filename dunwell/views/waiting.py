"""What waits for a person besides tasks: messages with an unknown fate, cases in trouble, credit, findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.next_action import LOOK_AGAIN
from dunwell.domain.terms import MessageState, Stage
from dunwell.store.tables import (
    CaseRow,
    CreditRow,
    CustomerRow,
    InvoiceRow,
    MessageInvoiceRow,
    MessageRow,
    ReconciliationRow,
)
from dunwell.views.facts import Facts

_ASKING = [Stage.SCHEDULED.value, Stage.CHASING.value, Stage.LEGAL.value]


@dataclass(frozen=True)
class Waiting:
    """What waits, group by group.

    unknown   messages of which nobody knows whether they left
    trouble   cases that cannot be planned, or that ask for money and have no step left
    credits   what was overpaid and is neither applied nor returned
    findings  what the latest comparison with Temporal found and did not repair
    """

    unknown: Sequence[Facts]
    trouble: Sequence[Facts]
    credits: Sequence[Facts]
    findings: Sequence[Facts]

    @property
    def total(self) -> int:
        return len(self.unknown) + len(self.trouble) + len(self.credits) + len(self.findings)


def what_waits(session: Session) -> Waiting:
    """Return what waits, none of rehearsals."""
    return Waiting(_unknown(session), _trouble(session), _credits(session), _findings(session))


def _unknown(session: Session) -> list[Facts]:
    query = (
        select(MessageRow, MessageInvoiceRow.invoice_id, CustomerRow.name)
        .join(MessageInvoiceRow, MessageInvoiceRow.message_id == MessageRow.message_id)
        .join(CustomerRow, CustomerRow.customer_id == MessageRow.customer_id)
        .where(MessageRow.state == MessageState.UNKNOWN)
        .order_by(MessageRow.claimed_at, MessageRow.message_id)
    )
    found: dict[str, Facts] = {}
    for row, invoice_id, name in session.execute(query):
        if not is_rehearsal(row.customer_id):
            facts = {"message_id": row.message_id, "customer": name, "channel": row.channel, "at": row.claimed_at}
            found.setdefault(row.message_id, facts | {"invoice_id": invoice_id, "reason": row.reason})
    return list(found.values())


def _trouble(session: Session) -> list[Facts]:
    query = (
        select(CaseRow, InvoiceRow.number, CustomerRow.name)
        .join(InvoiceRow, InvoiceRow.invoice_id == CaseRow.invoice_id)
        .join(CustomerRow, CustomerRow.customer_id == CaseRow.customer_id)
        .where(
            CaseRow.rehearsal.is_(False),
            or_(CaseRow.next_step == LOOK_AGAIN, CaseRow.next_at.is_(None) & CaseRow.stage.in_(_ASKING)),
        )
        .order_by(CaseRow.updated_at, CaseRow.invoice_id)
    )
    return [
        {
            "invoice_id": row.invoice_id,
            "number": number,
            "customer": name,
            "stage": row.stage,
            "why": "cannot be planned" if row.next_step == LOOK_AGAIN else "no step is left",
        }
        for row, number, name in session.execute(query)
    ]


def _credits(session: Session) -> list[Facts]:
    query = (
        select(CreditRow, InvoiceRow.number, InvoiceRow.digits, CustomerRow.name)
        .join(InvoiceRow, InvoiceRow.invoice_id == CreditRow.invoice_id)
        .join(CustomerRow, CustomerRow.customer_id == CreditRow.customer_id)
        .order_by(CreditRow.at, CreditRow.invoice_id)
    )
    return [
        {
            "invoice_id": row.invoice_id,
            "customer_id": row.customer_id,
            "number": number,
            "customer": name,
            "amount": round(row.amount, digits),
            "currency": row.currency,
            "since": row.at,
        }
        for row, number, digits, name in session.execute(query)
        if not is_rehearsal(row.customer_id)
    ]


def _findings(session: Session) -> list[Facts]:
    last = session.scalars(select(ReconciliationRow).order_by(ReconciliationRow.pass_id.desc()).limit(1)).first()
    found: list[Any] = last.findings if last is not None else []
    return [one for one in found if not one.get("mended")]

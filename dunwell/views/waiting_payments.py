"""The payments and invoices that were reported and that no case has got, with what is missing."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.billing_events import BilledInvoice, Fact, Paid, RefundedInAll, SubjectKind, TakenBack
from dunwell.store import billing_events
from dunwell.views.facts import Facts


def waiting_payments(session: Session, now: datetime) -> list[Facts]:
    """Return what waits, oldest first. `amount` None: nobody has said yet what it is over."""
    found = []
    for row in billing_events.waiting(session):
        facts = billing_events.facts(session, row.provider, row.subject)
        amount, currency = _amount(facts)
        found.append(
            {
                "source": row.provider,
                "id": row.subject,
                "kind": row.kind.value,
                "amount": amount,
                "currency": currency,
                "taken_back": row.kind is SubjectKind.PAYMENT and not any(isinstance(one, Paid) for one in facts),
                "since": row.since,
                "age_days": max(0, (now - row.since).days),
                "why": row.reason or "",
                "next_try": row.next_at,
            }
        )
    return found


def _amount(facts: list[Fact]) -> tuple[Decimal | None, str | None]:
    kinds = (Paid, BilledInvoice, TakenBack, RefundedInAll)
    told = [one for kind in kinds for one in facts if isinstance(one, kind)]
    return (told[0].amount, told[0].currency) if told else (None, None)

"""Fills in the events of credit that people apply or return by command or API."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.events import CreditReturned
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused, refusal_of
from dunwell.services import credits as credit_service
from dunwell.store import audit, cases, credits
from dunwell.store.database import Database
from dunwell.views.case_status import stored_status
from dunwell.views.lookup import find_invoice
from workflows.status import Status


def to_apply(
    session: Session, from_invoice: str, to_invoice: str, amount: str | None, by: str, request_id: str | None
) -> dict[str, Any]:
    """The fields of `credit_applied`: without an amount all that both sides allow, or that this request took before.

    The same request gets the same credit id. Raises Refused when an invoice is unknown or has no credit.
    """
    giver, taker = _case(session, from_invoice), _case(session, to_invoice)
    identity = _credit_id(from_invoice, to_invoice, request_id)
    possible = min(giver.credit, taker.open_amount) or giver.credit
    content = {"credit_id": identity, "amount": amount or _amount(session, giver, identity, possible), "by": by}
    return content | {"from_invoice": from_invoice, "currency": giver.currency}


def to_return(
    session: Session, invoice_id: str, amount: str | None, by: str, request_id: str | None
) -> dict[str, Any]:
    """The fields of `credit_returned`, likewise: without an amount all of it."""
    case = _case(session, invoice_id)
    identity = _credit_id(invoice_id, "", request_id)
    content = {"credit_id": identity, "amount": amount or _amount(session, case, identity, case.credit), "by": by}
    return content | {"currency": case.currency}


def _amount(session: Session, giver: Case, identity: str, possible: Decimal) -> str:
    known = credits.get_use(session, identity)
    if known is not None:
        return str(round(known.amount, giver.money.digits))
    if possible == 0:
        reason = f"{giver.invoice_id} has no credit; `starter.py list` shows where there is some"
        raise Refused("from_invoice", reason)
    return str(possible)


def _credit_id(from_invoice: str, to_invoice: str, request_id: str | None) -> str:
    request_key = request_id or uuid4().hex
    return f"credit-{sha256(f'{from_invoice}/{to_invoice}/{request_key}'.encode()).hexdigest()[:16]}"


def give_back(database: Database, invoice_id: str, content: dict[str, Any], principal: Principal) -> Status:
    """Note that credit was paid back to the customer, and return how the case stands. Raises Refused."""
    try:
        event = CreditReturned.model_validate(content)
    except ValidationError as error:
        raise refusal_of(error) from None
    with database.reading() as session:
        customer_id = find_invoice(session, invoice_id).customer_id
    with database.writing(customer_id) as session:
        row = cases.get_row(session, invoice_id)
        now = row.updated_at if row and row.rehearsal else datetime.now(UTC)
        credit_service.give_back(session, invoice_id, event.credit_id, event.amount, event.currency, event.by, now)
        about, details = f"invoice/{invoice_id}", event.model_dump(mode="json")
        key = f"credit_returned.{event.credit_id}"[:100]
        audit.append(session, principal, about, "credit_returned", datetime.now(UTC), key=key, details=details)
    return stored_status(database, invoice_id)


def _case(session: Session, invoice_id: str) -> Case:
    find_invoice(session, invoice_id)
    case = cases.get(session, invoice_id)
    if case is None:
        raise Refused("invoice", f"{invoice_id!r} is registered, but its case was never opened: start its file again")
    return case

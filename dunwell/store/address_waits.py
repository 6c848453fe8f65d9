"""The queue of steps at each address. Call inside a transaction that holds the address's lock."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.store.tables import CaseRow, WaitRow

_AT = (
    select(WaitRow)
    .join(CaseRow, CaseRow.invoice_id == WaitRow.invoice_id)
    .where(
        WaitRow.address_key.in_(bindparam("keys", expanding=True)),
        WaitRow.until > bindparam("since"),
        CaseRow.next_step == WaitRow.step,
    )
    .order_by(WaitRow.since, WaitRow.invoice_id)
)
_OF_INVOICE = select(WaitRow).where(WaitRow.invoice_id == bindparam("invoice_id"))
_OF_INVOICES = delete(WaitRow).where(WaitRow.invoice_id.in_(bindparam("invoice_ids", expanding=True)))


def at(session: Session, keys: Collection[str], since: datetime) -> Sequence[WaitRow]:
    """Return the steps queued at these addresses until a time after `since`, the longest queued first.

    A step that is no longer its case's next step is left out.
    """
    return session.scalars(_AT, {"keys": sorted(keys), "since": since}).all() if keys else []


def put(
    session: Session,
    case: Case,
    step: str,
    keys: Collection[str],
    *,
    urgent: bool,
    now: datetime,
    until: datetime,
) -> None:
    """Queue this step at these addresses, and at no others, until then. A queued step keeps its place."""
    known = {row.address_key: row for row in session.scalars(_OF_INVOICE, {"invoice_id": case.invoice_id})}
    since = min((row.since for row in known.values() if row.step == step), default=now)
    for key in known.keys() - keys:
        session.delete(known[key])
    for key in sorted(keys):
        row = known.get(key) or WaitRow(invoice_id=case.invoice_id, address_key=key, customer_id=case.customer_id)
        row.step, row.urgent, row.since, row.until = step, urgent, since, until
        session.add(row)
    session.flush()


def forget(session: Session, invoice_ids: Collection[str]) -> None:
    """Remove the steps of these invoices from every queue."""
    session.execute(_OF_INVOICES, {"invoice_ids": list(invoice_ids)})

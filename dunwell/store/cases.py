"""The latest copy of each case."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Mark
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.notifications import changes
from dunwell.domain.terms import ENDS, DebtorKind, Role, Stage
from dunwell.store import notifications, standings
from dunwell.store.bulk_rows import Facts, add_all
from dunwell.store.tables import CaseRow, ContactRow, CustomerRow, InvoiceRow

_DUE_BESIDE = (
    select(CaseRow)
    .where(
        CaseRow.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CaseRow.invoice_id != bindparam("invoice_id"),
        CaseRow.rehearsal == bindparam("rehearsal"),
        CaseRow.next_at <= bindparam("until"),
    )
    .order_by(CaseRow.invoice_id)
)


_DUE_AT = (
    select(CaseRow, ContactRow)
    .join(ContactRow, ContactRow.customer_id == CaseRow.customer_id)
    .where(
        or_(
            func.lower(ContactRow.email).in_(bindparam("keys", expanding=True)),
            ContactRow.phone.in_(bindparam("keys", expanding=True)),
        ),
        ContactRow.role != Role.ACCOUNT_MANAGER.value,
        ContactRow.retired_at.is_(None),
        ContactRow.closed_at.is_(None),
        CaseRow.rehearsal == bindparam("rehearsal"),
        CaseRow.next_at <= bindparam("until"),
    )
    .order_by(CaseRow.next_at, CaseRow.invoice_id)
    .limit(100)
)


_WITH_CUSTOMER = (
    select(CaseRow, InvoiceRow, CustomerRow)
    .join(InvoiceRow, InvoiceRow.invoice_id == CaseRow.invoice_id)
    .join(CustomerRow, CustomerRow.customer_id == CaseRow.customer_id)
)


def put(session: Session, case: Case, *, rehearsal: bool, now: datetime) -> None:
    """Store the copy of a case, unless one with a higher revision is stored, and tell subscribers what changed.

    What figures of a past instant need is written down as well, except of a rehearsal.
    """
    row = session.get(CaseRow, case.invoice_id)
    if row is not None and row.revision > case.revision:
        return
    before, facts = None if row is None else row.state, _facts(case, rehearsal, now)
    notifications.tell_change(session, before, case)
    if not rehearsal:
        standings.keep(session, case.invoice_id, before, facts["state"], now)
    session.merge(CaseRow(**facts))
    session.flush()


def add(session: Session, new: Iterable[Case], *, rehearsal: bool, now: datetime) -> None:
    """Store the first copies of new cases."""
    every = list(new)
    add_all(session, CaseRow, [_facts(case, rehearsal, now) for case in every])
    notifications.tell(session, lambda: [one for case in every for one in changes(None, case)])


def _facts(case: Case, rehearsal: bool, now: datetime) -> Facts:
    action = case.next_action
    return {
        "invoice_id": case.invoice_id,
        "customer_id": case.customer_id,
        "stage": case.stage,
        "next_step": action.step if action else None,
        "next_at": action.at if action else None,
        "rehearsal": rehearsal,
        "revision": case.revision,
        "state": case.model_dump(mode="json"),
        "updated_at": now,
    }


def get(session: Session, invoice_id: str) -> Case | None:
    row = session.get(CaseRow, invoice_id)
    return None if row is None else Case.model_validate(row.state)


def mark(row: CaseRow) -> Mark:
    """Return the revision and digest of the stored copy."""
    return Mark(revision=row.revision, turns=row.state.get("turns", 0), digest=row.state.get("digest", ""))


def due_beside(
    session: Session, case: Case, until: datetime, *, rehearsal: bool, others: Collection[str] = ()
) -> list[Case]:
    """Return other cases of the customer, and cases of the customers `others`, whose next action is due by then."""
    known = {"customer_ids": [case.customer_id, *sorted(others)], "invoice_id": case.invoice_id}
    rows = session.scalars(_DUE_BESIDE, known | {"rehearsal": rehearsal, "until": until})
    return [Case.model_validate(row.state) for row in rows]


def due_at(
    session: Session, keys: Collection[str], until: datetime, *, rehearsal: bool
) -> list[tuple[Case, Role, str]]:
    """Return the cases whose next action is due by then and that have a contact at one of these address keys.

    Each comes with the contact's role and the key; at most a hundred. Postal addresses are not searched.
    """
    known = {"keys": sorted(keys), "rehearsal": rehearsal, "until": until}
    return [
        (Case.model_validate(row.state), contact.role, key)
        for row, contact in session.execute(_DUE_AT, known)
        for key in ((contact.email or "").lower(), contact.phone or "")
        if key in keys
    ]


def get_row(session: Session, invoice_id: str) -> CaseRow | None:
    return session.get(CaseRow, invoice_id)


def get_rows(session: Session, invoice_ids: Collection[str]) -> dict[str, CaseRow]:
    """Return the rows of those of these cases that exist, by invoice id."""
    found = session.scalars(select(CaseRow).where(CaseRow.invoice_id.in_(invoice_ids)))
    return {row.invoice_id: row for row in found}


def time_of(row: CaseRow, now: datetime) -> datetime:
    """Return the time by the clock of the case. That of a rehearsal, which has its own, is the last that is known."""
    return row.updated_at if row.rehearsal else now


def time_of_customer(session: Session, customer_id: str, now: datetime) -> datetime:
    """Return the time by the clock of a customer's cases: of rehearsals, that of the one that is farthest on."""
    if not is_rehearsal(customer_id):
        return now
    latest = select(func.max(CaseRow.updated_at)).where(CaseRow.customer_id == customer_id)
    return session.scalar(latest) or now


_OPEN = CaseRow.stage.not_in([stage.value for stage in ENDS])


def open_customers(session: Session) -> Sequence[str]:
    """Return the ids of the customers that have a case which has not ended."""
    return session.scalars(select(CaseRow.customer_id).where(_OPEN).distinct().order_by(CaseRow.customer_id)).all()


def open_of(session: Session, customer_ids: Collection[str]) -> Sequence[CaseRow]:
    """Return the cases of these customers that have not ended, by invoice id."""
    query = select(CaseRow).where(_OPEN, CaseRow.customer_id.in_(customer_ids)).order_by(CaseRow.invoice_id)
    return session.scalars(query).all()


def open_parties(session: Session) -> Sequence[tuple[str | None, str, DebtorKind | None]]:
    """Return jurisdiction, customer's country and kind of all open invoices, each once, without rehearsals."""
    query = (
        select(InvoiceRow.jurisdiction, CustomerRow.country, CustomerRow.kind)
        .join(CaseRow, CaseRow.invoice_id == InvoiceRow.invoice_id)
        .join(CustomerRow, CustomerRow.customer_id == InvoiceRow.customer_id)
        .where(_OPEN, CaseRow.rehearsal.is_(False))
        .distinct()
    )
    return [(jurisdiction, country, kind) for jurisdiction, country, kind in session.execute(query)]


class OfUnknownKind(NamedTuple):
    """An open case of a customer of whom nobody said what they are, with what is agreed with them."""

    invoice_id: str
    policy: dict[str, Any]
    due_on: str
    utc_offset_minutes: int | None
    number: str
    amount: Decimal
    digits: int
    currency: str
    interest: str | None
    lump_sum: str | None
    customer_id: str
    customer: str
    time_zone: str
    customer_interest: str | None
    customer_lump_sum: str | None


def of_unknown_kind(session: Session) -> Sequence[OfUnknownKind]:
    """Return the open cases, without rehearsals, of customers of whom nobody said what they are, by invoice id.

    A page of the console shows them with each click, and there may be thousands: whole rows would take too long.
    """
    query = (
        select(
            CaseRow.invoice_id,
            CaseRow.state["policy"],
            CaseRow.state["due_on"].as_string(),
            CaseRow.state["utc_offset_minutes"].as_integer(),
            InvoiceRow.number,
            InvoiceRow.amount,
            InvoiceRow.digits,
            InvoiceRow.currency,
            InvoiceRow.interest,
            InvoiceRow.lump_sum,
            CustomerRow.customer_id,
            CustomerRow.name,
            CustomerRow.time_zone,
            CustomerRow.interest,
            CustomerRow.lump_sum,
        )
        .join(InvoiceRow, InvoiceRow.invoice_id == CaseRow.invoice_id)
        .join(CustomerRow, CustomerRow.customer_id == CaseRow.customer_id)
        .where(_OPEN, CaseRow.rehearsal.is_(False), CustomerRow.kind.is_(None))
        .order_by(CaseRow.invoice_id)
    )
    return [OfUnknownKind(*row) for row in session.execute(query)]


def all_rows(session: Session) -> Sequence[CaseRow]:
    """Return every case, ordered by invoice id."""
    return session.scalars(select(CaseRow).order_by(CaseRow.invoice_id)).all()


def has_ended(row: CaseRow) -> bool:
    return row.stage in ENDS


def is_finished(row: CaseRow) -> bool:
    """Return whether the case has ended and has no answer left to send, or to send elsewhere."""
    return has_ended(row) and not row.state.get("owed") and not row.state.get("again")


def page(
    session: Session, stage: Stage | None, after: str | None, most: int
) -> Sequence[tuple[CaseRow, InvoiceRow, CustomerRow]]:
    """Return cases, or those in one stage, with invoice and customer by invoice id: those after `after`."""
    query = _WITH_CUSTOMER.order_by(CaseRow.invoice_id).limit(most)
    if stage is not None:
        query = query.where(CaseRow.stage == stage)
    if after is not None:
        query = query.where(CaseRow.invoice_id > after)
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def rows(session: Session, stage: str | None = None) -> Sequence[tuple[CaseRow, InvoiceRow, CustomerRow]]:
    """Return every case, or those in one stage, with invoice and customer; the earliest next action first."""
    query = _WITH_CUSTOMER.order_by(CaseRow.next_at.is_(None), CaseRow.next_at, CaseRow.invoice_id)
    if stage:
        query = query.where(CaseRow.stage == stage)
    return [(row[0], row[1], row[2]) for row in session.execute(query)]

"""Holds on accounts and the access they leave. Call inside a transaction that holds the customer's lock."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select
from sqlalchemy.orm import Session

from dunwell.domain.keys import AccessChangeId, HoldId
from dunwell.domain.links import KeptLink, LinkKind
from dunwell.domain.notifications import AccessChanged
from dunwell.domain.terms import Access, Level
from dunwell.store import notifications
from dunwell.store.database import lock_customers
from dunwell.store.tables import AccessChangeRow, CustomerRow, HoldRow, LinkRow

_OPEN_HOLDS = (
    select(HoldRow)
    .where(HoldRow.customer_id.in_(bindparam("customer_ids", expanding=True)), HoldRow.released_at.is_(None))
    .order_by(HoldRow.placed_at)
)
_PAGE = (
    select(LinkRow.link_id)
    .where(
        LinkRow.customer_id == bindparam("customer_id"),
        LinkRow.kind == LinkKind.RESTRICTION,
        LinkRow.revoked_at.is_(None),
    )
    .order_by(LinkRow.made_at.desc(), LinkRow.link_id)
    .limit(1)
    .scalar_subquery()
)
_ACCOUNT = (
    select(HoldRow.invoice_id, HoldRow.level, HoldRow.reason, HoldRow.placed_at, LinkRow.link_id, LinkRow.hash)
    .select_from(CustomerRow)
    .outerjoin(HoldRow, and_(HoldRow.customer_id == CustomerRow.customer_id, HoldRow.released_at.is_(None)))
    .outerjoin(LinkRow, LinkRow.link_id == _PAGE)
    .where(CustomerRow.customer_id == bindparam("customer_id"))
    .order_by(HoldRow.placed_at)
)
_LIMITED = (
    select(HoldRow.customer_id, LinkRow.link_id, LinkRow.hash, LinkRow.made_at)
    .distinct()
    .outerjoin(
        LinkRow,
        and_(
            LinkRow.customer_id == HoldRow.customer_id,
            LinkRow.kind == LinkKind.RESTRICTION,
            LinkRow.revoked_at.is_(None),
        ),
    )
    .where(HoldRow.released_at.is_(None))
    .order_by(HoldRow.customer_id, LinkRow.made_at, LinkRow.link_id.desc())  # the last one is that of _PAGE
)
_UNPUBLISHED = (
    select(AccessChangeRow)
    .where(
        AccessChangeRow.customer_id.in_(bindparam("customer_ids", expanding=True)),
        AccessChangeRow.published_at.is_(None),
    )
    .order_by(AccessChangeRow.sequence)
)


class OpenHold(NamedTuple):
    """A hold that is open, as the access check reads it."""

    invoice_id: str
    level: Level
    reason: str
    placed_at: datetime


class Account(NamedTuple):
    """An account as the access check reads it: its open holds, oldest first, and the link to the page about them."""

    holds: list[OpenHold]
    page: KeptLink | None


def lock(session: Session, customer_ids: Collection[str]) -> None:
    """Take the locks of these customers until the transaction ends, always in the same order."""
    if customer_ids:
        lock_customers(session, customer_ids)


def place_hold(session: Session, customer_id: str, invoice_id: str, level: Level, reason: str, now: datetime) -> bool:
    """Place a hold of this invoice on its account. Returns False when the invoice already has one at this level."""
    if any(hold.level == level for hold in open_holds(session, customer_id, invoice_id)):
        return False
    count = session.scalar(
        select(func.count()).select_from(HoldRow).where(HoldRow.invoice_id == invoice_id, HoldRow.level == level)
    )
    session.add(
        HoldRow(
            hold_id=str(HoldId(invoice_id=invoice_id, level=level, number=(count or 0) + 1)),
            customer_id=customer_id,
            invoice_id=invoice_id,
            level=level,
            reason=reason,
            placed_at=now,
        )
    )
    session.flush()
    _add_change(session, customer_id, invoice_id, reason, now)
    return True


def release_holds(
    session: Session,
    customer_id: str,
    invoice_id: str,
    reason: str,
    now: datetime,
    levels: Collection[Level] = tuple(Level),
) -> list[Level]:
    """Release the open holds of this invoice at these levels and return those levels. Other invoices' holds stay."""
    released = []
    for hold in open_holds(session, customer_id, invoice_id):
        if hold.level not in levels:
            continue
        hold.released_at, hold.release_reason = now, reason
        released.append(hold.level)
    session.flush()
    if released:
        _add_change(session, customer_id, invoice_id, reason, now)
    return released


def open_holds(session: Session, customer_id: str, invoice_id: str | None = None) -> Sequence[HoldRow]:
    """Return the open holds on an account, or only those of one invoice, oldest first."""
    holds = open_holds_of(session, [customer_id]).get(customer_id, [])
    return [hold for hold in holds if invoice_id in (None, hold.invoice_id)]


def open_holds_of(session: Session, customer_ids: Collection[str]) -> dict[str, list[HoldRow]]:
    """Return the open holds of these customers, by customer, oldest first. Customers without holds are left out."""
    found: dict[str, list[HoldRow]] = {}
    for hold in session.scalars(_OPEN_HOLDS, {"customer_ids": list(customer_ids)}):
        found.setdefault(hold.customer_id, []).append(hold)
    return found


def account(session: Session | Connection, customer_id: str) -> Account | None:
    """Return an account in one query; None when there is no such customer."""
    rows = session.execute(_ACCOUNT, {"customer_id": customer_id}).all()
    if not rows:
        return None
    *_, link_id, digest = rows[0]
    return Account([OpenHold(*row[:4]) for row in rows if row.invoice_id is not None], _page(link_id, digest))


def pages_of_limited(session: Session) -> dict[str, KeptLink | None]:
    """Return the link to the page of each account that has an open hold, by customer; None where there is none."""
    return {customer_id: _page(link_id, digest) for customer_id, link_id, digest, _ in session.execute(_LIMITED)}


def _page(link_id: str | None, digest: str) -> KeptLink | None:
    return KeptLink(LinkKind.RESTRICTION, link_id, digest) if link_id is not None else None


def access(session: Session, customer_id: str) -> Access:
    """Return the access that the customer's open holds leave."""
    return access_by(open_holds(session, customer_id))


def access_by(holds: Iterable[HoldRow | OpenHold]) -> Access:
    """Return the access that these open holds leave together."""
    levels = {hold.level for hold in holds}
    if Level.SUSPENDED in levels:
        return Access.SUSPENDED
    return Access.RESTRICTED if Level.RESTRICTED in levels else Access.FULL


def work_on_hold(session: Session, customer_id: str) -> bool:
    return holds_work(open_holds(session, customer_id))


def holds_work(holds: Iterable[HoldRow | OpenHold]) -> bool:
    """Return whether one of these open holds keeps the next stage of staged work waiting."""
    return any(hold.level == Level.WORK for hold in holds)


def unpublished(session: Session, customer_id: str) -> Sequence[AccessChangeRow]:
    """Return the access changes that were not published to the product yet, oldest first."""
    return session.scalars(_UNPUBLISHED, {"customer_ids": [customer_id]}).all()


def with_unpublished_changes(session: Session, customer_ids: Collection[str]) -> set[str]:
    """Return those of these customers that have an access change not published yet."""
    return {row.customer_id for row in session.scalars(_UNPUBLISHED, {"customer_ids": list(customer_ids)})}


def mark_published(session: Session, change_id: str, now: datetime) -> None:
    row = session.scalars(select(AccessChangeRow).where(AccessChangeRow.change_id == change_id)).one()
    row.published_at = now
    session.flush()


def _add_change(session: Session, customer_id: str, invoice_id: str, reason: str, now: datetime) -> None:
    """Add an access change if the account's access or its work hold differs from the last recorded one."""
    last = session.scalars(
        select(AccessChangeRow)
        .where(AccessChangeRow.customer_id == customer_id)
        .order_by(AccessChangeRow.sequence.desc())
        .limit(1)
    ).first()
    level, work = access(session, customer_id), work_on_hold(session, customer_id)
    before = (last.access, last.work_on_hold) if last else (Access.FULL, False)
    if before == (level, work):
        return
    count = session.scalar(
        select(func.count()).select_from(AccessChangeRow).where(AccessChangeRow.customer_id == customer_id)
    )
    change_id = str(AccessChangeId(customer_id=customer_id, number=(count or 0) + 1, at=now))
    session.add(
        AccessChangeRow(
            change_id=change_id,
            customer_id=customer_id,
            invoice_id=invoice_id,
            access=level,
            work_on_hold=work,
            reason=reason,
            at=now,
        )
    )
    session.flush()
    change = AccessChanged(
        customer_id=customer_id, invoice_id=invoice_id, change_id=change_id, access=level, work_on_hold=work
    )
    notifications.tell(session, lambda: [change])

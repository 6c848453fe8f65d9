"""Links by which customers act without a login. Only the hashes of their tokens are stored."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, case, delete, exists, func, select, update
from sqlalchemy.orm import Session

from dunwell.domain.links import LinkKind
from dunwell.domain.terms import ENDS
from dunwell.store.tables import CaseRow, HoldRow, LinkRow, MessageInvoiceRow, TimelineRow

_FOUND = select(LinkRow).where(
    LinkRow.hash.in_(bindparam("hashes", expanding=True)), LinkRow.kind == bindparam("kind")
)
_OF_MESSAGE = select(MessageInvoiceRow.invoice_id).where(MessageInvoiceRow.message_id == bindparam("message_id"))
_HOLDS = exists().where(HoldRow.invoice_id == CaseRow.invoice_id, HoldRow.released_at.is_(None))
_ENDED_AT = case((_HOLDS, None), else_=func.max(TimelineRow.at))
"""An invoice that was handed over and still limits the account is not settled."""
_STANDING = (
    select(CaseRow.invoice_id, CaseRow.stage, _ENDED_AT)
    .outerjoin(TimelineRow, (TimelineRow.invoice_id == CaseRow.invoice_id) & (TimelineRow.kind == "ended"))
    .group_by(CaseRow.invoice_id, CaseRow.stage)
    .order_by(CaseRow.invoice_id)
)
_LATEST = (LinkRow.made_at.desc(), LinkRow.link_id)
_INVOICES_OF_MESSAGE = _STANDING.where(CaseRow.invoice_id.in_(_OF_MESSAGE))
_INVOICES_OF_CUSTOMER = _STANDING.where(CaseRow.customer_id == bindparam("customer_id"))


def add(session: Session, row: LinkRow) -> None:
    session.add(row)
    session.flush()


def get(session: Session, link_id: str) -> LinkRow | None:
    return session.get(LinkRow, link_id)


def find(session: Session, hashes: Collection[str], kind: LinkKind) -> LinkRow | None:
    """Return the link of this kind whose token has one of these hashes, also a revoked one."""
    return session.scalars(_FOUND, {"hashes": list(hashes), "kind": kind}).first()


def of_message(session: Session, message_id: str, kind: LinkKind, *, revoked: bool = False) -> LinkRow | None:
    """Return the latest link of this kind that the message carries: one that nobody revoked, or any."""
    query = select(LinkRow).where(LinkRow.message_id == message_id, LinkRow.kind == kind)
    if not revoked:
        query = query.where(LinkRow.revoked_at.is_(None))
    return session.scalars(query.order_by(*_LATEST).limit(1)).first()


def of_account(session: Session, customer_id: str, kind: LinkKind) -> LinkRow | None:
    """Return the latest link of this kind that belongs to no message and no contact and that nobody revoked."""
    query = select(LinkRow).where(
        LinkRow.customer_id == customer_id,
        LinkRow.kind == kind,
        LinkRow.message_id.is_(None),
        LinkRow.contact_id.is_(None),
        LinkRow.revoked_at.is_(None),
    )
    return session.scalars(query.order_by(*_LATEST).limit(1)).first()


def of_customer(session: Session, customer_id: str, contact_id: str | None = None) -> Sequence[LinkRow]:
    """Return the customer's links, or those of one contact, the latest first."""
    query = select(LinkRow).where(LinkRow.customer_id == customer_id)
    if contact_id is not None:
        query = query.where(LinkRow.contact_id == contact_id)
    return session.scalars(query.order_by(*_LATEST)).all()


def invoices(session: Session, row: LinkRow | None) -> list[tuple[str, datetime | None]]:
    """Return the invoices that the link opens, each with when its case ended; None while it is open.

    None of an unknown link; the same number of statements is run for it.
    """
    if row is not None and row.message_id is None:
        found = session.execute(_INVOICES_OF_CUSTOMER, {"customer_id": row.customer_id})
    else:
        found = session.execute(_INVOICES_OF_MESSAGE, {"message_id": row.message_id if row is not None else ""})
    return [(invoice_id, ended_at if stage in ENDS else None) for invoice_id, stage, ended_at in found]


def holders(session: Session, customer_id: str) -> set[str | None]:
    """Return the contacts of the customer with a link that nobody revoked; None stands for the account's own."""
    query = select(LinkRow.contact_id).where(LinkRow.customer_id == customer_id, LinkRow.revoked_at.is_(None))
    return set(session.scalars(query.distinct()))


def ask_for_fresh(session: Session, hashes: Collection[str], kind: LinkKind, now: datetime) -> None:
    """Note that somebody asks for a new link with this one, whatever link it is; one that is noted keeps its time."""
    session.execute(
        update(LinkRow)
        .where(LinkRow.hash.in_(hashes), LinkRow.kind == kind, LinkRow.fresh_asked_at.is_(None))
        .values(fresh_asked_at=now)
    )


def asked_for(session: Session, most: int) -> Sequence[LinkRow]:
    """Return the links with which somebody asked for a new one, the first first."""
    query = select(LinkRow).where(LinkRow.fresh_asked_at.is_not(None)).order_by(LinkRow.fresh_asked_at)
    return session.scalars(query.limit(most)).all()


def answered(session: Session, link_id: str) -> None:
    """Forget that somebody asked for a new link with this one."""
    session.execute(update(LinkRow).where(LinkRow.link_id == link_id).values(fresh_asked_at=None))


def forget_of_message(session: Session, message_id: str) -> None:
    """Delete the links of a message that was never sent."""
    session.execute(delete(LinkRow).where(LinkRow.message_id == message_id))


def revoke(session: Session, link_ids: Collection[str], by: str, why: str | None, now: datetime) -> None:
    """Revoke these links. Those that were revoked before stay as they are."""
    session.execute(
        update(LinkRow)
        .where(LinkRow.link_id.in_(link_ids), LinkRow.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=by, revoked_why=why)
    )

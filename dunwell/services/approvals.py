"""Requests for approval: somebody asks for what their role may not do, and somebody else decides about it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.cleaning import is_clean
from dunwell.domain.events import parse_event
from dunwell.domain.principals import ON_REQUEST, ApprovalDecision, Principal, PrincipalKind, Right
from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.services.random_ids import random_id
from dunwell.services.submissions import Submission
from dunwell.services.users import check_not_own, own_approval_allowed
from dunwell.store import audit, cases, invoices, timeline, users
from dunwell.store.database import Database
from dunwell.store.tables import ApprovalRow

_LATEST = 20
_WAITING = select(ApprovalRow).where(ApprovalRow.decision.is_(None)).order_by(ApprovalRow.requested_at)


class Approvals:
    """The requests of one database. Blocking; safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(
        self,
        invoice_id: str,
        event: str,
        content: Mapping[str, Any],
        by: Principal,
        now: datetime,
        submission: Submission | None = None,
    ) -> str:
        """Ask that the case be told this event, and return the id of the request.

        Raises Refused for an event that is not on request or not valid, an unknown or ended case, and a second
        request for the same; AlreadyDone for a form that was carried out before.
        """
        if event not in ON_REQUEST:
            raise Refused("event", f"cannot be asked for; on request are {', '.join(ON_REQUEST)}")
        given = parse_event(event, [dict(content) | {"by": by.label}]).model_dump(mode="json", exclude_none=True)
        with self._database.reading() as session:
            invoice = invoices.get_row(session, invoice_id)
        if invoice is None:
            raise Refused("invoice", "is not known: start its file first")
        with self._database.writing(invoice.customer_id) as session:
            if submission is not None:
                submission.take(session, now)
            case = cases.get(session, invoice_id)
            if case is None or case.ended is not None:
                raise Refused("invoice", "has no open case")
            same = _WAITING.where(ApprovalRow.invoice_id == invoice_id, ApprovalRow.event == event)
            known = session.scalars(same).first()
            if known is not None:
                raise Refused("event", f"is asked for already: {known.approval_id} waits for a manager")
            row = ApprovalRow(
                approval_id=random_id("approval"),
                invoice_id=invoice_id,
                event=event,
                content=given,
                requested_by=by.id,
                requested_at=now,
            )
            session.add(row)
            _audited(session, row, by, f"{event}_requested", now)
        return row.approval_id

    def decide(self, approval_id: str, decision: ApprovalDecision, by: Principal, now: datetime) -> ApprovalRow:
        """Write what a manager decides, once. Whoever approves has to tell the case then.

        Whoever asked withdraws the request by declining it, whatever their role. Raises NotAllowed for somebody else
        without the right, and for an approval of one's own request unless the house allows that; Refused for a
        request that is unknown or decided otherwise. The same decision again is answered alike.
        """
        with self._database.reading() as session:
            asked = _request(session, approval_id)
            customer_id, own = _customer_of(session, asked), asked.requested_by == by.id
        if own and decision is ApprovalDecision.DECLINED:
            decision = ApprovalDecision.WITHDRAWN
        else:
            by.check(Right.APPROVALS_WRITE)
        with self._database.writing(customer_id) as session:
            row = session.get(ApprovalRow, approval_id, populate_existing=True)
            assert row is not None
            if row.decision is not None:
                if (row.decision, row.decided_by) == (decision, by.id):
                    return row
                raise Refused("decision", f"{approval_id} was {row.decision.value} before")
            if decision is ApprovalDecision.APPROVED:
                check_not_own(session, row.requested_by, by)
            row.decision, row.decided_by, row.decided_at = decision, by.id, now
            _audited(session, row, by, f"{row.event}_{decision.value}", now)
            return row

    def take_back(self, approval_id: str, by: Principal, reason: str, now: datetime) -> None:
        """Open the request again, because the case refused what was approved. That of an ended case is closed."""
        with self._database.reading() as session:
            customer_id = _customer_of(session, _request(session, approval_id))
        with self._database.writing(customer_id) as session:
            row = session.get(ApprovalRow, approval_id, populate_existing=True)
            assert row is not None
            row.decision = row.decided_by = row.decided_at = None
            _audited(session, row, by, f"{row.event}_refused", now, reason)
            session.flush()
            case = cases.get(session, row.invoice_id)
            if case is not None:
                overtake(session, case, by, now)

    def waiting(self) -> list[dict[str, Any]]:
        """Return the requests that nobody has decided, the oldest first."""
        with self._database.reading() as session:
            return [_facts(session, row) for row in session.scalars(_WAITING)]

    def last_decided(self) -> list[dict[str, Any]]:
        """Return what became of the latest requests, and by whom, the newest first."""
        decided = select(ApprovalRow).where(ApprovalRow.decision.is_not(None))
        latest = decided.order_by(ApprovalRow.decided_at.desc(), ApprovalRow.approval_id).limit(_LATEST)
        with self._database.reading() as session:
            return [_facts(session, row) for row in session.scalars(latest)]

    def waiting_for(self, principal: Principal) -> list[dict[str, Any]]:
        """Return the same with what this principal may do: `own`, withdraw it; `approves`, decide about it."""
        with self._database.reading() as session:
            alone, decides = own_approval_allowed(session), principal.may(Right.APPROVALS_WRITE)
            return [
                _facts(session, row) | {"own": own, "approves": decides and (alone or not own)}
                for row in session.scalars(_WAITING)
                for own in [row.requested_by == principal.id]
            ]


def overtake(session: Session, case: Case, by: Principal, now: datetime) -> None:
    """Close the requests about a case that has ended: nothing is left to approve. Says who ended it.

    Call with the customer's lock. Repeating it changes nothing.
    """
    if not case.ended:
        return
    for row in session.scalars(_WAITING.where(ApprovalRow.invoice_id == case.invoice_id)):
        row.decision, row.decided_by, row.decided_at = ApprovalDecision.OVERTAKEN, by.id, now
        _audited(session, row, by, f"{row.event}_overtaken", now)
        who = by.name if by.kind is PrincipalKind.SYSTEM else by.author
        what, ending = row.event.replace("_", "-"), case.stage.value.replace("_", " ")
        reason = f"the request of {row.requested_by} for a {what} is closed: the case is {ending}, by {who}"
        entry = Entry(key=f"overtaken.{row.approval_id}", at=now, kind="task", reason=reason, ref=row.approval_id)
        timeline.write(session, case.invoice_id, [entry])


def _facts(session: Session, row: ApprovalRow) -> dict[str, Any]:
    """A request as JSON shows it, with the names of users."""
    return {
        "approval_id": row.approval_id,
        "invoice_id": row.invoice_id,
        "event": row.event,
        "content": row.content,
        "requested_by": users.name_of(session, row.requested_by),
        "requested_at": row.requested_at,
        "decision": row.decision,
        "decided_by": users.name_of(session, row.decided_by) if row.decided_by else None,
        "decided_at": row.decided_at,
    }


def _request(session: Session, approval_id: str) -> ApprovalRow:
    row = session.get(ApprovalRow, approval_id) if is_clean(approval_id) else None
    if row is None:
        raise Refused("approval", "is not known; `starter.py approvals` shows those that wait")
    return row


def _customer_of(session: Session, row: ApprovalRow) -> str:
    invoice = invoices.get_row(session, row.invoice_id)
    assert invoice is not None
    return invoice.customer_id


def _audited(
    session: Session, row: ApprovalRow, by: Principal, action: str, now: datetime, reason: str | None = None
) -> None:
    details = {"approval": row.approval_id, "content": row.content}
    why = reason or row.content.get("reason")
    audit.append(session, by, f"invoice/{row.invoice_id}", action, now, reason=why, details=details)

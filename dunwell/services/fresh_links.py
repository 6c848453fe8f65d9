"""Sends a new link to the address on file, when somebody asks for one with a link that has expired.

Whoever asks gets the same answer for every link, after the same work: the request is noted, and looked at later. A
new link goes out as a message of the ended case, under the contact caps, once a day for each link.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.keys import StepId
from dunwell.domain.links import LinkKind
from dunwell.domain.terms import Role
from dunwell.services.attempt import Attempt
from dunwell.services.contact_caps import TooOften
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.failures import WorkFailed, each_alone
from dunwell.services.links import Links
from dunwell.services.sending import Sending
from dunwell.services.step_execution import execution_for
from dunwell.store import cases, invoices, links, outbox
from dunwell.store.database import UnitOfWork
from dunwell.store.tables import LinkRow
from dunwell.texts.catalogue import FRESH_LINK

_AT_ONCE, _LOOKED_THROUGH = 200, 5_000
_LATER = timedelta(minutes=5)
"""After how long a link is looked at again whose message cannot leave yet."""
_PATIENCE = timedelta(days=3)
"""How long a request waits for an hour in which a message may leave."""


class FreshLinks:
    def __init__(self, deps: Dependencies) -> None:
        self._deps, self._sending = deps, Sending(deps)
        self._again: dict[str, datetime] = {}  # when to look again at links whose message could not leave

    def send(self, attempt: Attempt) -> None:
        """Send the new links that were asked for, and forget what was asked with links that still open."""
        if self._deps.links is None:
            return
        with self._deps.database.reading() as session:
            asked = [(row.link_id, row.customer_id) for row in links.asked_for(session, _LOOKED_THROUGH)]
        self._again = {link_id: at for link_id, at in self._again.items() if at > attempt.now}
        for link_id, customer_id in [one for one in asked if one[0] not in self._again][:_AT_ONCE]:
            self._again[link_id] = attempt.now + _LATER
            with each_alone("link", link_id, attempt), self._deps.database.unit_of_work(customer_id) as unit:
                if self._settled(unit, self._deps.links, link_id, attempt.now):
                    links.answered(unit.session, link_id)
                    del self._again[link_id]

    def _settled(self, unit: UnitOfWork, made_by: Links, link_id: str, now: datetime) -> bool:
        """Send the new link, if one is due. False: it is tried again, because it may not leave now."""
        row = links.get(unit.session, link_id)
        invoice_ids = _expired(unit.session, made_by, row, now) if row is not None else ()
        if row is None or row.fresh_asked_at is None or not invoice_ids or now - row.fresh_asked_at > _PATIENCE:
            return True
        dispatch = self._dispatch(unit.session, invoice_ids[-1], f"{link_id[:12]}-{row.fresh_asked_at:%Y%m%d}", now)
        to = _reader(unit.session, dispatch, row)
        if to is None:
            return True
        contact, channel = to
        if not dispatch.calendar.is_open(now):
            return False
        try:
            self._sending.send(unit, dispatch, contact, channel)
        except (TooOften, WorkFailed):
            return False
        _open_all(unit.session, dispatch, contact, channel, invoice_ids)
        return True

    def _dispatch(self, session: Session, invoice_id: str, occasion: str, now: datetime) -> Dispatch:
        case = cases.get(session, invoice_id)
        if case is None:
            raise LookupError(f"invoice {invoice_id!r} has no case")
        policy = self._deps.policy(session, case.policy)
        return Dispatch(
            case=case,
            customer=invoices.get_customer_of(session, invoice_id),
            policy=policy,
            calendar=self._deps.case_calendar(session, case, now),
            execution=execution_for(case, policy, str(StepId(name=FRESH_LINK, occasion=occasion))),
            now=now,
            planned_at=now,
            rehearsal=False,
        )


def _expired(session: Session, made_by: Links, row: LinkRow, now: datetime) -> tuple[str, ...]:
    """The invoices of a link that has expired; none of one that still opens, or was revoked."""
    token = made_by.token(row)
    found = made_by.find(session, token, LinkKind.PAGE, now) if token is not None else None
    return found.invoice_ids if found is not None and found.expired else ()


def _reader(session: Session, dispatch: Dispatch, row: LinkRow) -> tuple[Contact, Channel] | None:
    """Whom the link was sent to, and how; None for somebody who is gone, and for our own people."""
    message = outbox.get(session, row.message_id) if row.message_id is not None else None
    contact = next((one for one in dispatch.customer.contacts if one.contact_id == row.contact_id), None)
    if message is None or contact is None or contact.role is Role.ACCOUNT_MANAGER:
        return None
    return contact, message.channel


def _open_all(
    session: Session, dispatch: Dispatch, contact: Contact, channel: Channel, invoice_ids: tuple[str, ...]
) -> None:
    """Let the new link open every invoice that the old one did."""
    row = outbox.get(session, dispatch.message_id(contact, channel))
    if row is None:
        return
    for invoice_id in invoice_ids:
        if invoice_id != dispatch.case.invoice_id:
            outbox.link(session, row, invoice_id, str(dispatch.execution.key), warning=False)

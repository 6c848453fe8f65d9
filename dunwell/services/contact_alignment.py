"""Writes what a case knows of its customer's contacts into a database that was restored from an older copy.

Who was closed is closed again. The words of a correction, and who was added, only people know: they are asked.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import CLOSABLE
from dunwell.domain.closed_addresses import WRONG_NUMBER, told_by_case
from dunwell.domain.contact_changes import KnownChange, unknown_to
from dunwell.domain.events import ContactsChanged
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.keys import TaskId
from dunwell.domain.principals import SYSTEM
from dunwell.domain.terms import TaskState
from dunwell.services import link_revocation, person_tasks
from dunwell.store import addresses, audit, cases, contacts, tasks


def restore(session: Session, case: Case, told: ContactsChanged | None, now: datetime) -> list[str]:
    """Close and open again what the stored copy of the case does not know of, and ask a person about the rest.

    told: the event that is being written, which the database has already. Returns a sentence for each change.
    """
    stored = cases.get(session, case.invoice_id)
    fresh = told.changes if told is not None else ()
    known = [one for one in case.contact_changes if one.change not in fresh]
    lost = [] if stored is None else unknown_to(stored.contact_changes, known)
    for one in lost:
        if one.restorable:
            _write(session, case.customer_id, one, now)
    asked = [one for one in lost if not one.restorable]
    if asked:
        _ask(session, case, asked, now)
    if lost:
        what = [f"{one.change.what}:{one.change.contact_id or case.customer_id}" for one in lost if one.restorable]
        about = f"customer/{case.customer_id}"
        audit.append(session, SYSTEM, about, "restored", now, details={"what": what, "by": case.invoice_id})
    return [str(one) for one in lost]


def _write(session: Session, customer_id: str, known: KnownChange, now: datetime) -> None:
    """Close or open the contact, or its address on one channel as the database has it.

    Links go with whoever is closed, as they did the first time.
    """
    change = known.change
    contact = contacts.get(session, change.contact_id)
    if contact is None or change.contact_id is None:  # it was added in the lost time: the task names it
        return
    if change.channel is None:
        closed = change.what == "closed"
        contacts.set_closed(session, contact.contact_id, known.at, known.by, change.reason or "left", closed=closed)
        if closed:
            link_revocation.revoke_of_contacts(
                session, customer_id, [contact.contact_id], SYSTEM, link_revocation.CONTACT_CLOSED, now
            )
        for channel in () if closed else CLOSABLE:
            if contact.address(channel) is not None:
                addresses.lift(session, channel, str(contact.address(channel)))
        return
    address, rehearsal = contact.address(change.channel), is_rehearsal(contact.contact_id)
    if address is None:
        return
    if change.what == "opened":
        addresses.reopen(session, change.channel, address)
        return
    reason = told_by_case(change.reason) or "bounced"
    addresses.close(session, change.channel, address, reason, known.at, rehearsal=rehearsal)
    if reason == WRONG_NUMBER:
        link_revocation.revoke_of_contacts(
            session, customer_id, [contact.contact_id], SYSTEM, link_revocation.WRONG_NUMBER, now, [change.channel]
        )


def _ask(session: Session, case: Case, lost: Sequence[KnownChange], now: datetime) -> None:
    """One task for the customer, whichever of their cases finds it first; what others know more is added."""
    since = min(one.at for one in lost)
    task_id = str(TaskId.of(case.customer_id, "contacts-lost", f"{since:%Y%m%d}"))
    task = tasks.get(session, task_id)
    lines = [str(one) for one in lost]
    if task is None:
        reason = (
            f"the database was restored from an older copy. What people said about contacts of {case.customer_id} "
            f"since {since:%Y-%m-%d} was lost: {'; '.join(lines)}. Ask again, then starter.py contact set, "
            "starter.py contact add or starter.py customer set"
        )
        person_tasks.raise_task(session, case, task_id=task_id, step="", reason=reason, now=now, outlives_case=True)
    elif task.state == TaskState.OPEN:
        more = [line for line in lines if line not in task.reason]
        if more:
            task.reason = f"{task.reason}. Also lost: {'; '.join(more)}"

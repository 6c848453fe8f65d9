"""Gives calls, visits and meetings with contacts who left, or whose address was taken away, to another contact."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import NO_CALLS
from dunwell.domain.contact import Contact
from dunwell.domain.terms import CONTACT_TASKS, Role
from dunwell.domain.timeline import Entry
from dunwell.services import contact_caps
from dunwell.services.call_tasks import dispatch_of, number_asked_for, words
from dunwell.services.dependencies import Dependencies
from dunwell.store import addresses, cases, invoices, tasks, timeline
from dunwell.store.tables import TaskRow

UNREACHABLE = ".unreachable"
"""The end of the id of the task that reports that a step reached nobody."""


class Asked(Protocol):
    """Who may be written to about which open invoice.

    came     invoices with somebody, or an address, that is new
    emptied  contacts, each with a kind of address that was taken away
    """

    @property
    def open_invoices(self) -> Mapping[str, str]: ...

    @property
    def came(self) -> Collection[str]: ...

    @property
    def emptied(self) -> Collection[tuple[str, str]]: ...

    def asked_about(self, invoice_id: str) -> Collection[str]: ...


def follow(session: Session, deps: Dependencies, asked: Asked, now: datetime) -> list[str]:
    """Give tasks with contacts who cannot be reached to others. Returns the cases whose step has to look further."""
    waiting = set[str]()
    for task in tasks.open_of(session, asked.open_invoices):
        invoice_id = task.invoice_id
        if task.task_id.endswith(UNREACHABLE) and invoice_id in asked.came:
            waiting.add(invoice_id)
        elif task.kind in CONTACT_TASKS and task.contact_id is not None:
            row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
            if row is None or case is None:
                continue
            then = row.updated_at if row.rehearsal else now
            replacement = ContactReplacement(session, deps, case, then, rehearsal=row.rehearsal)
            # Kept with the task: the case may hear of it only later, by another event.
            task.address_lost |= (task.contact_id, Channel(task.kind).facts.address.value) in asked.emptied
            lost = replacement.why_lost(task, asked.asked_about(invoice_id))
            if lost is not None and not replacement.give(task, lost):
                waiting.add(invoice_id)
    return sorted(waiting)


class ContactReplacement:
    """The open calls, visits and meetings of one case, at one moment, in the caller's transaction."""

    def __init__(self, session: Session, deps: Dependencies, case: Case, now: datetime, *, rehearsal: bool) -> None:
        self._session, self._deps, self._case, self._now = session, deps, case, now
        self._rehearsal = rehearsal

    def settle(self, *, renewed: bool) -> str | None:
        """Hand over, or call off, what is addressed to people who left. Returns the step that has to reach further.

        renewed: there are people or addresses that were not there before, so a step that reached nobody looks again.
        """
        step = None
        open_now = tasks.open_by_person(self._session, self._case.invoice_id)
        asked = {one.contact_id for one in self._people} if open_now else set[str]()
        for task in open_now:
            if renewed and task.task_id.endswith(UNREACHABLE):
                self._call_off(task, "the contacts were renewed: the step looks for one of them")
                step = task.step
            elif (lost := self.why_lost(task, asked)) is not None and not self.give(task, lost):
                self._call_off(task, f"{task.contact_id} {lost}, and nobody else can be called")
                step = task.step
        return step

    def why_lost(self, task: TaskRow, asked: Collection[str]) -> str | None:
        """Return why the person of the task cannot be reached for it any more; None where they can.

        Whoever never had a number is called all the same: our people find it out. So is who named one for this call.
        """
        if task.contact_id is None:
            return None
        if task.contact_id not in asked:
            return "is not written to any more"
        person = next((one for one in self._people if one.contact_id == task.contact_id), None)
        if person is not None and not task.requested and self._wants_no_calls(person, Channel(task.kind)):
            return "wants no more calls"
        if not task.address_lost or number_asked_for(self._session, task) is not None:
            return None
        kind = Channel(task.kind).facts.address
        if person is None or getattr(person, kind.value) is not None:
            return None
        return f"has no {kind.value} any more"

    def give(self, task: TaskRow, lost: str) -> bool:
        """Address the task to somebody else who is asked about this invoice. False: there is nobody."""
        contact = next(iter(self._successors(task)), None)
        if contact is None:
            return False
        before, task.contact_id, task.address_lost = task.contact_id, contact.contact_id, False
        task.reason = task.reason.replace(str(before), contact.contact_id)
        dispatch = dispatch_of(self._session, self._deps, self._case, task.step, self._now, rehearsal=self._rehearsal)
        if dispatch is not None:
            who, channel = (dispatch.policy, dispatch.customer, contact), Channel(task.kind)
            wait = contact_caps.person_wait(self._session, self._deps, *who, channel, task.due_at)
            task.due_at = dispatch.calendar.next_open(wait[0]) if wait else task.due_at
            for name, value in words(self._session, self._deps, dispatch, contact).items():
                setattr(task, name, value)
        self._session.flush()
        text = f"{task.kind} {contact.role} ({contact.contact_id}) instead: {before} {lost}"
        self._note(task, f"handed.{contact.contact_id}", text)
        return True

    @property
    def _people(self) -> tuple[Contact, ...]:
        return invoices.get_customer_of(self._session, self._case.invoice_id).contacts

    def _successors(self, task: TaskRow) -> list[Contact]:
        """Who can be reached in the same way and has no such task of this step: those of the same role first."""
        channel, leaver = Channel(task.kind), self._role(task)
        made = {one.contact_id for one in tasks.of_step(self._session, self._case.invoice_id, task.step)}
        found = [
            one
            for one in self._people
            if one.contact_id not in made
            and (one.role is Role.ACCOUNT_MANAGER) == (leaver is Role.ACCOUNT_MANAGER)
            and self._is_open(one, channel)
        ]
        return sorted(found, key=lambda one: one.role is not leaver)

    def _role(self, task: TaskRow) -> Role | None:
        known = invoices.get_customer(self._session, self._case.customer_id).contacts
        return next((one.role for one in known if one.contact_id == task.contact_id), None)

    def _wants_no_calls(self, contact: Contact, channel: Channel) -> bool:
        address = contact.address(channel) if channel.facts.capped_calls else None
        if address is None:
            return False
        return addresses.why_closed(self._session, channel, address, rehearsal=self._rehearsal) == NO_CALLS

    def _is_open(self, contact: Contact, channel: Channel) -> bool:
        address = contact.address(channel)
        if address is None:
            return False
        if not channel.facts.closable:
            return True
        return addresses.why_closed(self._session, channel, address, rehearsal=self._rehearsal) is None

    def _call_off(self, task: TaskRow, why: str) -> None:
        tasks.withdraw(self._session, [task], why, self._now)
        self._note(task, "called-off", f"the {task.kind} is called off: {why}")

    def _note(self, task: TaskRow, key: str, reason: str) -> None:
        entry = Entry(
            key=f"{task.task_id}.{key}"[:300],
            at=self._now,
            kind="task",
            step=task.step or None,
            reason=reason,
            ref=task.task_id,
        )
        timeline.write(self._session, self._case.invoice_id, [entry])

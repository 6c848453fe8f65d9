"""Applies the outcome of a call, visit or meeting: closes the task, raises another one, or closes a number.

The change to the case itself was decided before, in `dunwell.domain.case`.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import CAPPED_CALLS, Channel, closed_by_wrong_number
from dunwell.domain.closed_addresses import NO_CALLS, WRONG_NUMBER
from dunwell.domain.contact import Contact
from dunwell.domain.events import CallOutcome, ContactChange
from dunwell.domain.keys import TaskId
from dunwell.domain.policy import Policy
from dunwell.domain.principals import SYSTEM
from dunwell.domain.terms import CONTACT_TASKS, TaskState
from dunwell.domain.timeline import Entry
from dunwell.services import contact_caps, link_revocation
from dunwell.services.call_tasks import dispatch_of, number_asked_for, words
from dunwell.services.dependencies import Dependencies
from dunwell.store import addresses, contacts, invoices, tasks, timeline
from dunwell.store.tables import TaskRow


class CallOutcomes:
    """What is done about the outcomes of one case, at one moment, in the caller's transaction."""

    def __init__(self, session: Session, deps: Dependencies, case: Case, now: datetime, *, rehearsal: bool) -> None:
        self._session, self._deps, self._case, self._now = session, deps, case, now
        self._rehearsal = rehearsal
        self.closed = list[ContactChange]()
        """What the outcome closed, for the case to remember."""

    def settle(self, event: CallOutcome) -> str | None:
        """Close the task. Returns the step that has to reach further, if any. Safe to repeat."""
        task = tasks.get(self._session, event.task_id)
        said = f"{event.outcome}, by {event.by}"
        if task is None or task.invoice_id != self._case.invoice_id:
            reason = "this case has no task of this id; the outcome was noted all the same"
            self._note(f"task.{event.task_id}.unknown", "refused", reason, event.task_id)
            return None
        if task.state != TaskState.OPEN and task.outcome != said:
            reason = f"this task was {task.state} before ({task.outcome}); the outcome was noted all the same"
            self._note(f"task.{event.task_id}.closed", "task", reason, event.task_id)
            return None
        tasks.close_task(self._session, task.task_id, said, self._now, event.outcome)
        if task.kind not in CONTACT_TASKS or self._case.ended:
            return None
        match event.outcome:
            case "no_answer":
                self._try_again(task)
            case "call_back":
                self._call_back(task, event.call_back_at)
            case "wrong_number":
                return self._close_number(task)
            case "no_calls":
                self._stop_calls(task)
        return None

    def renew_scripts(self) -> None:
        """Write the call scripts of open tasks anew, with the amount that is asked for now."""
        for task in tasks.open_by_person(self._session, self._case.invoice_id):
            if task.amount is not None and task.amount != self._case.asked:
                self._write(task)

    def _try_again(self, task: TaskRow) -> None:
        if self._case.resting and not task.requested:
            return
        policy, calendar = self._rules()
        if task.attempt >= policy.calls.attempts:
            text = f"nobody answered in {task.attempt} calls for {task.step}; the ladder goes on"
            self._note(f"{task.task_id}.given-up", "call", text, task.task_id, task.step)
            return
        due_at = policy.calls.retry.after(self._now, calendar)
        wait = self._wait(task, policy, due_at)
        due_at = calendar.next_open(wait[0]) if wait else due_at
        attempt = task.attempt + 1
        why = f"no answer: attempt {attempt} of {policy.calls.attempts}"
        self._follow_up(task, due_at, why, attempt=attempt, requested=task.requested)

    def _call_back(self, task: TaskRow, wanted: datetime | None) -> None:
        """Raise a call at the hour asked for, moved into the window; without an hour, after the usual wait."""
        policy, calendar = self._rules()
        due_at = calendar.next_open(wanted) if wanted else policy.calls.retry.after(self._now, calendar)
        moved = f", asked for {wanted:%Y-%m-%d %H:%M} UTC" if wanted and due_at != wanted else ""
        self._follow_up(task, due_at, f"they asked to be called again{moved}", attempt=1, requested=True)

    def _follow_up(self, task: TaskRow, due_at: datetime, why: str, *, attempt: int, requested: bool) -> None:
        again = TaskRow(
            task_id=str(TaskId.parse(task.task_id).next()),
            invoice_id=task.invoice_id,
            step=task.step,
            kind=task.kind,
            contact_id=task.contact_id,
            due_at=due_at,
            reason=f"{task.reason.partition(' (')[0]} ({why})",
            script=task.script,
            agent_script=task.agent_script,
            amount=task.amount,
            currency=task.currency,
            attempt=attempt,
            requested=requested,
            note_id=task.note_id,
        )
        self._write(again)
        if tasks.add(self._session, again):
            text = f"{why}: {task.kind} {task.contact_id or 'them'} at {due_at:%Y-%m-%d %H:%M} UTC"
            self._note(again.task_id, "task", text, again.task_id, task.step)

    def _close_number(self, task: TaskRow) -> str | None:
        """Close the number that was called. A number that they typed says nothing about the one on file."""
        contact, (policy, _) = self._contact(task), self._rules()
        asked = number_asked_for(self._session, task)
        if asked is not None and (contact is None or asked != contact.phone):
            self._close(asked)
        elif contact is not None and contact.phone is not None and Channel(task.kind).facts.capped_calls:
            self._close(contact.phone)
            for channel in closed_by_wrong_number():
                self.closed.append(
                    ContactChange(contact_id=contact.contact_id, what="closed", reason=WRONG_NUMBER, channel=channel)
                )
            link_revocation.revoke_of_contacts(
                self._session,
                self._case.customer_id,
                [contact.contact_id],
                SYSTEM,
                link_revocation.WRONG_NUMBER,
                self._now,
                closed_by_wrong_number(),
            )
        return task.step if any(step.id == task.step for step in policy.steps) else None

    def _stop_calls(self, task: TaskRow) -> None:
        """Close the number that was called, for calls alone. They are still written to."""
        contact, asked = self._contact(task), number_asked_for(self._session, task)
        on_file = contact.phone if contact is not None else None
        for number in dict.fromkeys(one for one in (asked, on_file) if one is not None):
            for channel in CAPPED_CALLS:
                addresses.close(self._session, channel, number, NO_CALLS, self._now, rehearsal=self._rehearsal)
        if contact is not None:
            self.closed += [
                ContactChange(contact_id=contact.contact_id, what="closed", reason=NO_CALLS, channel=channel)
                for channel in CAPPED_CALLS
            ]

    def _close(self, number: str) -> None:
        for channel in closed_by_wrong_number():
            addresses.close(self._session, channel, number, WRONG_NUMBER, self._now, rehearsal=self._rehearsal)

    def _write(self, task: TaskRow) -> None:
        """Write the task's call script anew, unless the ladder no longer has the step or the customer the contact."""
        contact = self._contact(task)
        dispatch = dispatch_of(self._session, self._deps, self._case, task.step, self._now, rehearsal=self._rehearsal)
        if contact is None or dispatch is None:
            return
        for name, value in words(self._session, self._deps, dispatch, contact).items():
            setattr(task, name, value)

    def _contact(self, task: TaskRow) -> Contact | None:
        return contacts.get(self._session, task.contact_id)

    def _wait(self, task: TaskRow, policy: Policy, due_at: datetime) -> tuple[datetime, str] | None:
        contact = self._contact(task)
        if contact is None:
            return None
        customer = invoices.get_customer_of(self._session, task.invoice_id)
        channel = Channel(task.kind)
        return contact_caps.person_wait(self._session, self._deps, policy, customer, contact, channel, due_at)

    def _rules(self) -> tuple[Policy, BusinessCalendar]:
        policy = self._deps.policy(self._session, self._case.policy)
        return policy, self._deps.case_calendar(self._session, self._case, self._now)

    def _note(self, key: str, kind: str, reason: str, ref: str, step: str | None = None) -> None:
        entry = Entry(key=f"outcome.{key}"[:300], at=self._now, kind=kind, reason=reason, ref=ref, step=step)
        timeline.write(self._session, self._case.invoice_id, [entry])

"""Gives up unconfirmed messages: without a delivery report for long, they count as not arrived.

A letter that nobody posted can still be posted, so a person is asked, and nothing is sent instead.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.events import DeliveryReport
from dunwell.domain.keys import UNPOSTED, StepKey, TaskId
from dunwell.domain.model import MutableValue
from dunwell.domain.terms import MessageState
from dunwell.domain.timeline import Entry
from dunwell.services import delivery_reports, person_tasks
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.failures import each_alone
from dunwell.store import cases, outbox, standstills, timeline

_SHORTEST = timedelta(days=1)
_AT_ONCE = 200


class UnconfirmedMessage(MutableValue):
    """A message that did not arrive, and the case that has to act on it."""

    invoice_id: str
    report: DeliveryReport


class UnconfirmedMessages:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def give_up(self, attempt: Attempt) -> list[UnconfirmedMessage]:
        """Note in outbox and timelines what did not arrive. Returns cases that must act, a few hundred at most."""
        now = attempt.now
        with self._deps.database.reading() as session:
            silent = [
                (row.message_id, row.customer_id) for row in outbox.unconfirmed(session, now - _SHORTEST, _AT_ONCE)
            ]
            if standstills.in_force(session) is not None:
                silent = []  # a database that is being restored may lack the reports
            unposted = [
                (row.message_id, row.customer_id)
                for row in outbox.unposted(session, now - _SHORTEST - self._post_takes, _AT_ONCE)
            ]
        for message_id, customer_id in unposted:
            with each_alone("letter", message_id, attempt), self._deps.database.writing(customer_id) as session:
                self._ask_for_posting(session, message_id, now)
        told: list[UnconfirmedMessage] = []
        for message_id, customer_id in silent:
            with each_alone("message", message_id, attempt), self._deps.database.writing(customer_id) as session:
                told += self._give_up(session, message_id, now)
        return told

    def _give_up(self, session: Session, message_id: str, now: datetime) -> list[UnconfirmedMessage]:
        row = outbox.get(session, message_id)
        if row is None or row.state != MessageState.ACCEPTED or row.sent_at is None:
            return []
        carried = [
            (link.invoice_id, cases.get(session, link.invoice_id)) for link in outbox.links(session, message_id)
        ]
        days = max((self._patience(session, case) for _, case in carried if case), default=2)
        if now - row.sent_at < timedelta(days=days):
            return []
        code = f"not confirmed in {days} days"
        delivery_reports.report(session, row, MessageState.FAILED, code, now, now)
        report = DeliveryReport(message_id=message_id, status="failed", code=code, at=now)
        return [
            UnconfirmedMessage(invoice_id=invoice_id, report=report)
            for invoice_id, case in carried
            if case
            and not case.resting
            and delivery_reports.not_arrived(session, row, invoice_id, MessageState.FAILED)
        ]

    @property
    def _post_takes(self) -> timedelta:
        return timedelta(days=self._deps.letterhead.post_days)

    def _ask_for_posting(self, session: Session, message_id: str, now: datetime) -> None:
        """Ask a person, once, to post the letter. Nothing is sent instead: the debtor could get two warnings."""
        row = outbox.get(session, message_id)
        if row is None or row.state != MessageState.ACCEPTED or row.sent_at is None:
            return
        carried = [(link, cases.get(session, link.invoice_id)) for link in outbox.links(session, message_id)]
        running = [(link, case) for link, case in carried if case is not None and case.ended is None]
        patience = max((self._patience(session, case) for _, case in running), default=2)
        if not running or now - row.sent_at < timedelta(days=patience) + self._post_takes:
            return
        why = (
            f"the letter {row.message} to {row.contact_id} of {row.sent_at:%Y-%m-%d} is not known to be posted. Post "
            f"it and say so: starter.py posted {row.message_id}; or, if it is lost, starter.py settle-message "
            f"{row.message_id} failed, which leads on to the next channel"
        )
        (link, case), *others = running
        task_id = str(TaskId.of(row.message_id, UNPOSTED))
        step = StepKey.parse(link.step).step
        raised = person_tasks.raise_task(
            session,
            case,
            task_id=task_id,
            step=step,
            contact_id=row.contact_id,
            reason=why,
            channel=row.channel,
            now=now,
        )
        for link, _ in others if raised else ():
            step = StepKey.parse(link.step).step
            entry = Entry(key=task_id, at=now, kind="task", step=step, channel=row.channel, reason=why, ref=task_id)
            timeline.write(session, link.invoice_id, [entry])

    def _patience(self, session: Session, case: Case) -> int:
        return self._deps.policy(session, case.policy).silence_days

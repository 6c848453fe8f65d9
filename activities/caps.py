"""How often one person may be contacted, whatever the number of invoices (G5)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from activities.job import Job
from domain.invoice import Contact
from domain.policy import Policy
from domain.terms import BY_PERSON, Channel
from store import outbox, tasks

_WEEK = timedelta(days=7)


class TooOften(Exception):
    """Between the judgement of a step and its claim somebody had the week's last message, or a standstill began."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until, self.why = until, why


def earliest(session: Session, job: Job, contacts: Iterable[Contact]) -> tuple[datetime, str] | None:
    """When the errand may reach all of `contacts`, and why not now; None when it may."""
    waits = [wait for contact in contacts for wait in _waits(session, job, contact)]
    return max(waits, default=None, key=lambda wait: wait[0])


def call_wait(session: Session, policy: Policy, contact_id: str, at: datetime) -> tuple[datetime, str] | None:
    """When this contact may be called if not at `at`, and why; None when it may."""
    waits = []
    calls = tasks.calls_to(session, contact_id, at - _WEEK)
    if len(calls) >= policy.calls_per_week:
        waits.append((calls[-policy.calls_per_week] + _WEEK, f"{contact_id} had {len(calls)} calls in 7 days"))
    rest = timedelta(days=policy.calls.rest_after_conversation_days)
    talked = tasks.last_conversation(session, contact_id, at - rest)
    if talked is not None:
        days = policy.calls.rest_after_conversation_days
        waits.append((talked + rest, f"{contact_id} was talked with less than {days} day(s) ago"))
    return max(waits, default=None)


def _waits(session: Session, job: Job, contact: Contact) -> Iterable[tuple[datetime, str]]:
    policy = job.policy
    if job.errand.by == (Channel.CALL,):
        wait = call_wait(session, policy, contact.contact_id, job.now)
        if wait is not None:
            yield wait
    if BY_PERSON.issuperset(job.errand.by):
        return
    recent = outbox.to_contact(session, contact.contact_id, job.now - _WEEK)
    if len(recent) >= policy.contacts_per_week:
        free = recent[-policy.contacts_per_week].claimed_at + _WEEK
        yield free, f"{contact.contact_id} had {len(recent)} messages in 7 days"
    gap = timedelta(days=policy.gap_days)
    pressing = [row for row in recent if row.asks and row.claimed_at > job.now - gap]
    if pressing and job.errand.ladder is not None:
        yield pressing[-1].claimed_at + gap, f"{contact.contact_id} was asked less than {policy.gap_days} day(s) ago"

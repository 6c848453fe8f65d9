"""How often one person may be contacted, whatever the number of invoices (G5)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from activities.job import Job
from domain.invoice import Contact
from domain.terms import Channel
from store import outbox, tasks

_WEEK = timedelta(days=7)


class TooOften(Exception):
    """Somebody had the week's last message between the judgement of a step and its claim."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until, self.why = until, why


def earliest(session: Session, job: Job, contacts: Iterable[Contact]) -> tuple[datetime, str] | None:
    """When the errand may reach all of `contacts`, and why not now; None when it may."""
    waits = [wait for contact in contacts for wait in _waits(session, job, contact)]
    return max(waits, default=None, key=lambda wait: wait[0])


def _waits(session: Session, job: Job, contact: Contact) -> Iterable[tuple[datetime, str]]:
    policy = job.policy
    if Channel.CALL in job.errand.by:
        calls = tasks.calls_to(session, contact.contact_id, job.now - _WEEK)
        if len(calls) >= policy.calls_per_week:
            yield calls[-policy.calls_per_week] + _WEEK, f"{contact.contact_id} had {len(calls)} calls in 7 days"
    if not any(channel is not Channel.CALL for channel in job.errand.by):
        return
    recent = outbox.to_contact(session, contact.contact_id, job.now - _WEEK)
    if len(recent) >= policy.contacts_per_week:
        free = recent[-policy.contacts_per_week].claimed_at + _WEEK
        yield free, f"{contact.contact_id} had {len(recent)} messages in 7 days"
    gap = timedelta(days=policy.gap_days)
    pressing = [row for row in recent if row.asks and row.claimed_at > job.now - gap]
    if pressing and job.errand.ladder is not None:
        yield pressing[-1].claimed_at + gap, f"{contact.contact_id} was asked less than {policy.gap_days} day(s) ago"

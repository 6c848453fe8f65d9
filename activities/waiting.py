"""The line of messages that wait for their turn at one address: warnings first, then whoever has waited longest.

A step that the cap holds back joins the line and knows when its turn is; nobody who comes later takes it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from activities.desk import Desk
from activities.errand import Errand, errand_for
from activities.job import Job
from domain import agenda
from domain.address import plain_key
from domain.invoice import Contact
from domain.terms import DEAD_STATES
from store import cases, outbox, waits

_PATIENCE = timedelta(days=1)
"""Whoever has not used their turn by then is held up by something else, and nobody waits for them any more."""


@dataclass(frozen=True)
class Ahead:
    """A message that goes first, and when."""

    address_key: str
    at: datetime


def ahead(session: Session, desk: Desk, job: Job, keys: Collection[str]) -> Sequence[Ahead]:
    """The messages about other customers that go before the job's at these addresses.

    Never one of the same customer, or of a customer with whom messages are shared: their invoices are told together.
    And none once somebody has the job's message, for others shall not come between the readers of one step.
    """
    rows = waits.at(session, keys, job.now - _PATIENCE)
    mine = next((row for row in rows if row.invoice_id == job.case.invoice_id), None)
    own = (not is_urgent(job.errand), mine.since if mine else job.now, job.case.invoice_id)
    together = {job.case.customer_id, *job.shared_with}
    found = [
        Ahead(row.address_key, max(row.until, job.now))
        for row in rows
        if row.customer_id not in together and (not row.urgent, row.since, row.invoice_id) < own
    ]
    if found and _has_begun(session, job):
        return []
    if not is_urgent(job.errand):
        found += _due_today(session, desk, job, keys, {row.invoice_id for row in rows})
    return found


def join(session: Session, job: Job, contacts: Sequence[Contact], until: datetime) -> None:
    """Let the job wait until then for its turn at the addresses of `contacts`."""
    keys = job.keys(contacts)
    waits.put(session, job.case, job.errand.step, keys, urgent=is_urgent(job.errand), now=job.now, until=until)


def is_urgent(errand: Errand) -> bool:
    """Whether it goes before friendly notices: what a ladder does after the due date, and answers that are owed."""
    if errand.served:
        return False
    return errand.ladder is None or errand.ladder.chasing or errand.ladder.days_after_due is None


def _has_begun(session: Session, job: Job) -> bool:
    rows = outbox.of_invoice(session, job.case.invoice_id, str(job.errand.key))
    return any(row.state not in DEAD_STATES and row.call != "refused" for row in rows)


def _due_today(
    session: Session, desk: Desk, job: Job, keys: Collection[str], known: Collection[str]
) -> Iterator[Ahead]:
    """Warnings that are due today at these addresses and were not tried yet: a notice leaves them the place."""
    plain = {plain_key(key): key for key in keys}
    together = {job.case.customer_id, *job.shared_with}
    for case, role, key in cases.due_at(session, plain, job.closing, rehearsal=job.rehearsal):
        action = case.next_action
        if case.invoice_id in known or case.customer_id in together or action is None or case.resting:
            continue
        if action.step in agenda.DATES or agenda.answer_message(action.step):
            continue
        errand = errand_for(case, desk.policy(session, case.policy), action.step)
        if errand.warning and role in errand.to:
            yield Ahead(plain[key], max(action.at, job.now))

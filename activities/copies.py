"""Copies for information: who else reads what was written to the debtor. Nothing waits for a copy, or hangs on it."""

from dataclasses import replace

from sqlalchemy.orm import Session

from activities import caps
from activities.job import Job
from activities.journal import note
from activities.sending import Sending
from domain.invoice import Contact
from domain.terms import TAKEN_STATES, Channel, Role
from store import outbox
from store.database import Visit


class Copies:
    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    def send(self, visit: Visit, job: Job) -> None:
        """Copies of the job's message by e-mail, each once, if it went to anybody of the debtor's in writing."""
        step = job.errand.ladder
        if step is None or not step.copies:
            return
        served = _served(visit.session, job)
        if not served:
            return
        copy = replace(job, errand=job.errand.copied_from(served))
        for contact in job.customer.contacts:
            if contact.role in step.copies and contact not in served:
                self._bring(visit, copy, contact)

    def _bring(self, visit: Visit, copy: Job, contact: Contact) -> None:
        """G5 holds for copies as well; one that would come too soon is left out and not sent later."""
        try:
            self._sending.send(visit, copy, contact, Channel.EMAIL)
        except caps.TooOften as wait:
            note(visit.session, copy, f"{contact.contact_id}.enough", "withheld", f"no copy: {wait.why}")


def _served(session: Session, job: Job) -> tuple[Contact, ...]:
    """Those of the debtor's people to whom this very message went."""
    rows = outbox.of_invoice(session, job.case.invoice_id, job.errand.key)
    went = {row.contact_id for row in rows if row.state in TAKEN_STATES}
    people = job.customer.contacts
    return tuple(one for one in people if one.contact_id in went and one.role is not Role.ACCOUNT_MANAGER)

"""Copies for information: who else reads what was written to the debtor. Nothing waits for a copy, or hangs on it."""

from dataclasses import replace

from sqlalchemy.orm import Session

from activities import caps, companions
from activities.desk import Desk
from activities.job import Job
from activities.journal import note
from activities.sending import Sending
from domain.invoice import Contact
from domain.terms import TAKEN_STATES, Channel, Role
from store import ledger, outbox
from store.database import Visit
from store.tables import MessageRow


class Copies:
    def __init__(self, desk: Desk, sending: Sending) -> None:
        self._desk, self._sending = desk, sending

    def send(self, visit: Visit, job: Job) -> None:
        """Copies of the job's message by e-mail, each once, if it went to anybody of the debtor's in writing."""
        step = job.errand.ladder
        if step is None or not step.copies:
            return
        went = _went(visit.session, job)
        if not went:
            return
        served, original = tuple(one for one, _ in went), went[0][1]
        copy = replace(job, errand=job.errand.copied_from(served, original.message_id))
        if not self._still_says_the_same(visit.session, copy, original):
            why = "no copy: what is asked for has changed since the message left"
            note(visit.session, copy, "changed", "withheld", why)
            return
        there = {row.address_key for _, row in went}
        for contact in job.customer.contacts:
            if contact.role in step.copies and there.isdisjoint(contact.address_keys(rehearsal=job.rehearsal)):
                self._bring(visit, copy, contact)

    def _still_says_the_same(self, session: Session, copy: Job, original: MessageRow) -> bool:
        """Whether a copy written now would ask for what its message asks for."""
        others = companions.told_with(session, self._desk, copy, original.message_id)
        paid = ledger.paid(session, copy.case.invoice_id)
        own = copy.case.with_paid(paid)
        return original.amount == sum((one.case.asked for one in others), own.asked)

    def _bring(self, visit: Visit, copy: Job, contact: Contact) -> None:
        """G5 holds for copies as well; one that would come too soon is left out and not sent later."""
        try:
            self._sending.send(visit, copy, contact, Channel.EMAIL)
        except caps.TooOften as wait:
            note(visit.session, copy, f"{contact.contact_id}.enough", "withheld", f"no copy: {wait.why}")


def _went(session: Session, job: Job) -> list[tuple[Contact, MessageRow]]:
    """Those of the debtor's people to whom this step's message went, each with the message."""
    rows = outbox.of_invoice(session, job.case.invoice_id, str(job.errand.key))
    went = {row.contact_id: row for row in rows if row.state in TAKEN_STATES}
    people = (one for one in job.customer.contacts if one.role is not Role.ACCOUNT_MANAGER)
    return [(one, went[one.contact_id]) for one in people if one.contact_id in went]

"""Sends copies of messages for information. No step waits for a copy or depends on it."""

from dataclasses import replace

from sqlalchemy.orm import Session

from dunwell.domain.contact import Contact
from dunwell.domain.terms import TAKEN_STATES, Role
from dunwell.services import contact_caps, joint_messages
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.sending import Sending
from dunwell.store import outbox, payments
from dunwell.store.database import UnitOfWork
from dunwell.store.tables import MessageRow


class Copies:
    def __init__(self, deps: Dependencies, sending: Sending) -> None:
        self._deps, self._sending = deps, sending

    def send(self, unit: UnitOfWork, dispatch: Dispatch) -> None:
        """Copies of the job's message, each once, if it went to anybody of the debtor's in writing."""
        step = dispatch.execution.ladder
        if step is None or not step.copies:
            return
        went = _went(unit.session, dispatch)
        if not went:
            return
        served, original = tuple(one for one, _ in went), went[0][1]
        copy = replace(dispatch, execution=dispatch.execution.copied_from(served, original.message_id))
        if not self._still_says_the_same(unit.session, copy, original):
            why = "no copy: what is asked for has changed since the message left"
            note(unit.session, copy, "changed", "withheld", why)
            return
        there = {row.address_key for _, row in went}
        for contact in dispatch.customer.contacts:
            if contact.role in step.copies and there.isdisjoint(contact.address_keys(rehearsal=dispatch.rehearsal)):
                self._bring(unit, copy, contact)

    def _still_says_the_same(self, session: Session, copy: Dispatch, original: MessageRow) -> bool:
        """Whether a copy written now would ask for what its message asks for."""
        others = joint_messages.carried_jobs(session, self._deps, copy, original.message_id)
        paid = payments.paid(session, copy.case.invoice_id)
        own = copy.case.with_paid(paid)
        return original.amount == sum((one.case.asked for one in others), own.asked)

    def _bring(self, unit: UnitOfWork, copy: Dispatch, contact: Contact) -> None:
        """G5 holds for copies as well; one that would come too soon is left out and not sent later."""
        try:
            for channel in copy.execution.by:
                self._sending.send(unit, copy, contact, channel)
        except contact_caps.TooOften as wait:
            note(unit.session, copy, f"{contact.contact_id}.enough", "withheld", f"no copy: {wait.why}")


def _went(session: Session, dispatch: Dispatch) -> list[tuple[Contact, MessageRow]]:
    """Those of the debtor's people to whom this step's message went, each with the message."""
    rows = outbox.of_invoice(session, dispatch.case.invoice_id, str(dispatch.execution.key))
    went = {row.contact_id: row for row in rows if row.state in TAKEN_STATES}
    people = (one for one in dispatch.customer.contacts if one.role is not Role.ACCOUNT_MANAGER)
    return [(one, went[one.contact_id]) for one in people if one.contact_id in went]

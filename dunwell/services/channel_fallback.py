"""Reaches the people whom a step names: channel after channel, then other people, at last by a call."""

from sqlalchemy.orm import Session

from dunwell.domain.channels import BY_PERSON
from dunwell.domain.contact import Contact
from dunwell.domain.recipients import is_debtors, others
from dunwell.domain.terms import Role, TaskKind
from dunwell.services import call_tasks, case_claim, contact_caps, person_tasks
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.message_claims import Result
from dunwell.services.sending import Sending
from dunwell.services.step_execution import StepExecution
from dunwell.store import outbox
from dunwell.store.database import UnitOfWork


class ChannelFallback:
    def __init__(self, deps: Dependencies, sending: Sending) -> None:
        self._deps, self._sending = deps, sending

    def reach(self, unit: UnitOfWork, dispatch: Dispatch) -> bool:
        """Reach everybody the step names; if nobody of the debtor's can be reached, others; at last a person calls.

        False when nothing may be asked for any more before anybody was reached: then the step was not done.
        Raises TooOften where a contact has had enough messages for now, and WorkFailed.
        """
        results = {contact: self._reach_one(unit, dispatch, contact) for contact in dispatch.named}
        debtor = {contact: result for contact, result in results.items() if is_debtors(contact)}
        if "reached" in debtor.values() or not _meant_for_debtor(dispatch.execution):
            return True
        if "silent" in debtor.values():
            return False
        for contact in [] if dispatch.policy.named_only else others(dispatch.customer.contacts, list(results)):
            enough = self._has_had_enough(unit.session, dispatch, contact)
            result = "closed" if enough else self._reach_one(unit, dispatch, contact)
            if result != "closed":
                return result == "reached"
        if dispatch.execution.ladder is not None:
            _leave_to_person(unit.session, dispatch)
        elif self._deps.asks_for_accessory(dispatch.execution.message):
            case_claim.leave_to_person(unit.session, dispatch.case, dispatch.now)
        return True

    def _has_had_enough(self, session: Session, dispatch: Dispatch, contact: Contact) -> bool:
        """Somebody whom the step does not name is spared when the week's messages are used up."""
        sent = outbox.of_invoice(session, dispatch.case.invoice_id, str(dispatch.execution.key))
        wait = contact_caps.earliest(session, self._deps, dispatch, [contact])
        if wait is None or any(row.contact_id == contact.contact_id for row in sent):
            return False
        note(session, dispatch, f"{contact.contact_id}.enough", "withheld", wait[1])
        return True

    def _reach_one(self, unit: UnitOfWork, dispatch: Dispatch, contact: Contact) -> Result:
        """Try the step's channels in order of preference until one is open to this contact."""
        for channel in dispatch.execution.by:
            if channel in BY_PERSON:
                result = call_tasks.raise_contact(unit.session, self._deps, dispatch, contact, channel)
            else:
                result = self._sending.send(unit, dispatch, contact, channel)
            if result != "closed":
                return result
        return "closed"


def _leave_to_person(session: Session, dispatch: Dispatch) -> None:
    """Ask a person to call, or to find a way where nobody can be called. Who wants no calls is only written to."""
    step, called_only = dispatch.execution.step, BY_PERSON.issuperset(dispatch.execution.by)
    why = f"nobody could be reached in writing for step {step}: please call"
    if not person_tasks.can_be_called(session, dispatch.case):
        if called_only and person_tasks.wants_no_calls(session, dispatch.case):
            said = f"{step} is a call, and they want no more calls: the ladder goes on in writing"
            note(session, dispatch, "uncalled", "withheld", said)
            return
        if called_only:
            why = (
                f"step {step} is a call, and nobody of theirs has a number that may be called: find one, and write "
                "it down; or close this task, and the ladder goes on in writing"
            )
        else:
            why = (
                f"nobody could be reached for step {step}, neither in writing nor by phone: "
                "find a phone number, an e-mail or a postal address of somebody of theirs, and write it down"
            )
    person_tasks.raise_about_step(session, dispatch, "unreachable", why, kind=TaskKind.CALL)


def _meant_for_debtor(execution: StepExecution) -> bool:
    return any(role is not Role.ACCOUNT_MANAGER for role in execution.to)

"""Sends a clerk's answer to whoever wrote to us, and says so to the clerk when it cannot leave."""

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.clerk_answer import ClerkAnswer
from dunwell.domain.contact import Contact
from dunwell.domain.keys import StepId
from dunwell.domain.terms import DEAD_STATES
from dunwell.services import answer_address, unsent_answers
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.message_claims import Result
from dunwell.services.sending import Sending
from dunwell.services.step_execution import StepExecution, execution_of_answer
from dunwell.store import answers, outbox
from dunwell.store.database import UnitOfWork


def execution_of(session: Session, case: Case, step: str) -> StepExecution | None:
    """The execution of a step that sends a clerk's answer; None for every other step. Raises LookupError."""
    answer_id = StepId.parse(step).persons_answer
    if answer_id is None:
        return None
    row = answers.get(session, answer_id)
    if row is None:
        raise LookupError(f"answer {answer_id!r} is not in the database")
    return execution_of_answer(case, answers.answer_of(row))


class AnswerSending:
    def __init__(self, deps: Dependencies, sending: Sending) -> None:
        self._deps, self._sending = deps, sending

    def bring(self, unit: UnitOfWork, dispatch: Dispatch, answer: ClerkAnswer) -> bool:
        """Send the answer by the channel of the reply, to its writer alone. False: it may not be sent any more.

        When it does not leave, a task tells a person why. Raises TooOften and WorkFailed.
        """
        contact = next(iter(dispatch.named), None)
        result: Result = "closed"
        if contact is not None:
            result = self._sending.send(unit, dispatch, contact, answer.channel)
        if result != "reached":
            why = self._why(unit.session, dispatch, answer, contact, result)
            unsent_answers.ask(unit.session, dispatch.case, answer, why, dispatch.now)
        return result != "silent"

    def _why(
        self, session: Session, dispatch: Dispatch, answer: ClerkAnswer, contact: Contact | None, result: Result
    ) -> str:
        label = answer.channel.facts.label
        if contact is None:
            return f"{answer.contact_id} is not written to any more"
        if result == "silent":
            return "the money came meanwhile, and the answer may ask for it: read it again, and answer anew"
        row = outbox.get(session, dispatch.message_id(contact, answer.channel))
        if row is not None and row.state in DEAD_STATES:
            return f"the message is {row.state.value}{f' ({row.reason})' if row.reason else ''}"
        address = contact.address(answer.channel)
        if address is None:
            lacks = contact.lacks_consent(answer.channel)
            what = f"consent to {label} is" if lacks else f"address for {label} is"
            return f"no {what} known of {contact.contact_id}"
        closed = answer_address.why_closed(session, dispatch, answer.channel, address)
        if closed:
            return f"their address for {label} {closed}"
        return f"{label} takes no free text now: they have not written there within a day"

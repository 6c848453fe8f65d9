"""One step to carry out: a step of the ladder, an answer that is owed, or a clerk's answer."""

from dataclasses import dataclass, replace

from dunwell.domain import next_action
from dunwell.domain.case import Case
from dunwell.domain.channels import COPIES_BY, Channel, answers_by
from dunwell.domain.clerk_answer import CLERK_ANSWER, ClerkAnswer
from dunwell.domain.contact import Contact
from dunwell.domain.grace import GRACE_OVER
from dunwell.domain.keys import StepKey
from dunwell.domain.policy import Policy, Step
from dunwell.domain.terms import Role

_ANSWER_TO = (Role.ACCOUNTS_PAYABLE,)
_TOLD_OF_ACCESS = (
    Role.ACCOUNTS_PAYABLE,
    Role.USER,
    Role.ACCOUNT_MANAGER,
)  # those who got the notice of the restriction


@dataclass(frozen=True)
class StepExecution:
    """`key` is the step under which messages are claimed; it differs from `step` after a reversal or a new due date.

    `confirms`: it confirms what the customer themselves did, at once: no contact cap of the ladder delays it.
    `again`: the step was done, but a message did not arrive; it only reaches further now.
    `answer`: what a clerk wrote, if that is what the step sends; it goes to whoever wrote to us, and to nobody else.
    `served`, `copy_of`: this is a copy of that message, which went to them; empty for the message itself.
    """

    step: str
    key: StepKey
    message: str | None
    to: tuple[Role, ...]
    by: tuple[Channel, ...]
    ladder: Step | None
    again: bool
    confirms: bool = False
    answer: ClerkAnswer | None = None
    served: tuple[Contact, ...] = ()
    copy_of: str | None = None

    @property
    def warning(self) -> bool:
        """Whether its messages count as warnings; a copy never does, because its reader is not asked to pay."""
        return self.ladder is not None and self.ladder.warning and not self.served

    @property
    def returns(self) -> bool:
        """Whether it restricts again what grace had lifted."""
        return self.step == GRACE_OVER

    @property
    def original_key(self) -> StepKey:
        """The key of the message itself, of which this may be a copy."""
        return self.key.of_original()

    def copied_from(self, served: tuple[Contact, ...], message_id: str) -> "StepExecution":
        """The execution that sends copies of this message, which went to `served`."""
        roles, key = self.ladder.copies if self.ladder else (), self.key.of_copies()
        return replace(self, key=key, to=roles, by=COPIES_BY, served=served, copy_of=message_id)


def execution_of_answer(case: Case, answer: ClerkAnswer) -> StepExecution:
    """The execution that sends a clerk's answer."""
    step, again = answer.step, answer.step in case.outstanding.again
    return StepExecution(step, StepKey(step=step), CLERK_ANSWER, (), (answer.channel,), None, again, answer=answer)


def execution_for(case: Case, policy: Policy, step_id: str) -> StepExecution:
    """Raises LookupError when the policy has no such step, or none that grace had lifted."""
    message = next_action.answer_message(step_id)
    if message is not None:
        again = step_id in case.outstanding.again
        on = case.rules.reactions
        of_access = {on.restored, on.nothing_to_pay, on.grace_granted}
        to = _TOLD_OF_ACCESS if message in of_access else _ANSWER_TO
        key, confirms = StepKey(step=step_id), message in on.confirmations
        return StepExecution(step_id, key, message, to, _answers_by(policy), None, again, confirms)
    if step_id == GRACE_OVER:
        step = restrictions(case, policy)[-1]
        key = _key(case, step.id, case.agreements.graces)
        return StepExecution(step_id, key, step.message, step.to, step.by, step, again=False)
    step = policy.step(step_id)
    key = _key(case, step_id, case.progress.returned.get(step_id, 0))
    return StepExecution(step_id, key, step.message, step.to, step.by, step, step_id in case.outstanding.again)


def restrictions(case: Case, policy: Policy) -> list[Step]:
    """The steps by which this case restricts the account, in the order in which they were done: what grace lifts.

    Raises LookupError when the policy, to which the case was moved, has none of them.
    """
    found = [step for done in case.progress.consequences for step in policy.steps if step.id == done]
    restricting = [step for step in found if step.restricts]
    if not restricting:
        raise LookupError(f"policy {policy.name} version {policy.version} has no step that restricted the account")
    return restricting


def _key(case: Case, step: str, grace: int) -> StepKey:
    again = case.reopened if step in case.progress.redo else 0
    return StepKey(step=step, round=case.progress.round, again=again, grace=grace)


def _answers_by(policy: Policy) -> tuple[Channel, ...]:
    """The channels of an answer, those that the ladder prefers first."""
    return answers_by(channel for step in policy.steps for channel in step.by)

"""Composes the message that a step of a case would send, without claiming or sending it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain import next_action
from dunwell.domain.case import Case
from dunwell.domain.channels import BY_PERSON, Channel
from dunwell.domain.contact import Contact
from dunwell.domain.recipients import reached
from dunwell.domain.refusal import Refused
from dunwell.services import answer_address, composing, joint_messages
from dunwell.services.answer_sending import execution_of
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.message_claims import in_form
from dunwell.services.step_execution import execution_for
from dunwell.store import invoices


@dataclass(frozen=True)
class PreviewedMessage:
    """A message as it would be sent, by the amounts of now.

    instead   nobody whom the step names can be reached, so it goes to this person
    closed    why nothing is sent to this address, if that is so
    invoices  the other invoices it would carry
    """

    contact: Contact
    channel: Channel
    address: str
    subject: str
    body: str
    closed: str | None
    instead: bool
    invoices: tuple[str, ...]


def preview_messages(
    session: Session, deps: Dependencies, case: Case, step: str, now: datetime, *, rehearsal: bool
) -> list[PreviewedMessage]:
    """Return the messages of a step as they would leave at `now`, one for each person it reaches.

    Each goes by the step's first channel for which the person has an address. Raises Refused for a step that the
    ladder does not have, and for an answer that the case does not owe.
    """
    policy = deps.policy(session, case.policy)
    if next_action.answer_message(step) is not None and step not in case.outstanding.owed:
        raise Refused("step", "is an answer that this case does not owe")
    customer = invoices.get_customer_of(session, case.invoice_id)
    try:
        execution = execution_of(session, case, step) or execution_for(case, policy, step)
    except LookupError:
        raise Refused("step", f"is no step of the ladder {policy.name}") from None
    if execution.message is None:
        return []
    dispatch = Dispatch(
        case=case,
        customer=customer,
        policy=policy,
        calendar=deps.calendar(customer, policy, case, now),
        execution=execution,
        now=now,
        planned_at=now,
        rehearsal=rehearsal,
        shared_with=invoices.sharing(session, customer),
    )
    if execution.answer is not None:
        people = [(contact, execution.answer.channel, False) for contact in dispatch.named]
    else:
        people = reached(customer.contacts, execution.to, execution.by, named_only=policy.named_only)
    return [_preview(session, deps, dispatch, *one) for one in people]


def _preview(
    session: Session, deps: Dependencies, dispatch: Dispatch, contact: Contact, channel: Channel, instead: bool
) -> PreviewedMessage:
    address = contact.address(channel) or ""
    carried = [] if channel in BY_PERSON else joint_messages.find(session, deps, dispatch, contact, channel, address)
    composed = composing.compose(session, deps, composing.lead_first(dispatch, carried), contact)
    subject, body = ("", composed.call) if channel in BY_PERSON else in_form(composed, channel.facts.form)[:2]
    return PreviewedMessage(
        contact=contact,
        channel=channel,
        address=address,
        subject=subject,
        body=body,
        closed=answer_address.why_closed(session, dispatch, channel, address),
        instead=instead,
        invoices=tuple(one.case.invoice_id for one in carried),
    )

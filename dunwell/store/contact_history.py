"""Reads the contacts with customers that figures are made of; never those of rehearsals."""

from collections import defaultdict
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import false, func, select
from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.events import CONVERSATIONS
from dunwell.domain.figures.contact import Contact, StepName
from dunwell.domain.keys import StepId, StepKey
from dunwell.domain.terms import CONTACT_TASKS, MessageState, TaskKind, TaskState
from dunwell.store.receivables import of_no_rehearsal
from dunwell.store.tables import InvoiceRow, MessageInvoiceRow, MessageRow, PolicyRow, TaskRow

MEMORY = timedelta(days=180)
"""How long before money a contact may lie of which it is said that the money followed."""


class MessageCount(NamedTuple):
    """How many messages of a channel have this state. None: nothing was heard of them by then."""

    channel: Channel
    state: MessageState | None
    number: int


class CallCount(NamedTuple):
    """How many calls, visits or meetings had this result."""

    kind: TaskKind
    result: str
    number: int


def policy_steps(session: Session) -> dict[str, list[str]]:
    """Return the steps of each policy in the order of its newest version, and after them those of older ones."""
    steps: dict[str, list[str]] = defaultdict(list)
    for row in session.scalars(select(PolicyRow).order_by(PolicyRow.version.desc())):
        known = steps[row.name]
        known += [step["id"] for step in row.body.get("steps", ()) if step["id"] not in known]
    return steps


def contacts(session: Session, currency: str, since: datetime, until: datetime) -> dict[str, list[Contact]]:
    """Return the contacts of each invoice between two times, oldest first.

    A contact is a message that asks for payment and was delivered, and a call, visit or meeting in which somebody was
    reached. It is named by the policy with which its case began.
    """
    found: dict[str, list[Contact]] = defaultdict(list)
    link, message = MessageInvoiceRow, MessageRow
    query = (
        select(link.invoice_id, link.step, message.settled_at, InvoiceRow.policy_name)
        .join(message, message.message_id == link.message_id)
        .join(InvoiceRow, InvoiceRow.invoice_id == link.invoice_id)
        .where(
            *of_no_rehearsal(currency),
            message.asks.is_(True),
            message.state == MessageState.DELIVERED,
            message.settled_at.between(since, until),
        )
    )
    for invoice_id, key, at, policy in session.execute(query):
        step = _step_of(key)
        if at is not None and step is not None:
            found[invoice_id].append(Contact(at, StepName(policy, step)))
    talks = (
        select(TaskRow.invoice_id, TaskRow.step, TaskRow.closed_at, InvoiceRow.policy_name)
        .join(InvoiceRow, InvoiceRow.invoice_id == TaskRow.invoice_id)
        .where(
            *of_no_rehearsal(currency),
            TaskRow.kind.in_(CONTACT_TASKS),
            TaskRow.state == TaskState.DONE,
            TaskRow.result.in_(CONVERSATIONS),
            TaskRow.closed_at.between(since, until),
        )
    )
    for invoice_id, step, at, policy in session.execute(talks):
        if at is not None:
            found[invoice_id].append(Contact(at, StepName(policy, StepId.parse(step).name)))
    for some in found.values():
        some.sort()
    return dict(found)


def calls(session: Session, currency: str, since: datetime, until: datetime) -> list[CallCount]:
    """Return what came of the calls, visits and meetings that were closed between two times."""
    query = (
        select(TaskRow.kind, TaskRow.result, func.count())
        .join(InvoiceRow, InvoiceRow.invoice_id == TaskRow.invoice_id)
        .where(
            *of_no_rehearsal(currency),
            TaskRow.kind.in_(CONTACT_TASKS),
            TaskRow.state == TaskState.DONE,
            TaskRow.result.is_not(None),
            TaskRow.closed_at.between(since, until),
        )
        .group_by(TaskRow.kind, TaskRow.result)
    )
    found = [CallCount(kind, str(result), number) for kind, result, number in session.execute(query)]
    return sorted(found, key=lambda one: (one.kind, -one.number, one.result))


def messages(session: Session, currency: str, since: datetime, until: datetime) -> list[MessageCount]:
    """Return the messages that providers took between two times, each once however many invoices it carries."""
    link, message = MessageInvoiceRow, MessageRow
    is_settled = func.coalesce(message.settled_at <= until, false())
    query = (
        select(message.channel, message.state, is_settled, func.count(message.message_id.distinct()))
        .join(link, link.message_id == message.message_id)
        .join(InvoiceRow, InvoiceRow.invoice_id == link.invoice_id)
        .where(*of_no_rehearsal(currency), message.sent_at.between(since, until))
        .group_by(message.channel, message.state, is_settled)
    )
    return [
        MessageCount(channel, state if settled else None, number)
        for channel, state, settled, number in session.execute(query)
    ]


@lru_cache(maxsize=1000)
def _step_of(key: str) -> str | None:
    """The step of a step key by its name; None for a copy."""
    parsed = StepKey.parse(key)
    return None if parsed.copied else StepId.parse(parsed.step).name

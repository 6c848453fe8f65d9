"""The queue of messages that wait for a free place at one address: warnings first, then by how long they wait.

A step that the contact caps delay joins the queue and gets the time of its place; a later step does not take it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain import next_action
from dunwell.domain.address import plain_key
from dunwell.domain.contact import Contact
from dunwell.domain.terms import DEAD_STATES, ProviderCall
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.step_execution import StepExecution, execution_for
from dunwell.store import address_waits, cases, outbox

_PATIENCE = timedelta(days=1)
"""A step that has not used its place by then is delayed by something else; other steps wait for it no longer."""


@dataclass(frozen=True)
class Ahead:
    """A message that goes first, and when."""

    address_key: str
    at: datetime


def ahead(session: Session, deps: Dependencies, dispatch: Dispatch, keys: Collection[str]) -> Sequence[Ahead]:
    """The messages about other customers that go before the job's at these addresses.

    Never one of the same customer, or of a customer with whom messages are shared: their invoices share one message.
    None once one contact has the job's message: other messages must not delay the remaining contacts of the step.
    """
    rows = address_waits.at(session, keys, dispatch.now - _PATIENCE)
    mine = next((row for row in rows if row.invoice_id == dispatch.case.invoice_id), None)
    own = (not is_urgent(dispatch.execution), mine.since if mine else dispatch.now, dispatch.case.invoice_id)
    together = {dispatch.case.customer_id, *dispatch.shared_with}
    found = [
        Ahead(row.address_key, max(row.until, dispatch.now))
        for row in rows
        if row.customer_id not in together and (not row.urgent, row.since, row.invoice_id) < own
    ]
    if found and _has_begun(session, dispatch):
        return []
    if not is_urgent(dispatch.execution):
        found += _due_today(session, deps, dispatch, keys, {row.invoice_id for row in rows})
    return found


def join(session: Session, dispatch: Dispatch, contacts: Sequence[Contact], until: datetime) -> None:
    """Let the job wait until then for its turn at the addresses of `contacts`."""
    keys = dispatch.keys(contacts)
    address_waits.put(
        session,
        dispatch.case,
        dispatch.execution.step,
        keys,
        urgent=is_urgent(dispatch.execution),
        now=dispatch.now,
        until=until,
    )


def is_urgent(execution: StepExecution) -> bool:
    """Whether it goes before reminders sent up to the due date: steps after the due date, and answers, do."""
    if execution.served:
        return False
    return execution.ladder is None or execution.ladder.chasing or execution.ladder.days_after_due is None


def _has_begun(session: Session, dispatch: Dispatch) -> bool:
    rows = outbox.of_invoice(session, dispatch.case.invoice_id, str(dispatch.execution.key))
    return any(row.state not in DEAD_STATES and row.call != ProviderCall.REFUSED for row in rows)


def _due_today(
    session: Session, deps: Dependencies, dispatch: Dispatch, keys: Collection[str], known: Collection[str]
) -> Iterator[Ahead]:
    """Warnings due today at these addresses that were not tried yet; reminders before the due date wait for them."""
    plain = {plain_key(key): key for key in keys}
    together = {dispatch.case.customer_id, *dispatch.shared_with}
    for case, role, key in cases.due_at(session, plain, dispatch.closing, rehearsal=dispatch.rehearsal):
        action = case.next_action
        if case.invoice_id in known or case.customer_id in together or action is None or case.resting:
            continue
        if action.step in next_action.DATES or next_action.answer_message(action.step):
            continue
        execution = execution_for(case, deps.policy(session, case.policy), action.step)
        if execution.warning and role in execution.to:
            yield Ahead(plain[key], max(action.at, dispatch.now))

"""Somebody else pays: a customer names them, and they get one e-mail that names no debt, once for all time.

Whoever a private customer names is written to only after a person of ours has agreed.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.keys import TaskId
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import PayerState, TaskState
from dunwell.domain.timeline import Entry
from dunwell.services import person_tasks
from dunwell.services.links import Link
from dunwell.store import audit, cases, invoices, payers, tasks, timeline, users
from dunwell.store.tables import PayerRow, TaskRow

TASK = "payer"
"""The name of the tasks that ask whether somebody is written to."""
MOST_OF_LINK, MOST_OF_CUSTOMER = 2, 10
"""How many people the holder of a link, and all people of a customer, may name."""


class TooManyPayers(Exception):
    """Nobody else can be named."""


@dataclass(frozen=True)
class NamedPayer:
    """Who was named, by whom (`who`, as the mail says it), and in which language they are written to."""

    name: str
    email: str
    who: str
    language: str


def name(
    session: Session, link: Link, form_id: str, invoice_id: str, named: NamedPayer, now: datetime, *, ask: bool
) -> None:
    """Keep who was named. They are written to, or a person is asked first (`ask`).

    Call with the customer's lock. Somebody who was named before is not named again. Raises TooManyPayers.
    """
    key = address_key(Channel.EMAIL, named.email)
    if payers.find(session, link.customer_id, key) is not None:
        return
    if not may_name(session, link.link_id, link.customer_id):
        raise TooManyPayers
    row = PayerRow(
        payer_id=_id_of(link, form_id),
        invoice_id=invoice_id,
        customer_id=link.customer_id,
        link_id=link.link_id,
        who=named.who,
        name=named.name,
        email=named.email,
        email_key=key,
        language=named.language,
        state=PayerState.ASKED if ask else PayerState.DUE,
        named_at=now,
    )
    payers.add(session, row)
    by = link.principal
    audit.append(session, by, f"invoice/{invoice_id}", "payer_named", now, key=f"payer.{row.payer_id}")
    said = "a person decides whether they are written to" if ask else "they get one e-mail that names no debt"
    _note(session, row, f"somebody else was named as the one who pays, by {by.label}: {said}", now)
    case = cases.get(session, invoice_id)
    if ask and case is not None:
        ask_person(session, case, row, now)


def was_named(session: Session, link: Link, form_id: str) -> bool:
    """Whether this form of a link named somebody who was new."""
    return payers.get(session, _id_of(link, form_id)) is not None


def _id_of(link: Link, form_id: str) -> str:
    return sha256(f"{link.link_id}.{form_id}".encode()).hexdigest()[:32]


def may_name(session: Session, link_id: str, customer_id: str) -> bool:
    """Whether the holder of this link may name one more."""
    of_link, of_customer = payers.count_of_link(session, link_id), payers.count_of_customer(session, customer_id)
    return of_link < MOST_OF_LINK and of_customer < MOST_OF_CUSTOMER


def of_task(session: Session, task: TaskRow) -> PayerRow | None:
    """Return about whom this task asks; None for a task about something else."""
    if not TaskId.parse(task.task_id).is_of(task.invoice_id, TASK):
        return None
    return next((row for row in payers.of_invoice(session, task.invoice_id) if _task(row) == task.task_id), None)


def check_decided(session: Session, task_id: str) -> None:
    """Raise Refused for the task of somebody about whom nobody has decided: it is closed by the decision."""
    task = tasks.get(session, task_id)
    row = of_task(session, task) if task is not None else None
    if row is not None and row.state is PayerState.ASKED:
        raise Refused("task_id", "waits for a decision: say on its page whether that person is written to")


def ask_person(session: Session, case: Case, row: PayerRow, now: datetime) -> None:
    """Ask a person whether somebody who was named is written to."""
    kind = invoices.customer_row(session, row.customer_id).kind
    who = "a private customer" if kind is not None else "a customer, who may be a private person,"
    reason = f"{who} named somebody else who pays. Decide whether that person is written to: the e-mail names no debt"
    person_tasks.raise_task(
        session, case, task_id=_task(row), step="", reason=reason, now=now, ref=payers.message_id_of(row.payer_id)
    )


def decide(session: Session, payer_id: str, principal: Principal, now: datetime, *, write: bool) -> PayerRow:
    """A person of ours decides whether somebody is written to. Call with the customer's lock.

    The same again by the same person changes nothing. Raises Refused when it was decided otherwise or by somebody
    else, saying so.
    """
    row = payers.get(session, payer_id)
    if row is None:
        raise Refused("payer", "is nobody who was named")
    if row.state is not PayerState.ASKED:
        if (row.decided_by, row.state is not PayerState.DECLINED) == (principal.label, write):
            return row
        raise Refused("payer", _decided(session, row))
    row.state, row.decided_by = PayerState.DUE if write else PayerState.DECLINED, principal.label
    said = "is written to" if write else "is not written to"
    audit.append(session, principal, f"invoice/{row.invoice_id}", "payer_decided", now, key=f"decided.{payer_id}")
    _note(session, row, f"whoever was named as the one who pays {said}, by {principal.label}", now)
    task, case = tasks.get(session, _task(row)), cases.get(session, row.invoice_id)
    if task is not None and case is not None and task.state == TaskState.OPEN:
        person_tasks.close(session, case, task, principal.label, now)
    session.flush()
    return row


def _decided(session: Session, row: PayerRow) -> str:
    if row.decided_by is None:
        return "nobody has to decide: they are written to without it"
    what = "are not written to" if row.state is PayerState.DECLINED else "are written to"
    return f"{users.name_of(session, row.decided_by)} has decided already that they {what}"


def settle(session: Session, row: PayerRow, state: PayerState, reason: str | None, now: datetime) -> None:
    """Write what became of the e-mail."""
    row.state, row.reason = state, reason
    said = {
        PayerState.SENT: "whoever was named as the one who pays was written to; no debt was named",
        PayerState.WITHHELD: "whoever was named as the one who pays is not written to",
    }.get(state, f"the e-mail to whoever was named as the one who pays: {state.value}")
    _note(session, row, f"{said}{f' ({reason})' if reason else ''}", now)
    session.flush()


def _note(session: Session, row: PayerRow, reason: str, now: datetime) -> None:
    key = f"payer.{row.payer_id}.{row.state.value}"
    timeline.write(session, row.invoice_id, [Entry(key=key, at=now, kind="payer", reason=reason)])


def _task(row: PayerRow) -> str:
    return str(TaskId.of(row.invoice_id, TASK, row.payer_id[:8]))

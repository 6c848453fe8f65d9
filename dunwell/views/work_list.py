"""The work list: open tasks, the most urgent first, with whom, when, how much and what to say."""

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dunwell.domain import questions
from dunwell.domain.case import Case
from dunwell.domain.channels import AddressKind, Channel
from dunwell.domain.closed_addresses import NO_CALLS
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import CONTACT_TASKS, PayerState, TaskKind, TaskState
from dunwell.services import credits, payers, step_approvals
from dunwell.services.call_tasks import number_asked_for
from dunwell.services.kind_questions import REASON, KindQuestion, open_questions, question
from dunwell.store import addresses, cases, contacts, invoices, notes, sent_files, tasks, users
from dunwell.store.tables import InvoiceRow, TaskRow
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice
from dunwell.views.names import Names, user_name


def open_work(
    session: Session,
    invoice_id: str | None = None,
    kind: str | None = None,
    due_by: datetime | None = None,
    *,
    rehearsals: bool = False,
) -> list[Facts]:
    """Open tasks: escalated ones first, then by hour, in each hour the largest amount first.

    rehearsals: those of rehearsals, too, whose names and numbers are real and must not be called. One invoice that
    is asked for by its id shows its tasks whatever it is. Raises Refused when nobody registered that invoice.
    """
    wanted, asked = _wanted(session, invoice_id, kind, due_by)
    facts = [*(_facts(session, row) for row in wanted), *(_asked(session, one) for one in asked)]
    found = sorted(facts, key=_urgency)
    return [one for one in found if rehearsals or invoice_id is not None or not one["rehearsal"]]


Place = tuple[bool, datetime, Decimal, str]
"""The place of a task on the list: not escalated, the hour, the amount with a minus, the id."""


def work_page(
    session: Session,
    after: Place | None,
    most: int,
    invoice_id: str | None = None,
    kind: TaskKind | None = None,
    due_by: datetime | None = None,
    *,
    rehearsals: bool = False,
) -> list[tuple[Place, Facts]]:
    """Open tasks as `open_work` has them, at most `most`, each after its place; those behind the place `after`.

    A task without an amount of its own is placed by that of its invoice.
    """
    opened, asked = _wanted(session, invoice_id, kind, due_by)
    known = invoices.get_rows(session, {row.invoice_id for row in opened})
    wanted: list[tuple[Place, TaskRow | KindQuestion]] = []
    for row in opened:
        invoice = known.get(row.invoice_id)
        if invoice is None or rehearsals or invoice_id is not None or not is_rehearsal(invoice.customer_id):
            amount = amount_of(row.amount, invoice.amount if invoice else None)
            wanted.append((place(row.escalated_at, row.due_at, amount, row.task_id), row))
    wanted += [(place(None, one.due_at, one.case.amount, one.task_id), one) for one in asked]
    wanted.sort(key=lambda one: one[0])
    page = [one for one in wanted if after is None or one[0] > after][:most]
    return [
        (place, _facts(session, one) if isinstance(one, TaskRow) else _asked(session, one)) for place, one in page
    ]


def _wanted(
    session: Session, invoice_id: str | None, kind: str | None, due_by: datetime | None
) -> tuple[list[TaskRow], list[KindQuestion]]:
    """The open tasks, and the questions what a customer is. Raises Refused when nobody registered the invoice."""
    if invoice_id is not None:
        find_invoice(session, invoice_id)
    opened = [
        row
        for row in tasks.open_tasks(session, invoice_id)
        if kind in {None, row.kind} and (due_by is None or row.due_at <= due_by)
    ]
    asked = open_questions(session, invoice_id) if kind in {None, TaskKind.DECISION} else []
    return opened, [one for one in asked if due_by is None or one.due_at <= due_by]


def _asked(session: Session, asked: KindQuestion) -> Facts:
    """The question what a customer is, as a task."""
    task = TaskRow(
        task_id=asked.task_id,
        invoice_id=asked.case.invoice_id,
        step="",
        kind=TaskKind.DECISION,
        due_at=asked.due_at,
        reason=REASON,
        script="",
        attempt=1,
        requested=False,
    )
    command = f"starter.py customer set {asked.case.customer_id} --kind KIND"
    return _facts(session, task) | {"outcome_command": command}


def work_of(session: Session, invoice_ids: Collection[str]) -> list[Facts]:
    """The open tasks of these invoices, in the same order."""
    return sorted((_facts(session, row) for row in tasks.open_of(session, invoice_ids)), key=_urgency)


def one_task(session: Session, task_id: str) -> Facts:
    """A task with its state, open or not. Raises Refused when there is none of this id."""
    row = tasks.get(session, task_id)
    if (asked := question(session, task_id)) is not None:
        return _asked(session, asked) | {"state": TaskState.OPEN, "outcome": None, "closed_at": None}
    if row is None:
        raise Refused("task", f"{task_id[:120]!r} is no task; `starter.py tasks` shows those that are open")
    return _facts(session, row) | {
        "state": row.state,
        "outcome": user_name(session, row.outcome),
        "closed_at": row.closed_at,
    }


def _urgency(task: Facts) -> Place:
    return place(task["escalated_at"], task["due_at"], task["amount"], task["task_id"])


def amount_of(own: Decimal | None, invoiced: Decimal | None) -> Decimal | None:
    """The amount of a task: its own, else what its invoice was over."""
    return own if own is not None else invoiced


def place(escalated_at: datetime | None, due_at: datetime, amount: Decimal | None, task_id: str) -> Place:
    """The place of a task on the list: escalated ones first, then by hour, in each hour the largest amount first."""
    hour = due_at.replace(minute=0, second=0, microsecond=0)
    return escalated_at is None, hour, -(amount or Decimal(0)), task_id


def _facts(session: Session, row: TaskRow) -> Facts:
    """What the task says, with whom, how much and how to close it as they are now."""
    invoice, case = invoices.get_row(session, row.invoice_id), cases.get(session, row.invoice_id)
    customer = invoices.customer_row(session, invoice.customer_id) if invoice else None
    contact, asked = contacts.get(session, row.contact_id), number_asked_for(session, row)
    on_file = contact.phone if contact else None
    zone = customer.time_zone if customer else "UTC"
    place = asked or (contact.address(Channel(row.kind)) if contact and row.kind in CONTACT_TASKS else None)
    phone_closed = _why_closed(session, row, asked or on_file)
    wanted = to_find(row.kind, place, closed=phone_closed is not None, requested=row.requested)
    amount = row.amount if row.amount is not None or case is None else case.asked
    disputed = case is not None and questions.dispute_task(case) == row.task_id
    return {
        "task_id": row.task_id,
        "invoice_id": row.invoice_id,
        "rehearsal": bool(invoice and is_rehearsal(invoice.customer_id)),
        "number": invoice.number if invoice else "",
        "customer": customer.name if customer else "",
        "step": row.step,
        "kind": row.kind,
        "contact": row.contact_id,
        "contact_name": contact.name if contact else None,
        "contact_role": contact.role.value if contact else None,
        "phone": asked or on_file,
        "phone_asked_for": asked is not None,
        "phone_on_file": on_file,
        "phone_closed": phone_closed,
        "place": place,
        "to_find": wanted.value if wanted is not None else None,
        "to_do": _to_do(wanted, phone_closed) if wanted is not None else None,
        "due_on": case.due_on if case else None,
        "due_at": row.due_at,
        "due_local": row.due_at.astimezone(ZoneInfo(zone)).isoformat(),
        "time_zone": zone,
        "amount": round(amount, invoice.digits) if invoice and amount is not None else None,
        "own_amount": row.amount is not None,
        "open": case.open_amount if case else None,
        "currency": row.currency or (invoice.currency if invoice else None),
        "attempt": row.attempt,
        "requested": row.requested,
        "escalated_at": row.escalated_at,
        "asked_by": _asked_by(session, row, case),
        "reason": _named(session, invoice, row.reason),
        "payer": _payer(session, row),
        "disputed": disputed,
        "words": None if asked is not None else _words(session, row, case if disputed else None),
        "files": _files(session, case) if case is not None and disputed else [],
        "covered": _why_covered(session, row, case),
        "script": row.script if wanted is None else "",
        "agent_script": row.agent_script if wanted is None else None,
        "outcome_command": _command(row, wanted),
    }


def _words(session: Session, row: TaskRow, disputed: Case | None) -> str | None:
    """What was written about it in free words, by the customer or a clerk; of a dispute, what is wrong."""
    dispute = disputed.agreements.dispute if disputed is not None else None
    note = notes.get(session, dispute.ref if dispute is not None else row.note_id)
    return note.text if note is not None else None


def _payer(session: Session, row: TaskRow) -> Facts | None:
    """Who was named as the one who pays, and waits for a decision; None for other tasks."""
    named = payers.of_task(session, row)
    if named is None or named.state is not PayerState.ASKED:
        return None
    return {"payer_id": named.payer_id, "name": named.name, "email": named.email}


def _files(session: Session, case: Case) -> list[Facts]:
    """The files that the customer sent with the dispute that is open: those since an earlier one was decided."""
    decided = max((one.at for one in case.agreements.resolved), default=None)
    return [
        {"file_id": one.file_id, "name": one.name, "media_type": one.media_type, "size": one.size}
        for one in sent_files.of_invoice(session, case.invoice_id)
        if decided is None or one.at > decided
    ]


def _named(session: Session, invoice: InvoiceRow | None, reason: str) -> str:
    """The reason with the names of people; of money that nobody could match, there is no invoice."""
    return Names(session, invoice.customer_id).within(reason) if invoice else users.with_names(session, reason)


def _asked_by(session: Session, row: TaskRow, case: Case | None) -> Facts | None:
    """Who asks for an approval: the ladder, and who moved the case to it. None for other tasks."""
    if case is None or row.kind is not TaskKind.APPROVAL:
        return None
    return {
        "policy": case.policy.name,
        "version": case.policy.version,
        "moved_by": user_name(session, step_approvals.requester(session, row, case)),
    }


def _why_covered(session: Session, row: TaskRow, case: Case | None) -> str | None:
    """Why nobody should call about money just now: credit covers it. None when nothing does."""
    found = credits.cover(session, case) if case is not None and row.kind in CONTACT_TASKS else None
    return found.why if found else None


def _why_closed(session: Session, row: TaskRow, phone: str | None) -> str | None:
    """Why this number is not called, such as "is a wrong number"; None when it is."""
    if phone is None:
        return None
    kept = cases.get_row(session, row.invoice_id)
    return addresses.why_closed(session, Channel.CALL, phone, rehearsal=bool(kept and kept.rehearsal))


def before_due(task: Facts, now: datetime) -> bool:
    """Whether a call, visit or meeting comes before the invoice is overdue: it reminds, and asks for nothing yet.

    now: by the clock of the task's case
    """
    if task["kind"] not in CONTACT_TASKS or task["due_on"] is None or task["requested"]:
        return False
    day: date = now.astimezone(ZoneInfo(task["time_zone"])).date()
    return bool(day <= task["due_on"])


def to_find(kind: str, place: str | None, *, closed: bool, requested: bool) -> AddressKind | None:
    """What has to be found before anybody can be called or visited; None when it is there.

    kind    of the task; place: the number or address on file
    closed  the number is closed to calls. Whoever asks for a call (`requested`) wants to be called at it
    """
    if kind not in CONTACT_TASKS:
        return None
    facts = Channel(kind).facts
    return facts.address if not place or (facts.capped_calls and closed and not requested) else None


def _to_do(wanted: AddressKind, phone_closed: str | None) -> str:
    """What somebody does who cannot call or visit."""
    if phone_closed == NO_CALLS:
        return f"Do not call: the number on file {phone_closed}. Reach them in writing, or find somebody else."
    if phone_closed is not None:
        return f"Do not call: the number on file {phone_closed}. {_FIND}"
    what = "postal address" if wanted is AddressKind.POSTAL else "phone number"
    return f"No {what} of theirs is known. {_FIND}"


_FIND = "Find another way to reach them, such as a number from their website or register, and write it down."


def _command(row: TaskRow, wanted: AddressKind | None = None) -> str:
    """The command that closes the task, or the one by which what is missing is written down."""
    if wanted is not None and row.contact_id is not None:
        option = "--post ADDRESS" if wanted is AddressKind.POSTAL else "--phone NUMBER"
        return f"starter.py contact set {row.contact_id} {option}"
    if row.kind == TaskKind.APPROVAL:
        return f"starter.py call-outcome {row.invoice_id} approved --task {row.task_id}"
    if row.kind in CONTACT_TASKS:
        return f"starter.py call-outcome {row.invoice_id} OUTCOME --task {row.task_id}"
    return f"starter.py close-task {row.task_id}"

"""Asks people for the keys of sealed signals that cannot be opened, and withdraws the task once a key is there."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.cleaning import one_line
from dunwell.domain.keys import TaskId
from dunwell.domain.sealed import SealedSignal
from dunwell.domain.terms import TaskState
from dunwell.services import person_tasks
from dunwell.services.handed_case import handed_case
from dunwell.services.request_models import CaseRequest
from dunwell.store import tasks
from dunwell.store.database import Database


class Unopened(NamedTuple):
    """The key that a signal names, and why it stays sealed."""

    key_id: str
    why: str


def ask_for_keys(
    database: Database, request: CaseRequest, tried: Sequence[tuple[SealedSignal, Unopened | None]], now: datetime
) -> list[str | None]:
    """Ask a person, once for each key, about signals that stay sealed; None beside a signal: it is open.

    Returns for each signal the id of the task that asks for its key; None for one that is open, and for one that is
    given up, because a person has closed its task. Raises OtherRun and OtherCopy.
    """
    asked = list[str | None]()
    waiting = dict[str, list[tuple[SealedSignal, str]]]()  # by task: what waits for the key, and why
    with database.writing(request.customer_id) as session:
        case = handed_case(session, request)
        for signal, unopened in tried:
            task_id = None
            if unopened is not None and not _is_given_up(session, signal):
                task_id = str(TaskId.of(case.invoice_id, "sealed", unopened.key_id))
                waiting.setdefault(task_id, []).append((signal, unopened.why))
            asked.append(task_id)
        for task_id, signals in waiting.items():
            _ask(session, case, task_id, signals, now)
        for task_id in {signal.task_id for signal, _ in tried if signal.task_id} - waiting.keys():
            _withdraw(session, case, task_id, now)
    return asked


def _is_given_up(session: Session, signal: SealedSignal) -> bool:
    task = tasks.get(session, signal.task_id) if signal.task_id else None
    return task is not None and task.state == TaskState.DONE


def _ask(
    session: Session, case: Case, task_id: str, waiting: Sequence[tuple[SealedSignal, str]], now: datetime
) -> None:
    names = ", ".join(sorted({one_line(signal.name)[:60] for signal, _ in waiting}))
    reason = (
        f"{len(waiting)} signal(s) of this case cannot be read ({names[:200]}): {waiting[0][1]}. The case goes on "
        "without. Mend PAYLOAD_KEYS of the workers and restart them: within the hour what waits is opened and taken. "
        "If nobody has the key any more, ask the sender what was told, tell it by command, and close this task: what "
        "waits is then given up"
    )
    known = tasks.get(session, task_id)
    if known is None:
        person_tasks.raise_task(session, case, task_id=task_id, step="", reason=reason, now=now, outlives_case=True)
    elif known.state != TaskState.OPEN:
        person_tasks.reopen(session, case, known, reason, now, now)
    else:
        known.reason = reason


def _withdraw(session: Session, case: Case, task_id: str, now: datetime) -> None:
    task = tasks.get(session, task_id)
    if task is not None and task.state == TaskState.OPEN:
        person_tasks.withdraw(session, case, [task], "what was sealed is open", now)

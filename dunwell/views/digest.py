"""What waits for a user this morning, in numbers: the text of their digest.

It leaves the console by e-mail, so it names nobody: counts, sums, and the addresses of the pages that show more.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.figures.period import AsOf
from dunwell.domain.principals import Right, Role, rights_of
from dunwell.domain.terms import TaskKind
from dunwell.store.tables import ApprovalRow
from dunwell.views.figures import figures, headline
from dunwell.views.replies import count_waiting
from dunwell.views.task_queue import QueuedTask, Urgency, queued_tasks
from dunwell.views.waiting import what_waits

Line = tuple[str, str]
"""What waits, and the page of the console that shows it."""


def digest_lines(session: Session, role: Role, now: datetime, until: datetime) -> list[Line]:
    """Return what waits for somebody of this role by `until`; empty when nothing does.

    Whoever decides about approvals reads the figures of receivables at its end.
    """
    lines = [line for right, part in _PARTS if right in rights_of(role) for line in part(session, now, until)]
    if lines and {Right.FIGURES_READ, Right.APPROVALS_WRITE} <= rights_of(role):  # figures alone wait for nobody
        lines += [(headline(one), "/figures") for one in figures(session, AsOf.at(now))["figures"]]
    return lines


def digest_text(lines: Sequence[Line], console: str) -> str:
    """Return the digest as plain text. `console` is the address of the console."""
    written = "\n\n".join(f"{what}\n{console}{page}" for what, page in lines)
    return f"{written}\n\n--\nYou asked for this e-mail, and end it here: {console}/profile\n"


def _tasks(session: Session, now: datetime, until: datetime) -> Iterator[Line]:
    due = [one for one in queued_tasks(session, now) if one.due_at <= until and one.kind is not TaskKind.APPROVAL]
    escalated = sum(one.urgency is Urgency.ESCALATED for one in due)
    if escalated:
        yield f"{_count(escalated, 'task')} escalated because nobody did them in time", ""
    for kind in TaskKind:
        some = [one for one in due if one.kind is kind]
        if some:
            yield f"{_count(len(some), kind.value)} for today{_sums(some)}", f"?kind={kind.value}"


def _replies(session: Session, now: datetime, until: datetime) -> Iterator[Line]:
    waiting = count_waiting(session)
    if waiting:
        yield f"{waiting} {'reply' if waiting == 1 else 'replies'} of customers that nobody has handled", "/replies"


def _approvals(session: Session, now: datetime, until: datetime) -> Iterator[Line]:
    steps = queued_tasks(session, now, TaskKind.APPROVAL)
    if steps:
        yield f"{_count(len(steps), 'step')} waiting for your approval{_sums(steps)}", "?kind=approval"
    asked = session.scalar(select(func.count()).select_from(ApprovalRow).where(ApprovalRow.decision.is_(None))) or 0
    if asked:
        yield f"{_count(asked, 'request')} waiting for your decision", "/approvals"


def _rest(session: Session, now: datetime, until: datetime) -> Iterator[Line]:
    waits = what_waits(session)
    if waits.unknown:
        yield (
            f"{_count(len(waits.unknown), 'message')} of which nobody knows whether they left",
            "/messages?state=unknown",
        )
    if waits.trouble:
        yield f"{_count(len(waits.trouble), 'case')} in trouble", ""
    if waits.credits:
        yield f"{_count(len(waits.credits), 'credit')} neither applied nor returned", ""
    if waits.findings:
        yield f"{_count(len(waits.findings), 'finding')} of the comparison with Temporal", ""


_PARTS: Sequence[tuple[Right, Callable[[Session, datetime, datetime], Iterator[Line]]]] = (
    (Right.MESSAGES_WRITE, _replies),
    (Right.TASKS_WRITE, _tasks),
    (Right.APPROVALS_WRITE, _approvals),
    (Right.TASKS_WRITE, _rest),
)
"""The parts of the digest, each with the right that makes it somebody's work."""


def _sums(tasks: Sequence[QueuedTask]) -> str:
    """Return what the tasks are about, by currency: ", about 1,200.00 EUR and 300.00 GBP"."""
    sums: dict[str, Decimal] = {}
    for one in tasks:
        if one.amount is not None and one.currency is not None:
            sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.amount
    return f", about {' and '.join(f'{amount:,} {code}' for code, amount in sorted(sums.items()))}" if sums else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

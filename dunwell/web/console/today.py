"""The page of the day: the queue of tasks, one of them with script, facts and outcome, and what else waits."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dunwell.domain.principals import Principal, Right, right_for
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TaskKind
from dunwell.services.kind_questions import KindQuestion, is_kind_question, question
from dunwell.store import cases, contacts, invoices, timeline
from dunwell.views.facts import Facts
from dunwell.views.replies import waiting_replies
from dunwell.views.task_queue import QueuedTask, Urgency, queued_tasks
from dunwell.views.waiting import what_waits
from dunwell.views.work_list import before_due, one_task
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.changes import change
from dunwell.web.console.forms import CONTACT_FORMS, EVENT_FORMS, Filled, task_form, texts_of
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, Position, is_partial, page, redirect
from dunwell.web.console.sending import Overtaken, send
from dunwell.web.posted_form import read_form
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PREFIX, route_class=ConsoleRoute, include_in_schema=False)

RESOLVE = "dispute_resolved"
_PAGE = 40
"""Tasks of the queue that one page shows."""
_KINDS = {"": "All", "call": "Calls", "visit": "Visits", "meeting": "Meetings", "approval": "Approvals"} | {
    "decision": "Decisions"
}


@router.get("")
async def today(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.TASKS_READ))],
    task: str = "",
    kind: str = "",
    first: Position = 0,
    done: str = "",
) -> Response:
    """Show the queue with the task `task`, by default the most urgent one. htmx gets the task alone."""
    return await _shown(request, principal, task, kind, first, done=_DONE.get(done))


@router.post("/tasks/{task_id}")
async def close(
    request: Request, task_id: str, principal: Annotated[Principal, Depends(allowed(Right.TASKS_WRITE))]
) -> Response:
    """Record what came of a task, then show the next one."""
    typed = await read_form(request)
    if is_kind_question(task_id):
        return await _classify(request, principal, task_id, typed)
    facts = await asyncio.to_thread(_task, service_of(request), task_id)
    form = task_form(facts["kind"], to_find=bool(facts["to_find"]))
    is_done = facts["kind"] == TaskKind.DECISION or facts["to_find"]
    fixed = {"task_id": task_id} | ({"outcome": "done"} if is_done else {})
    try:
        told = await send(request, principal, facts["invoice_id"], form, typed, fixed)
    except Overtaken as overtaken:
        return await _shown(request, principal, task_id, filled=overtaken.filled, status=409)
    if isinstance(told, Filled):
        return await _shown(request, principal, task_id, filled=told, status=422)
    return redirect(PREFIX, done="remark" if told.remark else "outcome")


async def _classify(request: Request, principal: Principal, task_id: str, typed: Mapping[str, str]) -> Response:
    """Record what a customer is, as the customer's page does. The question is gone once somebody has answered it."""
    principal.check(Right.CUSTOMERS_WRITE)
    asked = await asyncio.to_thread(_question, service_of(request), task_id)
    if asked is None:
        return redirect(PREFIX, done="remark")
    filled, kind = Filled(task_form(TaskKind.DECISION, task_id), typed), typed.get("kind", "")
    customer_id = asked.case.customer_id
    try:
        if not kind:
            raise Refused("kind", "is missing: choose one")
        untold = await change(
            request,
            principal,
            typed,
            lambda customers: customers.set_customer(customer_id, {"kind": kind}, principal.label),
        )
    except Refused as refused:
        return await _shown(request, principal, task_id, filled=filled.refused(refused), status=422)
    return redirect(PREFIX, done="untold" if untold else "outcome")


_DONE: Mapping[str, str] = {
    "untold": "Saved. Temporal does not answer just now, so the cases read it at their next step.",
    "outcome": "The outcome is recorded. The next task is open below.",
    "remark": "Nothing was left to do: that task was closed before.",
}


async def _shown(
    request: Request,
    principal: Principal,
    task_id: str = "",
    kind: str = "",
    first: int = 0,
    filled: Filled | None = None,
    status: int = 200,
    done: str | None = None,
) -> Response:
    replies = not kind and not is_partial(request) and principal.may(Right.MESSAGES_READ)
    facts = await asyncio.to_thread(_facts, service_of(request), now(request), task_id, kind, first, replies)
    selected = facts["selected"]
    if selected is not None and filled is None and _may_close(principal, selected):
        form = task_form(selected["kind"], selected["task_id"], to_find=bool(selected["to_find"]))
        filled = Filled(form, seen=facts["seen"])
    find = None
    if selected is not None and selected["to_find"] and facts["known"] and principal.may(Right.CUSTOMERS_WRITE):
        find = Filled.of(CONTACT_FORMS["set"], facts["known"])
    resolve = None
    if selected is not None and selected["disputed"] and principal.may(right_for(RESOLVE)):
        resolve = Filled(EVENT_FORMS[RESOLVE], seen=facts["seen"])
    template = "task.html" if is_partial(request) else "today.html"
    return page(
        request,
        template,
        principal,
        status,
        filled=filled,
        find=find,
        resolve=resolve,
        done=done,
        page_size=_PAGE,
        **facts,
    )


def _may_close(principal: Principal, task: Facts) -> bool:
    if is_kind_question(task["task_id"]):
        return principal.may(Right.CUSTOMERS_WRITE)
    return principal.may(Right.APPROVALS_WRITE if task["kind"] == TaskKind.APPROVAL else Right.TASKS_WRITE)


def _facts(service: Service, at: datetime, task_id: str, kind: str, first: int, replies: bool) -> dict[str, Any]:
    with service.database.reading() as session:
        tasks = queued_tasks(session, at)
        wanted = [one for one in tasks if not kind or one.kind == kind]
        shown = wanted[first : first + _PAGE]
        chosen = task_id or (shown[0].task_id if shown else "")
        selected = _selected(session, chosen) if chosen else None
        return {
            "tasks": wanted,
            "shown": shown,
            "groups": [(urgency.value, list(group)) for urgency, group in groupby(shown, key=_urgency)],
            "kinds": _counted(tasks),
            "kind": kind,
            "more": first + _PAGE if first + _PAGE < len(wanted) else 0,
            "selected": selected,
            "before_due": selected is not None and before_due(selected, _time_of(session, selected, at)),
            "known": _known(session, selected) if selected is not None else {},
            "seen": timeline.last_number(session, selected["invoice_id"]) if selected else 0,
            "waiting": what_waits(session),
            "replies": waiting_replies(session, at) if replies else [],
        }


def _urgency(task: QueuedTask) -> Urgency:
    return task.urgency


def _counted(tasks: list[QueuedTask]) -> list[tuple[str, str, int]]:
    numbers = {word: sum(not word or one.kind == word for one in tasks) for word in _KINDS}
    return [(word, name, numbers[word]) for word, name in _KINDS.items() if numbers[word] or not word]


def _selected(session: Session, task_id: str) -> Facts:
    facts = one_task(session, task_id)
    row = invoices.get_row(session, facts["invoice_id"])
    return facts | {"customer_id": row.customer_id if row else ""}


def _time_of(session: Session, task: Facts, at: datetime) -> datetime:
    row = cases.get_row(session, task["invoice_id"])
    return cases.time_of(row, at) if row is not None else at


def _known(session: Session, task: Facts) -> Mapping[str, str]:
    """What is known of the contact of a task, as the form that corrects it shows it; empty without one."""
    contact = contacts.get(session, task["contact"])
    return texts_of(contact.model_dump(mode="json")) if contact is not None else {}


def _question(service: Service, task_id: str) -> KindQuestion | None:
    with service.database.reading() as session:
        return question(session, task_id)


def _task(service: Service, task_id: str) -> Facts:
    """Raises Refused when there is no such task."""
    with service.database.reading() as session:
        facts = one_task(session, task_id)
    if not facts["invoice_id"]:
        raise Refused("task", "is about no invoice")
    return facts

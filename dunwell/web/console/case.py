"""The page of a case: its ladder, what comes next and why, every event as a form, claim, messages and timeline."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dunwell.client.answers import TellOutcome
from dunwell.client.server import ServerAway
from dunwell.client.status import Known, copied_status
from dunwell.domain import grace
from dunwell.domain.case import Case
from dunwell.domain.evidence import verify
from dunwell.domain.next_action import CALL_OVER
from dunwell.domain.payment_reference import grouped
from dunwell.domain.principals import Principal, Right, right_for
from dunwell.domain.refusal import Refused
from dunwell.services import payers as payer_decisions
from dunwell.services.claims import today_of
from dunwell.services.message_preview import preview_messages
from dunwell.store import (
    cases,
    invoices,
    payers,
    payment_references,
    sent_files,
    standstills,
    timeline,
    users,
)
from dunwell.views.case_ladder import LadderStep, Place, ladder_of
from dunwell.views.claim import claim_or_reason
from dunwell.views.credit import credit_beside
from dunwell.views.evidence import as_text, gather
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice
from dunwell.views.notes import notes_about
from dunwell.views.outbox import of_invoice
from dunwell.views.replies import replies_of
from dunwell.views.work_list import work_of
from dunwell.web.auth import allowed, allowed_to_tell
from dunwell.web.clock import now
from dunwell.web.console.case_picture import case_picture
from dunwell.web.console.formats import PAYER_STATES
from dunwell.web.console.forms import EVENT_FORMS, Filled
from dunwell.web.console.policy_moves import other_versions
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, file_response, is_partial, page, redirect
from dunwell.web.console.sending import Overtaken, send
from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of
from workflows.status import Status

router = APIRouter(prefix=f"{PREFIX}/cases", route_class=ConsoleRoute, include_in_schema=False)

_DONE: Mapping[str, str] = {
    TellOutcome.DONE.value: "Done: the case has it, and the page shows how it stands now.",
    TellOutcome.ACCEPTED.value: "The case has it and decides about it: reload in a moment, and see what came of it.",
    TellOutcome.SENT.value: "No worker answered. Temporal keeps it; a refusal would be in the timeline.",
    "payer_write": "They get one e-mail that names no debt, at the next decent hour.",
    "payer_leave": "They are not written to.",
    "moved": "Moved: the case goes on by the other version. Nothing is sent within a day of it.",
    TellOutcome.REOPENED.value: "The case had ended: it was opened again with this.",
}


@router.get("/{invoice_id}")
async def case_page(
    request: Request,
    invoice_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))],
    done: str = "",
) -> Response:
    """Show the case."""
    return await _shown(request, principal, invoice_id, done=_DONE.get(done))


@router.get("/{invoice_id}/preview")
async def preview(
    request: Request,
    invoice_id: str,
    step: str,
    principal: Annotated[Principal, Depends(allowed(Right.MESSAGES_READ))],
) -> Response:
    """Show the messages of a step as they would leave now. htmx gets them alone."""

    def read() -> dict[str, Any]:
        service = service_of(request)
        with service.database.reading() as session:
            row, case = _case(session, invoice_id)
            at = cases.time_of(row, now(request))
            found = preview_messages(session, service.deps, case, step, at, rehearsal=row.rehearsal)
            return {"messages": found, "step": step, "invoice": invoices.get_row(session, invoice_id)}

    facts = await asyncio.to_thread(read)
    return page(request, "preview_part.html" if is_partial(request) else "preview.html", principal, **facts)


@router.get("/{invoice_id}/evidence")
async def evidence(
    request: Request,
    invoice_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))],
) -> Response:
    """Answer the evidence of a case as a file: one record a line, in a chain of hashes."""
    service = service_of(request)
    content = await asyncio.to_thread(gather, service.database, invoice_id, service.seller)
    return file_response(content, f"evidence-{invoice_id}.jsonl", "application/jsonl")


@router.get("/{invoice_id}/chronology")
async def chronology(
    request: Request,
    invoice_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))],
) -> Response:
    """Answer the same as a text for people."""
    service = service_of(request)

    def read() -> str:
        return as_text(verify(gather(service.database, invoice_id, service.seller)))

    text = await asyncio.to_thread(read)
    return file_response(text, f"chronology-{invoice_id}.txt", "text/plain; charset=utf-8")


@router.get("/{invoice_id}/files/{file_id}")
async def sent_file(
    request: Request,
    invoice_id: str,
    file_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_READ))],
) -> Response:
    """Answer a file that the customer sent: to be kept as a file, never shown in the browser."""

    def read() -> tuple[str, bytes]:
        with service_of(request).database.reading() as session:
            row = sent_files.get(session, invoice_id, file_id)
            if row is None:
                raise Problem(404, "There is no such file.")
            return row.name, row.content

    name, content = await asyncio.to_thread(read)
    return file_response(content, name, "application/octet-stream")


@router.post("/{invoice_id}/payers/{payer_id}")
async def decide_about_payer(
    request: Request,
    invoice_id: str,
    payer_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.CASES_WRITE))],
) -> Response:
    """Decide whether somebody is written to whom a private customer named as the one who pays."""
    decision = (await read_form(request)).get("decision", "")
    if decision not in {"write", "leave"}:
        raise Problem(422, "Say whether they are written to.")
    service = service_of(request)

    def decide() -> None:
        with service.database.reading() as session:
            customer_id = find_invoice(session, invoice_id).customer_id
            row = payers.get(session, payer_id)
        if row is None or row.invoice_id != invoice_id:
            raise Problem(404, "Nobody of this id was named about this invoice.")
        with service.database.writing(customer_id) as session:
            payer_decisions.decide(session, payer_id, principal, now(request), write=decision == "write")

    try:
        await asyncio.to_thread(decide)
    except Refused as refused:
        if refused.field != "payer":
            raise
        problem = f"Nothing was changed: {refused.reason}."
        return await _shown(request, principal, invoice_id, status=409, problem=problem)
    return redirect(f"{PREFIX}/cases/{invoice_id}", done=f"payer_{decision}")


@router.post("/{invoice_id}/{event}")
async def tell(
    request: Request, invoice_id: str, event: str, principal: Annotated[Principal, Depends(allowed_to_tell())]
) -> Response:
    """Tell the case an event by its form. Then the case is shown, or the form again with what was refused."""
    form = EVENT_FORMS.get(event)
    if form is None:
        raise Problem(404, "There is no such form.")
    typed = await read_form(request)
    try:
        told = await send(request, principal, invoice_id, form, typed)
    except Overtaken as overtaken:
        return await _shown(request, principal, invoice_id, overtaken.filled, 409)
    if isinstance(told, Filled):
        return await _shown(request, principal, invoice_id, told, 422)
    return redirect(f"{PREFIX}/cases/{invoice_id}", done=told.how.value)


async def _shown(
    request: Request,
    principal: Principal,
    invoice_id: str,
    filled: Filled | None = None,
    status: int = 200,
    done: str | None = None,
    problem: str | None = None,
) -> Response:
    service = service_of(request)
    known = await _known(service, invoice_id)
    facts = await asyncio.to_thread(_facts, service, known.status, now(request))
    forms = _forms(principal, known.status, facts, filled)
    shown = {"known": known, "forms": forms, "opened": filled, "done": done, "problem": problem}
    return page(request, "case.html", principal, status, **shown, **facts)


async def _known(service: Service, invoice_id: str) -> Known:
    """How the case stands by its own word; by the database's copy when it cannot answer. Raises Refused."""
    try:
        await service.connection.ensure()
        return await service.cases.status(invoice_id)
    except ServerAway:
        return await asyncio.to_thread(copied_status, service.database, invoice_id)


def _asked_call(status: Status, listed: list[Facts]) -> Facts | None:
    """Return the task of the call for which the case waits; None where it waits for none."""
    if status.next_action is None or status.next_action.step != CALL_OVER:
        return None
    return next((one for one in listed if one["requested"]), None)


def _facts(service: Service, status: Status, at: datetime) -> dict[str, Any]:
    invoice_id = status.invoice_id
    with service.database.reading() as session:
        row, case = _case(session, invoice_id)
        at = cases.time_of(row, at)
        invoice = find_invoice(session, invoice_id)
        customer = invoices.customer_row(session, invoice.customer_id)
        steps, listed = _steps(service, session, case, at), work_of(session, [invoice_id])
        named = payers.of_invoice(session, invoice_id)
        return {
            "now": at,
            "status": status,
            "case": case,
            "restricted_again": _restricted_again(service, session, case, at),
            "reference": grouped(payment_references.reference_of(session, [case.invoice_id])),
            "invoice": invoice,
            "customer": customer,
            "zone": customer.time_zone,
            "steps": steps,
            "next_step": next((one.step for one in steps if one.place is Place.NEXT), None),
            "versions": other_versions(service, session, case.policy) if case.ended is None else (),
            "picture": case_picture(steps, case.due_on, at, customer.time_zone) if steps else "",
            "standstill": standstills.in_force(session),
            "tasks": listed,
            "asked_call": _asked_call(status, listed),
            "messages": of_invoice(session, invoice_id)[::-1],
            "files": sent_files.of_invoice(session, invoice_id),
            "payers": named,
            "payer_states": PAYER_STATES,
            "user_names": {one.decided_by: users.name_of(session, one.decided_by) for one in named if one.decided_by},
            "notes": notes_about(session, invoice.customer_id, [invoice_id]),
            "replies": replies_of(session, invoice.customer_id, at),
            "credits_beside": credit_beside(session, invoice),
            "seen": timeline.last_number(session, invoice_id),
            **claim_or_reason(session, invoice_id, service.seller, today_of(session, case, at)),
        }


def _restricted_again(service: Service, session: Session, case: Case, at: datetime) -> date | None:
    """The day on which grace is over, as the case and its message name it; None while none runs."""
    running = case.agreements.grace
    if running is None:
        return None
    try:
        return grace.returns_on(running, service.deps.case_calendar(session, case, at), running.since)
    except LookupError:  # its customer or its ladder is missing: a person was asked
        return None


def _case(session: Session, invoice_id: str) -> tuple[Any, Case]:
    """Raises Refused when there is no such case."""
    find_invoice(session, invoice_id)
    row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
    if row is None or case is None:
        raise Refused("invoice", f"{invoice_id!r} is registered, but its case was never opened: start its file again")
    return row, case


def _steps(service: Service, session: Session, case: Case, at: datetime) -> list[LadderStep]:
    try:
        return ladder_of(session, service.deps, case, at)
    except LookupError:  # its ladder or its customer is missing: a person was asked, and the rest is shown
        return []


def _forms(principal: Principal, status: Status, facts: Mapping[str, Any], filled: Filled | None) -> list[Filled]:
    """The forms that make sense now and that the principal may send; the one that was refused as it was typed."""
    ended, disputed = status.stage.ended, facts["case"].agreements.dispute is not None
    sense = {
        "promise_to_pay": not ended,
        "payment_plan_agreed": not ended,
        "payment_announced": not ended,
        "call_requested": not ended,
        "grace_granted": grace.is_possible(facts["case"]),
        "dispute_opened": not ended and not disputed,
        "dispute_resolved": disputed,
        "pause": not ended,
        "resume": bool(facts["case"].agreements.pauses),
        "payment_received": True,
        "payment_reversed": bool(status.payments),
        "invoice_amended": not ended,
        "write_off": not ended,
        "cancel": not ended,
    }
    shown = []
    for event, form in EVENT_FORMS.items():
        if filled is not None and filled.form is form:
            shown.append(filled)
        elif sense[event] and principal.may(right_for(form.name)):
            shown.append(Filled(form, seen=facts["seen"]))
    return shown

"""The HTTP API for the billing system, for agents' tools and for the product."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python

from dunwell.client import credits
from dunwell.client.answers import TellOutcome
from dunwell.client.bulk_start import RefusedInvoice, Result, start_all
from dunwell.client.registration import Registered
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.client.status import copied_status
from dunwell.domain.cleaning import clean, one_line
from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.domain.invoice import Invoice
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.intake.invoices import Refusal, parse_records
from dunwell.intake.lines import Record
from dunwell.intake.refusals import shown
from dunwell.intake.text_checks import is_identifier
from dunwell.services.idempotency import StillRunning
from dunwell.views.case_status import case_facts
from dunwell.views.claim import claim_facts
from dunwell.web.auth import allowed, allowed_to_tell, principal_in
from dunwell.web.request_body import Problem, parse_json, read_body, repeated_key
from dunwell.web.service import Service, service_of
from workflows.status import Status

_KEY_HEADER = "Idempotency-Key"
_MOST_INVOICES = 500
_MOST_NOTE = 4_000


router = APIRouter(prefix="/api")


# Invoices ------------------------------------------------------------------------------------------------


@router.post(
    "/invoices", summary="Start a case for each invoice", dependencies=[Depends(allowed(Right.INVOICES_WRITE))]
)
async def start_invoices(request: Request) -> JSONResponse:
    """One invoice object, or a list of at most 500. Safe to repeat: nothing is started or sent twice.

    Each item has a result: `started`, `already running`, `already ended`, `interrupted in Temporal` (`starter.py
    reconcile --apply` begins it again), `wholly paid before` (by its `paid`), `refused` with its problems, or `not
    tried` when the Temporal server went down. `changes` lists what a record changes about a known customer or
    contact. `language` is given when there are no messages in the customer's language.
    200: no item was refused; 207: some were refused; 422: all were refused.
    """
    data = parse_json(await read_body(request))
    items = data if isinstance(data, list) else [data]
    if not items:
        raise Problem(422, "The list is empty: send at least one invoice.")
    if len(items) > _MOST_INVOICES:
        raise Problem(413, f"The list has {len(items)} invoices: send at most {_MOST_INVOICES} at a time.")
    await _server(request)
    answers: list[dict[str, Any]] = []
    away: str | None = None
    checked = parse_records([Record(f"item {position}", item) for position, item in enumerate(items, 1)])
    for position, item in enumerate(items, 1):
        if away is not None:
            answers.append({"item": position, "invoice_id": _named(item), "result": "not tried"})
            continue
        answer, away = await _start(service_of(request), principal_in(request), checked[position - 1], item, position)
        answers.append(answer)
    body: dict[str, Any] = {"items": answers} | ({"reason": away} if away else {})
    return JSONResponse(body, _status_of(answers, away))


def _status_of(answers: list[dict[str, Any]], away: str | None) -> int:
    if away is not None:
        return 503
    refused = sum(answer["result"] == "refused" for answer in answers)
    return 200 if not refused else 422 if refused == len(answers) else 207


async def _start(
    service: Service, principal: Principal, invoice: Invoice | list[Refusal], item: object, position: int
) -> tuple[dict[str, Any], str | None]:
    """Start one invoice. Returns its answer, and a reason when the server went away and the rest cannot be tried."""
    base = {"item": position, "invoice_id": _named(item)}
    if isinstance(invoice, list):
        problems = [
            {"field": one.field, "reason": one.reason} | ({"value": one.value} if one.value is not None else {})
            for one in invoice
        ]
        return base | {"result": "refused", "problems": problems}, None
    results: list[Result] = []
    changes: list[str] = []

    def register(some: Sequence[Invoice]) -> list[Registered | Refused]:
        found = service.registrar.register_all(some, datetime.now(UTC), principal=principal)
        changes.extend(str(change) for one in found if isinstance(one, Registered) for change in one.changes)
        return found

    away = await start_all(service.cases, [invoice], register, results.append)
    if away is not None:
        return base | {"result": "not tried"}, away
    result = results[0]
    if isinstance(result, RefusedInvoice):
        field, _, reason = result.reason.partition(": ")
        return base | {"result": "refused", "problems": [{"field": field, "reason": reason}]}, None
    note = service.registrar.other_language(invoice)
    more = {"language": note, "changes": changes}
    return base | {"result": result.value} | {name: value for name, value in more.items() if value}, None


def _named(item: object) -> str | None:
    return shown(item.get("invoice_id")) if isinstance(item, Mapping) else None


@router.get(
    "/invoices/{invoice_id}/claim",
    summary="What may be claimed for an invoice on a day",
    dependencies=[Depends(allowed(Right.INVOICES_READ))],
)
async def invoice_claim(request: Request, invoice_id: str, as_of: date | None = None) -> JSONResponse:
    """Principal, interest by period, lump sum and costs on the day `as_of`, by default the customer's today, with the
    law that governs it. `certainty` is confirmed, provisional or unconfirmed; `reasons` say why. 404: no such case.
    422: the law that the claim needs is not chosen, unknown or not complete.
    """
    _check_id(invoice_id)
    service = service_of(request)

    def read() -> dict[str, Any]:
        with service.database.reading() as session:
            return claim_facts(session, invoice_id, as_of, service.seller)

    try:
        return JSONResponse(await asyncio.to_thread(read))
    except Refused as refused:
        raise _problem(refused) from None


# Cases ---------------------------------------------------------------------------------------------------


@router.get("/cases/{invoice_id}", summary="How a case stands", dependencies=[Depends(allowed(Right.CASES_READ))])
async def case_status(request: Request, invoice_id: str) -> JSONResponse:
    """The status, by the case itself; when it cannot answer, the database's copy, and `copied` says why.

    `interrupted`: its run was terminated, cancelled, timed-out or failed in Temporal, so nothing happens.
    """
    _check_id(invoice_id)
    service = service_of(request)
    try:
        try:
            await service.connection.ensure()
            known = await service.cases.status(invoice_id)
        except ServerAway:
            known = await asyncio.to_thread(copied_status, service.database, invoice_id)
    except Refused as refused:
        raise _problem(refused) from None
    body = await asyncio.to_thread(_case_facts, service, known.status)
    beside = {"copied": known.copied, "interrupted": known.interrupted}
    return JSONResponse(to_jsonable_python(body | {name: said for name, said in beside.items() if said}))


def _case_facts(service: Service, status: Status) -> dict[str, Any]:
    with service.database.reading() as session:
        return case_facts(session, status, service.seller)


@router.post(
    "/cases/{invoice_id}/credit_returned",
    summary="Note that credit was paid back to the customer",
    dependencies=[Depends(allowed(Right.PAYMENTS_WRITE))],
)
async def return_credit(request: Request, invoice_id: str) -> JSONResponse:
    """The body: `credit_id`, `amount`, `currency`, `by`. It counts once by its `credit_id`, and changes no case: 200
    answers the status of the invoice that was paid too much, 422 with field and reason when it has no such credit.
    """
    _check_id(invoice_id)
    content = _object(parse_json(await read_body(request)))
    try:
        status = await asyncio.to_thread(
            credits.give_back, service_of(request).database, invoice_id, content, principal_in(request)
        )
    except Refused as refused:
        raise _problem(refused) from None
    return JSONResponse(status.model_dump(mode="json"))


@router.post(
    "/cases/{invoice_id}/{event}", summary="Tell a case what happened", dependencies=[Depends(allowed_to_tell())]
)
async def tell_case(
    request: Request,
    invoice_id: str,
    event: str,
    idempotency_key: Annotated[
        str | None, Header(description="The same key again is the same request: carried out once, answered alike.")
    ] = None,
) -> JSONResponse:
    """The body is the event, one JSON object. Beside its fields `note` may hold free text, which stays in the
    database. 200: the new status. 202: accepted, but the case has not answered yet; `result` says how far it is.
    422: refused, with field and reason, or the key was used for another request. 409: the first request of this key
    has no answer yet; `Retry-After` says when to ask again. 404: no such case, or no such event.
    """
    _check_id(invoice_id)
    if event not in PERSONAL_DECISIONS:
        raise Problem(404, f"There is no event of this name; known are {', '.join(sorted(PERSONAL_DECISIONS))}.")
    content = _object(parse_json(await read_body(request)))
    note = _note(content.pop("note", None))
    await _server(request)
    try:
        told = await service_of(request).cases.tell(
            invoice_id,
            event,
            content,
            note=note,
            principal=principal_in(request),
            request_id=idempotency_key,
        )
    except Refused as refused:
        raise _problem(refused) from None
    except StillRunning as running:
        wait = {"Retry-After": str(running.retry_after)}
        raise Problem(409, str(running), _KEY_HEADER, headers=wait) from None
    except (NoAnswer, ServerAway) as error:
        raise Problem(503, str(error)) from None
    if told.status is not None:
        remark = {"remark": told.remark} if told.remark else {}
        return JSONResponse(told.status.model_dump(mode="json") | remark)
    return JSONResponse({"invoice_id": invoice_id, "result": told.how.value, "meaning": _MEANING[told.how]}, 202)


_MEANING: Mapping[TellOutcome, str] = {
    TellOutcome.DONE: "the case took it in and wrote it down",
    TellOutcome.ACCEPTED: "the case has it and decides about it; the same request again answers what came of it",
    TellOutcome.SENT: "the server keeps it for the next worker; a refusal would stand in the timeline",
    TellOutcome.REOPENED: "the case had ended; a new run of it begins with this",
}


async def _server(request: Request) -> None:
    try:
        await service_of(request).connection.ensure()
    except ServerAway as away:
        raise Problem(503, str(away)) from None


async def body_of(request: Request) -> dict[str, Any]:
    """Return the body, which must be one JSON object without repeated keys. Raises Problem."""
    return _object(parse_json(await read_body(request)))


def _object(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Problem(422, "must be one JSON object", "message")
    repeated = repeated_key(data)
    if repeated is not None:
        raise Problem(422, "is given more than once: keep one", one_line(repeated)[:60])
    return dict(data)


def _note(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MOST_NOTE:
        raise Problem(422, f"must be text of at most {_MOST_NOTE} characters", "note")
    return clean(value).strip() or None


def _check_id(invoice_id: str) -> None:
    if not is_identifier(invoice_id):
        raise Problem(404, "There is no such case: an invoice id has 1 to 120 of A-Z, a-z, 0-9, '.', '_' and '-'.")


def _problem(refused: Refused) -> Problem:
    """Return the answer to a refusal: 404 for an unknown invoice, 422 for everything else."""
    field = _KEY_HEADER if refused.field == "request_id" else refused.field
    return Problem(404 if refused.field == "invoice" else 422, refused.reason, field)

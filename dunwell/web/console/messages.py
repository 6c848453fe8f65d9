"""The messages as they were sent, and the word of a person about one whose outcome nobody knows."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from dunwell.client.settled_messages import carried_invoices, report_by_person
from dunwell.domain.channels import WRITTEN, Channel
from dunwell.domain.cleaning import is_clean
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import MessageState
from dunwell.services import saved_filters
from dunwell.services.submissions import AlreadyDone
from dunwell.store import contacts, invoices, payers
from dunwell.store.tables import CustomerRow
from dunwell.views.outbox import latest, one_message
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.forms import submission_of
from dunwell.web.console.rendering import HEADERS, PREFIX, ConsoleRoute, Position, page, redirect
from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=f"{PREFIX}/messages", route_class=ConsoleRoute, include_in_schema=False)

_PAGE = 50
_DONE = {"settled": "Recorded: the case goes on by it.", "settled-alone": "Recorded."}
_CHANNELS = [channel for channel in Channel if channel in WRITTEN]

_FRAMED = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""The policy of a message's HTML: its own styles, and nothing else."""

Word = Annotated[str, Query(max_length=20)]


@router.get("")
async def messages(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.MESSAGES_READ))],
    state: Word = "",
    channel: Word = "",
    customer: Annotated[str, Query(max_length=200)] = "",
    first: Position = 0,
) -> Response:
    """Show the messages of a state, a channel and a customer, the latest first."""
    service = service_of(request)
    wanted = {
        "state": state if state in set(MessageState) else "",
        "channel": channel if channel in WRITTEN else "",
        "customer": customer.strip(),
    }
    facts = await asyncio.to_thread(_listed, service, principal, wanted, first)
    query = urlencode({name: value for name, value in wanted.items() if value})
    known = {"states": list(MessageState), "channels": _CHANNELS, "query": query, "first": first, "size": _PAGE}
    return page(request, "messages.html", principal, wanted=wanted, **known, **facts)


@router.get("/{message_id}")
async def message(
    request: Request,
    message_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.MESSAGES_READ))],
    done: str = "",
) -> Response:
    """Show one message as it was sent."""
    facts = await asyncio.to_thread(_facts, service_of(request), message_id)
    response = page(request, "message.html", principal, done=_DONE.get(done), **facts)
    if facts["row"].html:
        response.headers["Content-Security-Policy"] += "; frame-src 'self'"
    return response


@router.get("/{message_id}/html")
async def as_html(
    request: Request,
    message_id: str,
    principal: Annotated[Principal, Depends(allowed(Right.MESSAGES_READ))],
) -> Response:
    """Answer the HTML of an e-mail as it was sent, for the frame of its page: without scripts, forms or requests."""
    facts = await asyncio.to_thread(_facts, service_of(request), message_id)
    if not facts["row"].html:
        raise Problem(404, "This message has no HTML: it was sent as plain text.")
    return HTMLResponse(facts["row"].html, headers=HEADERS | {"Content-Security-Policy": _FRAMED})


@router.post("/{message_id}")
async def settle(
    request: Request, message_id: str, principal: Annotated[Principal, Depends(allowed(Right.MESSAGES_WRITE))]
) -> Response:
    """Record what became of a message, and tell its cases."""
    service, typed = service_of(request), await read_form(request)

    def about() -> list[str]:
        with service.database.reading() as session:
            return carried_invoices(session, message_id)

    carried = await asyncio.to_thread(about)
    done = "settled" if carried else "settled-alone"
    outcome, submission = typed.get("outcome", ""), submission_of(request, principal, typed)
    try:
        report = await asyncio.to_thread(
            report_by_person, service.database, principal, message_id, outcome, now(request), submission
        )
    except AlreadyDone:
        return redirect(f"{PREFIX}/messages/{message_id}", done=done)
    await service.connection.ensure()
    for invoice_id in carried:
        with suppress(Refused):  # it has just ended
            await service.cases.tell(invoice_id, "delivery_report", report, wait=False)
    return redirect(f"{PREFIX}/messages/{message_id}", done=done)


def _listed(service: Service, principal: Principal, wanted: dict[str, str], first: int) -> dict[str, Any]:
    state = MessageState(wanted["state"]) if wanted["state"] else None
    channel = Channel(wanted["channel"]) if wanted["channel"] else None
    with service.database.reading() as session:
        rows, total = latest(session, state, channel, wanted["customer"] or None, first, _PAGE)
        found = [(row, invoices.customer_row(session, row.customer_id)) for row in rows]
        saved = saved_filters.of_user(session, principal, "messages")
        about = session.get(CustomerRow, wanted["customer"]) if is_clean(wanted["customer"]) else None
        return {"found": found, "total": total, "saved": saved, "about": about}


def _facts(service: Service, message_id: str) -> dict[str, Any]:
    with service.database.reading() as session:
        found = one_message(session, message_id)
        if found is None:
            raise Refused("message", "is not in the outbox")
        row, about = found
        mail = payers.mail(session, message_id)
        known = invoices.get_rows(session, about)
        return {
            "row": row,
            "contact": contacts.get(session, row.contact_id),
            "customer": invoices.customer_row(session, row.customer_id),
            "invoices": [known[one] for one in about if one in known],
            "payer": mail,
            "unknown": row.state is MessageState.UNKNOWN,
            "unposted": row.state is MessageState.ACCEPTED and row.channel.facts.posted,
            "form_id": uuid4().hex,
        }

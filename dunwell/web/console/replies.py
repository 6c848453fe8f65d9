"""What customers wrote to us: what waits, one reply with all that a clerk needs, and the clerk's answer."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from dunwell.domain.clerk_answer import Phrase
from dunwell.domain.contact import Contact
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused, Unknown
from dunwell.services.answers import Answers, Draft, Leaving, PreviewedAnswer, channel_of, stopped_by
from dunwell.services.replies import find
from dunwell.services.submissions import AlreadyDone
from dunwell.store import contacts, invoices, replies, timeline
from dunwell.views.facts import Facts
from dunwell.views.names import Names
from dunwell.views.replies import invoice_ids, latest_replies, one_reply, replies_of, waiting_replies
from dunwell.views.search import find_customers
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.forms import Filled, submission_of
from dunwell.web.console.rendering import HEADERS, PREFIX, ConsoleRoute, Position, page, redirect
from dunwell.web.console.reply_proposals import PROPOSED, Proposed, proposed, suggested
from dunwell.web.console.sending import Overtaken, send
from dunwell.web.posted_form import FORM_ID, read_form
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

HERE = f"{PREFIX}/replies"
router = APIRouter(prefix=HERE, route_class=ConsoleRoute, include_in_schema=False)

_PAGE, _ENTRIES, _CUSTOMERS = 50, 40, 10
_DONE: Mapping[str, str] = {
    "answered": "The answer is written down; its case sends it when it may (see below). Chasing goes on after that.",
    "handled": "The reply is handled. Chasing goes on.",
    "assigned": "Noted: the cases of this customer rest until the reply is handled.",
    "told": "Recorded, and the reply is handled.",
    "noted": "Recorded. The reply still waits for you.",
}
Reads = Annotated[Principal, Depends(allowed(Right.MESSAGES_READ))]
Writes = Annotated[Principal, Depends(allowed(Right.MESSAGES_WRITE))]
_LONGEST_WORDS = 100


@router.get("")
async def listed(
    request: Request, principal: Reads, state: str = "", first: Position = 0, done: str = ""
) -> Response:
    """Show the replies that wait, or all of them, the latest first."""
    everything = state == "all"

    def read() -> tuple[list[Facts], int]:
        with service_of(request).database.reading() as session:
            if everything:
                return latest_replies(session, now(request), first, _PAGE)
            waiting = waiting_replies(session, now(request))
            return waiting[first : first + _PAGE], len(waiting)

    found, total = await asyncio.to_thread(read)
    facts = {"found": found, "total": total, "first": first, "size": _PAGE, "everything": everything}
    return page(request, "replies.html", principal, done=_DONE.get(done), **facts)


@router.get("/{reply_id}")
async def show(request: Request, reply_id: str, principal: Reads, done: str = "") -> Response:
    """Show a reply beside its customer's timeline, with forms to handle it."""
    return await _shown(request, principal, reply_id, done=_DONE.get(done))


@router.get("/{reply_id}/files/{number}")
async def file(request: Request, reply_id: str, number: int, principal: Reads) -> Response:
    """Answer a file that came with a reply, as a download: what somebody sent is never shown by this site."""

    def read() -> tuple[str, bytes]:
        with service_of(request).database.reading() as session:
            find(session, reply_id)
            found = replies.file(session, reply_id, number)
            if found is None or found.content is None:
                raise Problem(404, "This file was not kept: it was too large, or there is none of this number.")
            return found.name, found.content

    name, content = await asyncio.to_thread(read)
    policy = {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}
    headers = HEADERS | policy | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.post("/{reply_id}/handled")
async def handled(request: Request, reply_id: str, principal: Writes) -> Response:
    """Note that nothing needs an answer."""
    typed = await read_form(request)
    return await _handle(request, principal, reply_id, typed, None, "handled")


@router.post("/{reply_id}/answer")
async def answer(request: Request, reply_id: str, principal: Writes) -> Response:
    """Show the answer as it would leave, or hand it to its case."""
    typed = await read_form(request)
    try:
        draft = _draft(typed)
        if "preview" in typed:
            preview = await service_of(request).replies.preview(reply_id, draft, now(request))
            return await _shown(request, principal, reply_id, typed=typed, preview=preview)
    except Unknown:
        raise
    except Refused as refused:
        return await _shown(request, principal, reply_id, typed=typed, refused=refused, status=422)
    return await _handle(request, principal, reply_id, typed, draft, "answered")


@router.post("/{reply_id}/people")
async def people(request: Request, reply_id: str, principal: Writes) -> Response:
    """Show the same with the people of a customer, found by its words or by somebody who works there, as writers.

    A form, because the words are most often a person's name, which no address of a page may hold.
    """
    typed = await read_form(request)
    return await _shown(request, principal, reply_id, of=typed.get("of", "")[:_LONGEST_WORDS])


@router.post("/{reply_id}/writer")
async def writer(request: Request, reply_id: str, principal: Writes) -> Response:
    """Note which contact wrote it."""
    typed = await read_form(request)
    submission = submission_of(request, principal, typed)
    try:
        with suppress(AlreadyDone):
            contact_id = typed.get("contact", "")
            await service_of(request).replies.assign(reply_id, contact_id, principal, now(request), submission)
    except Unknown:
        raise
    except Refused as refused:
        return await _shown(request, principal, reply_id, typed=typed, refused=refused, status=422)
    return redirect(f"{HERE}/{reply_id}", done="assigned")


@router.post("/{reply_id}/tell/{event}")
async def tell(request: Request, reply_id: str, event: str, principal: Writes) -> Response:
    """Tell a case what the reply says, by one of its event forms; with `handled`, the reply is handled by that."""
    form, typed = PROPOSED.get(event), await read_form(request)
    if form is None:
        raise Problem(404, "There is no such form.")
    if typed.get("invoice", "") not in await asyncio.to_thread(_invoice_ids, service_of(request), reply_id):
        filled = Filled(form, typed).refused(Refused("invoice", "is none of this customer's: choose one"))
        return await _shown(request, principal, reply_id, told=filled, status=422)
    try:
        answered = await send(request, principal, typed["invoice"], form, typed)
    except Overtaken as overtaken:
        return await _shown(request, principal, reply_id, told=overtaken.filled, status=409)
    if isinstance(answered, Filled):
        return await _shown(request, principal, reply_id, told=answered, status=422)
    if "handled" not in typed:
        return redirect(f"{HERE}/{reply_id}", done="noted")
    with suppress(Refused):  # by this form, sent twice
        await service_of(request).replies.handle(reply_id, principal, now(request))
    return redirect(f"{HERE}/{reply_id}", done="told")


async def _handle(
    request: Request, principal: Principal, reply_id: str, typed: Mapping[str, str], draft: Draft | None, done: str
) -> Response:
    also = [name.removeprefix("also.") for name in typed if name.startswith("also.")]
    submission = submission_of(request, principal, typed)
    try:
        with suppress(AlreadyDone):
            await service_of(request).replies.handle(reply_id, principal, now(request), draft, also, submission)
    except Unknown:
        raise
    except Refused as refused:
        return await _shown(request, principal, reply_id, typed=typed, refused=refused, status=422)
    return redirect(f"{HERE}/{reply_id}", done=done)


def _draft(typed: Mapping[str, str]) -> Draft:
    phrases = [name.removeprefix("phrase.") for name in typed if name.startswith("phrase.")]
    return Draft.of(sorted(phrases, key=_place), typed.get("text", ""), typed.get("invoice"))


def _place(phrase: str) -> int:
    """In the order of the catalogue, in which they read well."""
    known = [one.value for one in Phrase]
    return known.index(phrase) if phrase in known else len(known)


async def _shown(
    request: Request,
    principal: Principal,
    reply_id: str,
    status: int = 200,
    *,
    typed: Mapping[str, str] | None = None,
    refused: Refused | None = None,
    preview: PreviewedAnswer | None = None,
    told: Filled | None = None,
    done: str | None = None,
    of: str = "",
) -> Response:
    facts = await asyncio.to_thread(_facts, service_of(request), reply_id, now(request), preview, of)
    forms = proposed(facts["reply"], facts["writer"], facts["seen"]) if facts["reply"]["waits"] else []
    if told is not None:
        first = next((one for one in forms if one.filled.form is told.form), None)
        forms = [replace(one, filled=told, opened=True) if one is first else one for one in forms]
        forms = forms if first else [Proposed(told, opened=True), *forms]
    return page(
        request,
        "reply.html",
        principal,
        status,
        forms=forms,
        suggested=suggested(facts["reply"]["proposals"]),
        typed=typed or {},
        refused=refused,
        form_id=(typed or {}).get(FORM_ID) if preview else uuid4().hex,
        new_form_id=lambda: uuid4().hex,
        done=done,
        of=of,
        **facts,
    )


def _invoice_ids(service: Service, reply_id: str) -> list[str]:
    with service.database.reading() as session:
        return invoice_ids(session, reply_id)


def _facts(service: Service, reply_id: str, at: datetime, preview: PreviewedAnswer | None, of: str) -> dict[str, Any]:
    with service.database.reading() as session:
        row, reply = find(session, reply_id), one_reply(session, reply_id, at)
        about = [one["invoice_id"] for one in reply["invoices"]]
        entries = sorted(
            ((invoice_id, entry) for invoice_id in about for _, entry in timeline.read(session, invoice_id)),
            key=lambda pair: pair[1].at,
            reverse=True,
        )[:_ENTRIES]
        others = replies_of(session, row.customer_id, at) if row.customer_id else []
        names = Names(session, row.customer_id or "")

        def named(leaves: Leaving) -> Leaving:
            return replace(leaves, why=names.within(leaves.why)) if leaves.why else leaves

        def leaving(one: Facts) -> Leaving | None:
            found = Answers(service.deps).leaving(session, one["answer_id"], at)
            return named(found) if found else None

        return {
            "reply": reply,
            "leaving": {one["answer_id"]: leaving(one) for one in reply["answers"]},
            "preview": replace(preview, leaves=named(preview.leaves)) if preview else None,
            "way": channel_of(session, row),
            "stopped": stopped_by(session, row),
            "phrases": Answers(service.deps).phrases(session, row, at) if reply["waits"] else [],
            "people": _people(session, row.customer_id, of),
            "writer": contacts.get(session, row.contact_id),
            "others": [one for one in others if one["reply_id"] != reply_id],
            "entries": [
                (invoice_id, entry.model_copy(update={"reason": names.within(entry.reason)}))
                for invoice_id, entry in entries
            ],
            "numbers": {one["invoice_id"]: one["number"] for one in reply["invoices"]},
            "seen": timeline.last_number(session, about[0]) if len(about) == 1 else 0,
            "zone": reply["time_zone"],
        }


def _people(session: Session, customer_id: str | None, of: str) -> list[tuple[str, list[Contact]]]:
    """Return who may have written, by the names of their customers: those whom the words find, else its own."""
    found = [(one.customer_id, one.name) for one in find_customers(session, of, 0, _CUSTOMERS)[0]] if of else []
    if not of and customer_id:
        found = [(customer_id, invoices.customer_row(session, customer_id).name)]
    known = contacts.people(session, [one for one, _ in found])
    return [(name, [person.contact for person in known[one]]) for one, name in found if known[one]]

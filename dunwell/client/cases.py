"""The client of cases for the command line and the web: starts them, sends them events, reads their status.

Every request gets an answer or a refusal. Payments and reversals are always accepted: also when no worker runs, and
when the case has ended.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client

from dunwell.client.answers import TellOutcome, TellResult
from dunwell.client.event_delivery import EventDelivery
from dunwell.client.legal_pauses import with_legal_end
from dunwell.client.registration import Registered
from dunwell.client.server import NoAnswer, Patience, Server, ServerAway
from dunwell.client.starting import CaseStarter, Start
from dunwell.client.status import Known, StatusReader
from dunwell.domain.case import Case
from dunwell.domain.cleaning import clean
from dunwell.domain.events import EVENTS, MONEY, CallOutcome, CreditApplied, parse_event
from dunwell.domain.plausibility import admit
from dunwell.domain.principals import SYSTEM, Principal
from dunwell.domain.refusal import Refused
from dunwell.services import credits, payers, step_approvals
from dunwell.services.idempotency import Begun, Idempotency, Note, Request
from dunwell.store import cases, invoices
from dunwell.store.database import Database
from dunwell.views.lookup import find_invoice
from workflows.status import Status

_AUTHOR = re.compile(r"[\w .:/+-]{1,60}")


class Cases:
    """Every case of one namespace and its database. Safe to share between tasks."""

    def __init__(self, client: Client, database: Database, patience: Patience | None = None) -> None:
        server = Server(client, patience or Patience())
        self._database, self._idempotency = database, Idempotency(database)
        self._starter, self._reader = CaseStarter(server, database), StatusReader(server, database)
        self._delivery = EventDelivery(server, database, self._starter)

    async def start(self, registered: Registered) -> Start:
        """Start the case of a registered invoice, once. Raises ServerAway after a minute without a server."""
        return await self._starter.start(registered)

    async def begin_again(self, invoice_id: str, event: tuple[str, Mapping[str, Any]] | None = None) -> None:
        """Start a new run of a case that has none, with an event if one is given. Raises Refused, ServerAway."""
        await self._starter.begin_again(invoice_id, event)

    async def status(self, invoice_id: str) -> Known:
        """How a case stands, by its own word, else by the database's copy. Raises Refused when unknown."""
        return await self._reader.read(invoice_id)

    async def tell(
        self,
        invoice_id: str,
        name: str,
        content: Mapping[str, Any],
        *,
        note: str | None = None,
        author: str | None = None,
        principal: Principal = SYSTEM,
        request_id: str | None = None,
        wait: bool = True,
    ) -> TellResult:
        """Tell a case what happened: the event `name` of dunwell/domain/events.py with its fields.

        `principal` is who tells it; without one it is Dunwell itself. A `note` in free words is kept in the database
        first, by `author` or else the principal. The same `request_id` of the same principal again is the same
        request: it is carried out once, and answered as the first time.
        With `wait` the case answers; without it the server keeps the event, and the case may refuse it later.
        Payments and reversals always arrive: they are kept so without a worker, and reopen a case that has ended.

        Raises NotAllowed when the principal may not tell it, or approves what they asked for themselves, Refused
        when the invoice is unknown, the case says no or the `request_id` was used for something else, StillRunning
        when the first request of this id has no answer yet, NoAnswer when no worker took it in time,
        ServerAway when there is no server.
        """
        principal.check_telling(name, content)
        words, author = clean(note or "").strip(), author or principal.label
        if words and not _AUTHOR.fullmatch(author):
            raise Refused("by", "must be a role or an id: 1 to 60 letters, digits, spaces or . : / + _ -")
        request = Request.of(
            principal=principal.label,
            invoice_id=invoice_id,
            event=name,
            key=request_id,
            content=_checked(name, content),
            note=Note(words, author) if words else None,
        )
        payload = request.content
        if request.note_id and "ref" in EVENTS[name].model_fields:
            payload = {**payload, "ref": request.note_id}
        customer_id = await asyncio.to_thread(self._check_plausible, invoice_id, name, request.content, principal)
        if name == "pause":
            payload = await asyncio.to_thread(self._with_legal_end, invoice_id, payload, customer_id)
        begun = await asyncio.to_thread(self._idempotency.begin, request, customer_id, principal, payload)
        if begun.answer is not None or begun.taken:
            return await self._answered_before(invoice_id, begun)
        try:
            async with self._idempotency.leased(request, customer_id):
                answer = await self._delivery.deliver(invoice_id, name, payload, request, wait)
        except Refused:
            await asyncio.to_thread(self._idempotency.refused, request, customer_id)
            raise
        except (NoAnswer, ServerAway):
            await asyncio.to_thread(self._idempotency.unanswered, request, customer_id)
            raise
        answer = _with_doubt(answer, request.content.get("payment_id"))
        if answer.how is TellOutcome.ACCEPTED:  # asked again, the case says what came of it: it may still refuse
            await asyncio.to_thread(self._idempotency.unanswered, request, customer_id)
        else:
            await asyncio.to_thread(self._idempotency.answered, request, _kept(answer), customer_id)
        return answer

    async def _answered_before(self, invoice_id: str, begun: Begun) -> TellResult:
        """The answer of the first request; where it was lost or is of an older release, the status of the case."""
        if begun.answer is not None:
            with suppress(ValidationError):
                status = begun.answer["status"]
                status = Status.model_validate(status) if status else None
                return TellResult(TellOutcome(begun.answer["how"]), status, begun.answer.get("remark"))
        return TellResult(TellOutcome.DONE, (await self.status(invoice_id)).status)

    def _with_legal_end(self, invoice_id: str, pause: Mapping[str, Any], customer_id: str) -> dict[str, Any]:
        with self._database.reading() as session:
            row, now = cases.get_row(session, invoice_id), datetime.now(UTC)
            at = cases.time_of(row, now) if row is not None else now
            return with_legal_end(pause, invoices.customer_row(session, customer_id), at)

    def _check_plausible(self, invoice_id: str, name: str, content: Mapping[str, Any], principal: Principal) -> str:
        """Return the invoice's customer. Raises Refused when it is not registered, or the event is likely a slip.

        Raises NotAllowed for somebody who approves a step that they asked for themselves.

        The case checks the same, but refuses an event kept by the server only in its timeline. The time of a
        rehearsal is known to its case alone, so dates are not checked here.
        """
        with self._database.reading() as session:
            customer_id = find_invoice(session, invoice_id).customer_id
            row = cases.get_row(session, invoice_id) if name in MONEY else None
            event = parse_event(name, [content])
            if isinstance(event, CreditApplied):
                credits.check(session, invoice_id, event)
            if isinstance(event, CallOutcome):
                step_approvals.check_decision(session, event.task_id, event.outcome, principal)
                payers.check_decided(session, event.task_id)
        if row is not None and not row.rehearsal:
            admit(Case.model_validate(row.state), event, datetime.now(UTC))
        return customer_id


def _checked(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The event's fields as they go to the case. Raises Refused naming the field."""
    checked: dict[str, Any] = parse_event(name, [dict(content)]).model_dump(mode="json", exclude_none=True)
    return checked


def _with_doubt(answer: TellResult, payment_id: str | None) -> TellResult:
    """The answer with what a person has to check about this payment, such as whether it was counted before."""
    if answer.status is None or answer.remark or payment_id is None:
        return answer
    doubts = [one.reason for one in answer.status.timeline if one.kind == "check" and one.ref == payment_id]
    return replace(answer, remark=f"payment {payment_id}: {doubts[-1]}") if doubts else answer


def _kept(answer: TellResult) -> dict[str, Any]:
    status = answer.status.model_dump(mode="json") if answer.status else None
    return {"how": answer.how.value, "status": status, "remark": answer.remark}

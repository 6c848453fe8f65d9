"""Delivers an event to the workflow of its case: by update, by signal, or with a new run where none is running."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from temporalio.client import (
    RPCError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)

from dunwell.client.answers import TellOutcome, TellResult
from dunwell.client.closed_tasks import answer_if_closed, close_task, why_not_running
from dunwell.client.overtaking import Overtaking
from dunwell.client.server import NoAnswer, NotRunning, Server, refused_update, translated
from dunwell.client.starting import CaseStarter
from dunwell.domain.events import MONEY, DeliveryReport, parse_event
from dunwell.services import delivery_reports
from dunwell.services.idempotency import Request
from dunwell.store import cases
from dunwell.store.database import Database
from dunwell.views.case_status import stored_status
from workflows.messages import workflow_id
from workflows.status import Status

_PATIENT = frozenset({"policy_moved"})
"""Events that may wait behind due steps of other cases, because thousands may be sent at once."""


class EventDelivery:
    """Delivers events to cases. Safe to share between tasks."""

    def __init__(self, server: Server, database: Database, starter: CaseStarter) -> None:
        self._server, self._database, self._starter = server, database, starter
        self._overtaking = Overtaking(server.client)

    async def deliver(
        self, invoice_id: str, name: str, payload: Mapping[str, Any], request: Request, wait: bool
    ) -> TellResult:
        """Send the event by update and wait for the answer; without `wait`, or for money without a worker, by signal.

        Money for a case that has ended starts a new run of it, and so does a report that its request for what is left
        did not arrive, and a person's answer to a reply, which it sends. Raises Refused, NoAnswer, ServerAway.
        """
        if name == "call_outcome":
            closed = await asyncio.to_thread(
                answer_if_closed, self._database, invoice_id, payload["task_id"], payload["outcome"]
            )
            if closed is not None:
                return closed
        handle = self._server.handle(invoice_id)
        money = name in MONEY
        try:
            if wait:
                try:
                    return await self._update(handle, name, payload, request)
                except NoAnswer:
                    if not money:
                        raise
            await self._server.patiently(lambda: handle.signal(name, payload))
            return TellResult(TellOutcome.SENT)
        except NotRunning:
            if name == "call_outcome":
                return await asyncio.to_thread(close_task, self._database, invoice_id, payload, request.request_id)
            if not money and name != "delivery_report" and not payload.get("answer"):
                raise await asyncio.to_thread(why_not_running, self._database, invoice_id) from None
        if not await asyncio.to_thread(self._is_news, invoice_id, name, payload):
            if not money:
                raise await asyncio.to_thread(why_not_running, self._database, invoice_id)
            return TellResult(TellOutcome.DONE, await asyncio.to_thread(stored_status, self._database, invoice_id))
        await self._starter.begin_again(invoice_id, (name, payload))
        return (
            await self._after_reopening(handle, name, payload, request) if wait else TellResult(TellOutcome.REOPENED)
        )

    async def _after_reopening(
        self, handle: WorkflowHandle[Any, Any], name: str, payload: Mapping[str, Any], request: Request
    ) -> TellResult:
        """The new run's answer: the event is sent again as an update, which changes nothing after the signal."""
        invoice_id = handle.id.removeprefix(workflow_id(""))
        try:
            answer = await self._update(handle, name, payload, request)
        except NoAnswer:
            return TellResult(TellOutcome.REOPENED)
        except NotRunning:  # a run that has ended again has written everything down
            return TellResult(
                TellOutcome.REOPENED, await asyncio.to_thread(stored_status, self._database, invoice_id)
            )
        return TellResult(TellOutcome.REOPENED, answer.status)

    async def _update(
        self, handle: WorkflowHandle[Any, Any], name: str, payload: Mapping[str, Any], request: Request
    ) -> TellResult:
        accepted = False
        overtake = nullcontext() if name in _PATIENT else self._overtaking.while_waiting(handle.id)
        try:
            async with overtake, asyncio.timeout(self._server.patience.answer.total_seconds()):
                update = await handle.start_update(
                    name,
                    payload,
                    id=request.request_id,
                    wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                    result_type=Status,
                    rpc_timeout=self._server.patience.answer,
                )
                accepted = True
                return TellResult(TellOutcome.DONE, await update.result(rpc_timeout=self._server.patience.answer))
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            if accepted:
                return TellResult(TellOutcome.ACCEPTED)
        except WorkflowUpdateFailedError as error:
            raise refused_update(error) from None
        except RPCError as error:
            raise translated(error) from None
        waited = self._server.patience.answer.total_seconds()
        raise NoAnswer(
            f"Nobody answered within {waited:.0f} s, so this is not done yet: start "
            "a worker (make up, or worker.py). The server keeps the request and the worker will carry it out, unless "
            "the server restarts first. Look at the status before you repeat it, or repeat it as request "
            f"{request.key}: the same request is never carried out twice."
        )

    def _is_news(self, invoice_id: str, name: str, payload: Mapping[str, Any]) -> bool:
        """Whether money or a delivery report changes a case that is not running. Raises Refused as the case would."""
        event = parse_event(name, [payload])
        with self._database.reading() as session:
            case = cases.get(session, invoice_id)
            if isinstance(event, DeliveryReport):
                return delivery_reports.asks_elsewhere(session, event, invoice_id)
        return case is None or bool(case.apply(event, datetime.now(UTC)))

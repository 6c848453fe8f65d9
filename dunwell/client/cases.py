"""Talks to cases: starts them, tells them what happened, asks how they stand.

The client's side of the workflow, for the command line and the web. Whoever asks gets an answer or a refusal;
news of money arrives even when no worker runs and even when the case has ended.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import (
    Client,
    RPCError,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from dunwell.client.overtaking import Overtaking
from dunwell.client.registration import Registered
from dunwell.domain.case import Case
from dunwell.domain.clock import Clock
from dunwell.domain.events import EVENTS, MONEY, CallOutcome, CreditApplied, parse_event
from dunwell.domain.plausibility import admit
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TaskState
from dunwell.services import credits, person_tasks
from dunwell.services.idempotency import Begun, Idempotency, Note, Request
from dunwell.store import cases, invoices, tasks
from dunwell.store.database import Database
from dunwell.views.case_status import stored_status, with_written
from dunwell.views.lookup import find_invoice
from workflows.messages import REGISTERED_SIGNAL, STATUS_QUERY, WORKFLOW_TYPE, CaseStart, Status, workflow_id
from workflows.options import CUSTOMER_ID, TASK_QUEUE
from workflows.ui_text import first_attributes, summary

REHEARSAL_SPEED = 86_400.0
"""One day of the case a second."""

_PATIENT = frozenset({"policy_moved"})
"""Nobody minds if these wait behind the reminders of the hour: thousands may be told at once."""
_PASSING = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.DEADLINE_EXCEEDED})
_LONGEST_PAUSE = 10.0  # seconds between two tries
_AUTHOR = re.compile(r"[\w .:/+-]{1,60}")

_SILENCE = {
    RPCStatusCode.NOT_FOUND: "the server no longer holds this case",
    RPCStatusCode.FAILED_PRECONDITION: "no worker answered",
    RPCStatusCode.DEADLINE_EXCEEDED: "no worker answered",
    RPCStatusCode.CANCELLED: "no worker answered",
}

T = TypeVar("T")


class ServerAway(Exception):
    """The Temporal server does not answer, or will not serve us. The text is one sentence with what to do."""


class NoAnswer(Exception):
    """No worker took a request in time. The text says what has become of it."""


@dataclass(frozen=True)
class Patience:
    """answer: for a worker to answer a person. server: for a server that is away to come back."""

    answer: timedelta = timedelta(seconds=10)
    server: timedelta = timedelta(minutes=1)


class Start(StrEnum):
    """What became of a request to start a case. PAID: its record says that nothing was open when it came to us."""

    STARTED = "started"
    RUNNING = "already running"
    ENDED = "already ended"
    PAID = "wholly paid before"


class TellOutcome(StrEnum):
    """What became of news for a case.

    DONE      the case took it in and wrote it down
    ACCEPTED  the case took it in; the writing is under way and will be done
    SENT      the server keeps it for the next worker; a refusal would stand in the timeline
    REOPENED  no workflow of this case was running: a new run was begun with it
    """

    DONE = "done"
    ACCEPTED = "accepted"
    SENT = "sent"
    REOPENED = "reopened"


@dataclass(frozen=True)
class TellResult:
    """`status` is the case's own answer; None until it has given one. `remark` is what else has to be known."""

    how: TellOutcome
    status: Status | None = None
    remark: str | None = None


@dataclass(frozen=True)
class Known:
    """How a case stands. `copied` says why this is the database's copy; None: the case itself answered."""

    status: Status
    copied: str | None = None


class _Gone(Exception):
    """No workflow of this id is running."""


class Cases:
    """Every case of one namespace and its database. Safe to share between tasks."""

    def __init__(self, client: Client, database: Database, patience: Patience | None = None) -> None:
        self._client = client
        self._overtaking = Overtaking(client)
        self._database = database
        self._idempotency = Idempotency(database)
        self._patience = patience or Patience()

    async def start(self, registered: Registered) -> Start:
        """Start the case of a registered invoice, once. Raises ServerAway after a minute without a server."""
        if registered.start is None:
            return Start.PAID if registered.opening.case.came_paid else Start.ENDED
        begin, case = registered.start, registered.opening.case
        # A rehearsal's clock stood still since the case was opened: others were registered and started meanwhile.
        begin = begin.model_copy(update={"clock": begin.clock.resumed(datetime.now(UTC))})
        try:
            await self._run(
                begin,
                case,
                registered.opening.number,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )
        except WorkflowAlreadyStartedError:
            return await self._running_or_ended(workflow_id(begin.invoice_id))
        return Start.STARTED

    async def _running_or_ended(self, name: str) -> Start:
        try:
            known = await self._patiently(lambda: self._client.get_workflow_handle(name).describe())
        except _Gone:
            return Start.ENDED
        if known.status is not WorkflowExecutionStatus.RUNNING:
            return Start.ENDED
        if known.typed_search_attributes.get(CUSTOMER_ID) is None:
            # Another client started it by its id alone; it may wait for what was registered just now.
            await self._patiently(lambda: self._client.get_workflow_handle(name).signal(REGISTERED_SIGNAL))
        return Start.RUNNING

    async def tell(
        self,
        invoice_id: str,
        name: str,
        content: Mapping[str, Any],
        *,
        note: str | None = None,
        author: str = "agent",
        principal: str = "command line",
        request_id: str | None = None,
        wait: bool = True,
    ) -> TellResult:
        """Tell a case what happened: the event `name` of dunwell/domain/events.py with its fields.

        A `note` in free words is kept in the database first. The same `request_id` of the same `principal` again is
        the same request: it is carried out once, and answered as the first time.
        With `wait` the case answers; without it the server keeps the news, and the case may refuse it later.
        Payments and reversals always arrive: they fall back to that, and reopen a case that has ended.

        Raises Refused when the invoice is unknown, the case says no or the `request_id` was used for something else,
        StillRunning when the first request of this id has no answer yet, NoAnswer when no worker took it in time,
        ServerAway when there is no server.
        """
        words = (note or "").replace("\x00", "").strip()
        if words and not _AUTHOR.fullmatch(author):
            raise Refused("by", "must be a role or an id: 1 to 60 letters, digits, spaces or . : / + _ -")
        request = Request.of(
            principal=principal,
            invoice_id=invoice_id,
            event=name,
            key=request_id,
            content=_checked(name, content),
            note=Note(words, author) if words else None,
        )
        payload = request.content
        if request.note_id and "ref" in EVENTS[name].model_fields:
            payload = {**payload, "ref": request.note_id}
        customer_id = await asyncio.to_thread(self._ask_at_door, invoice_id, name, request.content)
        begun = await asyncio.to_thread(self._idempotency.begin, request, customer_id)
        if begun.answer is not None or begun.taken:
            return await self._answered_before(invoice_id, begun)
        try:
            async with self._idempotency.leased(request, customer_id):
                told = await self._deliver(invoice_id, name, payload, request, wait)
        except Refused:
            await asyncio.to_thread(self._idempotency.refused, request, begun, customer_id)
            raise
        except (NoAnswer, ServerAway):
            await asyncio.to_thread(self._idempotency.unanswered, request, customer_id)
            raise
        await asyncio.to_thread(self._idempotency.answered, request, _as_answer(told), customer_id)
        return told

    async def _answered_before(self, invoice_id: str, begun: Begun) -> TellResult:
        """What the first request was told. Where that was lost, or is of an older release: how the case stands."""
        if begun.answer is not None:
            with suppress(ValidationError):
                status = begun.answer["status"]
                status = Status.model_validate(status) if status else None
                return TellResult(TellOutcome(begun.answer["how"]), status, begun.answer.get("remark"))
        return TellResult(TellOutcome.DONE, (await self.status(invoice_id)).status)

    async def begin_again(self, invoice_id: str, news: tuple[str, Mapping[str, Any]] | None = None) -> None:
        """A new run of a case that has none, as the database knows it. Where one runs already, that one goes on.

        news  an event and its fields: the run, be it new or not, gets them in the same request, so that nothing is
              lost between the two

        Raises Refused when the case was never opened, ServerAway after a minute without a server.
        """
        start, case, number = await asyncio.to_thread(self._again, invoice_id)
        told: dict[str, Any] = {"start_signal": news[0], "start_signal_args": [news[1]]} if news else {}
        if news:
            start = start.model_copy(update={"follows": await self._last_run(invoice_id)})
        await self._run(
            start,
            case,
            number,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            **told,
        )

    async def _run(self, start: CaseStart, case: Case, number: str, **how: Any) -> None:
        """Begin a run of the case. `how`: what is done about other runs of it, and whether a signal comes first."""
        await self._patiently(
            lambda: self._client.start_workflow(
                WORKFLOW_TYPE,
                start,
                id=workflow_id(start.invoice_id),
                task_queue=TASK_QUEUE,
                search_attributes=first_attributes(case),
                static_summary=summary(case, number),
                **how,
            )
        )

    async def status(self, invoice_id: str) -> Known:
        """How a case stands, by its own word, else by the database's copy. Raises Refused when unknown."""
        handle = self._client.get_workflow_handle(workflow_id(invoice_id))
        try:
            status = await handle.query(STATUS_QUERY, result_type=Status, rpc_timeout=self._patience.answer)
            return Known(await asyncio.to_thread(with_written, self._database, status))
        except RPCError as error:
            why = _SILENCE.get(error.status, "the server did not answer")
        except WorkflowQueryFailedError:
            why = "the case could not answer"
        status = await asyncio.to_thread(stored_status, self._database, invoice_id)
        return Known(status, why)

    # How news travel -------------------------------------------------------------------------------------

    async def _deliver(
        self, invoice_id: str, name: str, payload: Mapping[str, Any], request: Request, wait: bool
    ) -> TellResult:
        if name == "call_outcome":
            closed = await asyncio.to_thread(self._closed_before, invoice_id, payload["task_id"], payload["outcome"])
            if closed is not None:
                return closed
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(workflow_id(invoice_id))
        money = name in MONEY
        try:
            if wait:
                try:
                    return await self._update(handle, name, payload, request)
                except NoAnswer:
                    if not money:
                        raise
            await self._patiently(lambda: handle.signal(name, payload))
            return TellResult(TellOutcome.SENT)
        except _Gone:
            if name == "call_outcome":
                return await asyncio.to_thread(self._close_task, invoice_id, payload)
            if not money:
                raise await asyncio.to_thread(self._why_gone, invoice_id) from None
        if not await asyncio.to_thread(self._is_news, invoice_id, name, payload):
            return TellResult(TellOutcome.DONE, await asyncio.to_thread(stored_status, self._database, invoice_id))
        await self.begin_again(invoice_id, (name, payload))
        return (
            await self._after_reopening(handle, name, payload, request) if wait else TellResult(TellOutcome.REOPENED)
        )

    async def _after_reopening(
        self, handle: WorkflowHandle[Any, Any], name: str, payload: Mapping[str, Any], request: Request
    ) -> TellResult:
        """The new run's answer. Asking says the same again, which changes nothing: the signal came first."""
        invoice_id = handle.id.removeprefix(workflow_id(""))
        try:
            told = await self._update(handle, name, payload, request)
        except NoAnswer:
            return TellResult(TellOutcome.REOPENED)
        except _Gone:  # a run that has ended again has written everything down
            return TellResult(
                TellOutcome.REOPENED, await asyncio.to_thread(stored_status, self._database, invoice_id)
            )
        return TellResult(TellOutcome.REOPENED, told.status)

    async def _update(
        self, handle: WorkflowHandle[Any, Any], name: str, payload: Mapping[str, Any], request: Request
    ) -> TellResult:
        accepted = False
        overtake = nullcontext() if name in _PATIENT else self._overtaking.watching(handle.id)
        try:
            async with overtake, asyncio.timeout(self._patience.answer.total_seconds()):
                update = await handle.start_update(
                    name,
                    payload,
                    id=request.request_id,
                    wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                    result_type=Status,
                    rpc_timeout=self._patience.answer,
                )
                accepted = True
                return TellResult(TellOutcome.DONE, await update.result(rpc_timeout=self._patience.answer))
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            if accepted:
                return TellResult(TellOutcome.ACCEPTED)
        except WorkflowUpdateFailedError as error:
            raise _said_no(error) from None
        except RPCError as error:
            raise _translated(error) from None
        raise NoAnswer(
            f"Nobody answered within {self._patience.answer.total_seconds():.0f} s, so this is not done yet: start "
            "a worker (make up, or worker.py). The server keeps the request and the worker will carry it out, unless "
            "the server restarts first. Look at the status before you repeat it, or repeat it as request "
            f"{request.key}: the same request is never carried out twice."
        )

    async def _last_run(self, invoice_id: str) -> str | None:
        """The run that has ended; the database may have been restored from a copy older than that."""
        # Not handle.describe(): it cannot read a search attribute that holds no value.
        asked = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow_id(invoice_id))
        )
        try:
            described = await self._patiently(
                lambda: self._client.workflow_service.describe_workflow_execution(asked)
            )
        except _Gone:
            return None
        return described.workflow_execution_info.execution.run_id

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ride out a server that restarts or is overrun. Raises _Gone, or ServerAway when patience is over."""
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + self._patience.server.total_seconds(), 0.5
        while True:
            try:
                return await call()
            except RPCError as error:
                if error.status not in _PASSING or clock() + pause > deadline:
                    raise _translated(error) from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    # What the database knows -----------------------------------------------------------------------------

    def _ask_at_door(self, invoice_id: str, name: str, content: Mapping[str, Any]) -> str:
        """Whose invoice it is. Raises Refused when nobody registered it, or for news that are likely a slip.

        The case asks the same, but what is left with the server is refused only in its timeline. A rehearsal's time
        is known to its case alone.
        """
        with self._database.reading() as session:
            customer_id = find_invoice(session, invoice_id).customer_id
            row = cases.get_row(session, invoice_id) if name in MONEY else None
            event = parse_event(name, [content])
            if isinstance(event, CreditApplied):
                credits.check(session, invoice_id, event)
        if row is not None and not row.rehearsal:
            admit(Case.model_validate(row.state), event, datetime.now(UTC))
        return customer_id

    def _closed_before(self, invoice_id: str, task_id: str, outcome: str) -> TellResult | None:
        """The answer when nothing is left to do about a task; None when the case has to hear of it.

        What was said in a talk still counts for a running case, even if the call itself had been withdrawn.
        """
        with self._database.reading() as session:
            task, case = tasks.get(session, task_id), cases.get(session, invoice_id)
        if task is None or task.invoice_id != invoice_id or task.state == TaskState.OPEN:
            return None
        if case is not None and not case.ended and outcome != "done":
            return None
        what = "was withdrawn" if task.state == TaskState.WITHDRAWN else "is closed already"
        remark = f"nothing is left to do: task {task_id} {what} ({task.outcome})"
        return TellResult(TellOutcome.DONE, stored_status(self._database, invoice_id), remark)

    def _close_task(self, invoice_id: str, payload: Mapping[str, Any]) -> TellResult:
        """Close a task that outlived its case. Raises Refused for what only a running case can take in."""
        event = parse_event("call_outcome", [dict(payload)])
        assert isinstance(event, CallOutcome)
        with self._database.reading() as session:
            row = cases.get_row(session, invoice_id)
        if row is None:
            raise self._why_gone(invoice_id)
        now = row.updated_at if row.rehearsal else datetime.now(UTC)
        with self._database.writing(row.customer_id) as session:
            task, case = tasks.get(session, event.task_id), cases.get(session, invoice_id)
            if case is None or not case.ended:
                raise self._why_gone(invoice_id)
            if task is None or task.invoice_id != invoice_id:
                raise Refused("task_id", "is no task of this case; `starter.py tasks` shows those that are open")
            if event.outcome != "done":
                raise Refused("outcome", f"the case has ended ({case.ended.value}): close its task with done")
            person_tasks.close(session, case, task, event.by, now)
        return TellResult(TellOutcome.DONE, stored_status(self._database, invoice_id))

    def _why_gone(self, invoice_id: str) -> Refused:
        with self._database.reading() as session:
            case = cases.get(session, invoice_id)
        if case is not None and case.ended:
            return Refused("stage", f"the case has ended ({case.ended.value}); only payments still count")
        return Refused("invoice_id", "is registered, but its case does not run: start its file again")

    def _is_news(self, invoice_id: str, name: str, payload: Mapping[str, Any]) -> bool:
        """Whether news of money changes a case that has no running workflow. Raises Refused as the case would."""
        with self._database.reading() as session:
            case = cases.get(session, invoice_id)
        return case is None or bool(case.apply(parse_event(name, [payload]), datetime.now(UTC)))

    def _again(self, invoice_id: str) -> tuple[CaseStart, Case, str]:
        with self._database.reading() as session:
            row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
            invoice = invoices.get_row(session, invoice_id)
        if row is None or case is None or invoice is None:
            raise Refused("invoice_id", "was never started: start its file first")
        clock = Clock()
        if row.rehearsal:
            # Its own time goes on where it stood: a rehearsal must not fall back to today.
            now = datetime.now(UTC)
            clock = Clock(rehearsal=True, speed=REHEARSAL_SPEED, real=now, case=row.updated_at)
        return CaseStart(invoice_id=invoice_id, clock=clock), case, invoice.number


def _checked(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The event's fields as they go to the case. Raises Refused naming the field."""
    checked: dict[str, Any] = parse_event(name, [dict(content)]).model_dump(mode="json", exclude_none=True)
    return checked


def _as_answer(told: TellResult) -> dict[str, Any]:
    status = told.status.model_dump(mode="json") if told.status else None
    return {"how": told.how.value, "status": status, "remark": told.remark}


def _said_no(error: WorkflowUpdateFailedError) -> Exception:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        if cause.type == "Refused" and len(cause.details) == 2:
            return Refused(str(cause.details[0]), str(cause.details[1]))
        if cause.type == "AcceptedUpdateCompletedWorkflow":
            return _Gone()
    return Refused("case", f"could not do it ({str(cause)[:200]})")


def _translated(error: RPCError) -> Exception:
    said = (error.message.splitlines() or [""])[0][:200]
    if error.status is RPCStatusCode.NOT_FOUND and "namespace" not in said.lower():
        return _Gone()
    if "search attribute" in said.lower():
        return ServerAway(f"The server does not know the search attributes ({said}): run `worker.py --set-up` first.")
    what = "does not answer" if error.status in _PASSING else "refuses"
    return ServerAway(f"The Temporal server {what} ({error.status.name.lower()}: {said}): look whether it is well.")

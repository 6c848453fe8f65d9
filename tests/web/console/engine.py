"""An engine in this process: it tells a case what happened as its workflow does, by the same domain and services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from dunwell.domain.events import CreditApplied, parse_event
from dunwell.domain.plausibility import admit
from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.services import credits
from dunwell.services.attempt import Attempt
from dunwell.services.dependencies import Dependencies
from dunwell.services.recording import Recording
from dunwell.services.request_models import RecordRequest
from dunwell.store import cases, idempotency_keys, timeline
from workflows.messages import CaseStart
from workflows.status import Status, status_of


@dataclass
class Engine:
    """Stands for Temporal's client. `told` counts what cases were told; `away`: nothing answers.

    `slow`: cases take what they are told, but have not written it when the time for an answer is over. `late` holds
    that by its id: told again, it is answered as of its first time. `undecided`: so it is, but that cases say that
    they have it.
    """

    deps: Dependencies
    clock: Callable[[], datetime]
    told: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    away: bool = False
    slow: bool = False
    undecided: bool = False
    late: dict[str, datetime] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @property
    def service_client(self) -> "Engine":
        return self

    @property
    def workflow_service(self) -> "Engine":
        return self

    namespace = "default"

    async def describe_workflow_execution(self, _request: Any) -> DescribeWorkflowExecutionResponse:
        """Every run goes on."""
        info = WorkflowExecutionInfo(status=WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING)
        return DescribeWorkflowExecutionResponse(workflow_execution_info=info)

    async def check_health(self) -> bool:
        if self.away:
            raise RuntimeError("Connection failed: refused")
        return True

    def get_workflow_handle(self, workflow_id: str) -> "Handle":
        return Handle(self, workflow_id)

    async def start_workflow(self, kind: str, start: CaseStart, **_: Any) -> None:
        """A case needs no run here: the database has it as it was opened."""
        self.started.append(start.invoice_id)

    def apply(self, invoice_id: str, name: str, content: Mapping[str, Any], at: datetime | None = None) -> Status:
        """Apply an event and write it down. Raises Refused, as the validator of the update does."""
        now = at or self.clock()
        with self.deps.database.reading() as session:
            case, number = cases.get(session, invoice_id), timeline.last_number(session, invoice_id)
        if case is None:
            raise Refused("invoice", "has no case")
        mark = case.mark
        event = parse_event(name, [dict(content)])
        admit(case, event, now)
        if isinstance(event, CreditApplied):
            with self.deps.database.writing(case.customer_id) as session:
                credits.apply(session, invoice_id, event, now)
        said = case.apply(event, now)
        entries = [
            Entry(key=f"told.{number}.{place}", at=now, kind=one.kind, reason=one.reason, ref=one.ref)
            for place, one in enumerate(said)
        ]
        request = RecordRequest.whole(
            case,
            now=now,
            event=name,
            content=dict(content),
            entries=entries,
            written=mark,
        )
        Recording(self.deps).record(request, Attempt(now, 1))
        return self._stored(invoice_id)[1]

    def status(self, invoice_id: str) -> Status:
        finished, status = self._stored(invoice_id)
        if finished:
            raise RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND, b"")
        return status

    def _stored(self, invoice_id: str) -> tuple[bool, Status]:
        """Whether the case's workflow has ended, and its status; that of its last moment when it has."""
        with self.deps.database.reading() as session:
            case = cases.get(session, invoice_id)
            entries = [entry for _, entry in timeline.read(session, invoice_id)]
        if case is None:
            raise RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND, b"")
        return case.finished, status_of(case, entries)


@dataclass
class Handle:
    engine: Engine
    id: str

    @property
    def invoice_id(self) -> str:
        return self.id.removeprefix("invoice-")

    async def start_update(self, name: str, content: Mapping[str, Any], **how: Any) -> "Answer":
        if self.engine.slow:
            self.engine.late.setdefault(how["id"], self.engine.clock())
            raise WorkflowUpdateRPCTimeoutOrCancelledError
        if self.engine.undecided:
            self.engine.late.setdefault(how["id"], self.engine.clock())
            return Answer(None)
        with self.engine.lock:
            self.engine.told.append((self.invoice_id, name, content))
            try:
                status = self.engine.apply(self.invoice_id, name, content, self.engine.late.get(how["id"]))
            except Refused as refused:
                cause = ApplicationError(str(refused), refused.field, refused.reason, type="Refused")
                raise WorkflowUpdateFailedError(cause) from cause
        with self.engine.deps.database.writing() as session:
            idempotency_keys.mark_taken(session, how["id"], self.engine.clock())
        return Answer(status)

    async def signal(self, name: str, content: Mapping[str, Any]) -> None:
        with self.engine.lock:
            self.engine.told.append((self.invoice_id, name, content))
            try:
                self.engine.apply(self.invoice_id, name, content)
            except Refused:
                return

    async def query(self, name: str, **_: Any) -> Status:
        return self.engine.status(self.invoice_id)


@dataclass
class Answer:
    status: Status | None

    async def result(self, **_: Any) -> Status:
        if self.status is None:
            raise WorkflowUpdateRPCTimeoutOrCancelledError
        return self.status

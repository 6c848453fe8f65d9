"""`make bench`: what a case costs on the engine, beside a floor measured in the same run.

The floor is the least that Temporal lets anybody get away with: a start, a timer and an empty activity for each
of seven steps, a payment, a closing activity. Beside it stand whole lives of InvoiceDunning on a real server:
the plain seven steps, and the same with a promise, a pause, a dispute and a restriction. Each has a namespace of
its own, so that the server's own count of Actions can be read for each.
"""

import asyncio
import re
import shutil
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.desk import Desk
from domain.case import Case
from domain.clock import Clock
from domain.invoice import Contact, Customer, Invoice
from domain.ladder_file import parse_policy
from domain.policy import Policy
from domain.terms import Level, Role, Stage
from intake.ladders import traits_of
from intake.registrar import Registrar
from local.demo import outbox_desk
from local.server import HOST, free_port
from store import cases
from store.schema import migrate
from worker import make_worker, register_search_attributes
from workflows.display import first_attributes, summary
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import Outcome, workflow_id
from workflows.options import TASK_QUEUE

STEPS = 7
AS_OF = datetime(2027, 3, 1, 8, tzinfo=UTC)
_SPEED = 86_400 * 2.0  # two days of the case each second
_TOO_LONG = 120.0
_METRICS_SETTLE = 3.0
_AMOUNT = Decimal("1000.00")


# The floor -----------------------------------------------------------------------------------------------


@activity.defn(name="nothing")
async def nothing() -> None:
    """An activity that does nothing."""


@workflow.defn(name="Floor")
class Floor:
    """The cheapest workflow that waits, acts, and hears of a payment."""

    def __init__(self) -> None:
        self._paid = False

    @workflow.run
    async def run(self, steps: int) -> None:
        for _ in range(steps):
            await workflow.sleep(0.1)
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self._paid)
        await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=10))

    @workflow.signal
    def payment_received(self, _payment: dict[str, str]) -> None:
        self._paid = True


async def floor(client: Client) -> None:
    async with Worker(
        client,
        task_queue="floor",
        workflows=[Floor],
        activities=[nothing],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await client.start_workflow(Floor.run, STEPS, id="life", task_queue="floor")
        await _until(lambda: _activities_done(handle, STEPS))
        await handle.signal(Floor.payment_received, {"payment_id": "p-1", "amount": str(_AMOUNT)})
        await handle.result()


async def _activities_done(handle: WorkflowHandle[Floor, None], count: int) -> bool:
    done = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
    return sum(event.event_type == done for event in (await handle.fetch_history()).events) >= count


# The lives -----------------------------------------------------------------------------------------------


class Patient:
    """One case under the eyes of the bench: it is watched in the database, where looking costs no Action."""

    def __init__(self, desk: Desk, handle: WorkflowHandle[InvoiceDunning, Outcome], invoice_id: str) -> None:
        self._desk = desk
        self._handle = handle
        self._invoice_id = invoice_id

    async def tell(self, name: str, **content: object) -> None:
        await self._handle.signal(name, content)

    async def step(self, count: int) -> Case:
        """Until so many steps are done and no answer is owed."""
        return await self.when(lambda case: len(case.steps) >= count and not case.owed)

    async def when(self, true_of: Callable[[Case], bool]) -> Case:
        found: list[Case] = []

        async def look() -> bool:
            with self._desk.database.reading() as session:
                case = cases.get(session, self._invoice_id)
            if case is not None and true_of(case):
                found.append(case)
            return bool(found)

        await _until(look)
        return found[0]

    async def pay_all(self) -> Outcome:
        """The payment that ends every life, after the last step."""
        case = await self.step(STEPS)
        await self.tell("payment_received", payment_id="p-last", amount=str(case.open_amount), currency="EUR")
        return await self._handle.result()


Life = Callable[[Patient], Awaitable[object]]


async def plain(_patient: Patient) -> None:
    """Seven reminders, then the money."""


async def promise_kept(patient: Patient) -> None:
    """After the third reminder a part is promised, and paid in time; the ladder goes on for the rest."""
    await patient.step(3)
    day = str((AS_OF + timedelta(days=14)).date())
    await patient.tell("promise_to_pay", date=day, amount="400.00", promised_by="accounts_payable")
    await patient.when(lambda case: case.stage is Stage.PROMISED and not case.owed)
    await patient.tell("payment_received", payment_id="p-part", amount="400.00", currency="EUR")


async def paused(patient: Patient) -> None:
    """An agent pauses the case after the third reminder, and resumes it."""
    await patient.step(3)
    await patient.tell("pause", reason="talks", by="agent-7")
    await patient.when(lambda case: case.stage is Stage.PAUSED)
    await patient.tell("resume", by="agent-7")


async def disputed(patient: Patient) -> None:
    """The invoice is disputed after the third reminder; the dispute is rejected."""
    await patient.step(3)
    await patient.tell("dispute_opened", reason="quality", opened_by="accounts_payable")
    await patient.when(lambda case: case.stage is Stage.DISPUTED and not case.owed)
    await patient.tell("dispute_resolved", outcome="rejected", by="agent-7")


async def restricted(patient: Patient) -> None:
    """The seventh step restricts access; the payment gives it back."""
    await patient.when(lambda case: Level.RESTRICTED in case.holds)


@dataclass(frozen=True)
class Scene:
    name: str
    title: str
    life: Life
    consequence: bool = False


SCENES = (
    Scene("plain", "plain: 7 steps, paid", plain),
    Scene("promise", "+ promise of a part, kept", promise_kept),
    Scene("pause", "+ pause and resume", paused),
    Scene("dispute", "+ dispute, resolved", disputed),
    Scene("restricted", "+ restricted and restored", restricted, consequence=True),
)


def seven_steps(desk: Desk, consequence: bool) -> Policy:
    """Seven e-mails, three business days apart. With a consequence the last two warn of it and do it."""
    steps: list[dict[str, object]] = [
        _step(
            number,
            "due + 1 business day at 10:00" if number == 1 else f"step-{number - 1} + 3 business days at 10:00",
        )
        for number in range(1, STEPS + 1)
    ]
    if consequence:
        steps[-2] |= {"message": "final-warning", "announces": [f"step-{STEPS}"]}
        needs = {"needs": "2 delivered warnings, 3 days apart", "access": "restricted"}
        steps[-1] |= {"message": "restricted", **needs}
    name = "seven-steps-restricted" if consequence else "seven-steps"
    reactions = {
        "paid": "thank-you",
        "restored": "restored",
        "part_paid": "part-received",
        "promise_made": "promise-confirmed",
        "dispute_opened": "dispute-received",
        "dispute_closed": "dispute-closed",
    }
    head = {"name": name, "version": 1, "title": "Seven steps", "language": "en", "reactions": reactions}
    traits = traits_of(desk.catalogue)
    return parse_policy({**head, "step": steps}, f"{name}.toml", traits)


def _step(number: int, when: str) -> dict[str, object]:
    message = "reminder-first" if number == 1 else "reminder-second"
    to, by = ["accounts_payable"], ["email"]
    return {"id": f"step-{number}", "when": when, "to": to, "by": by, "message": message, "late": "shift"}


def _invoice(scene: Scene, policy: Policy) -> Invoice:
    role, customer_id = Role.ACCOUNTS_PAYABLE, f"customer-{scene.name}"
    contact = Contact(
        contact_id=f"{customer_id}.{role.value}.1", role=role, name="Dana Whitfield", email="ap@kestrel.example"
    )
    return Invoice(
        invoice_id=scene.name,
        number=f"2027-{scene.name}",
        customer=Customer(
            customer_id=customer_id,
            name="Kestrel Instruments Ltd",
            country="IE",
            time_zone="Europe/Dublin",
            language="en",
            contacts=(contact,),
        ),
        amount=_AMOUNT,
        currency="EUR",
        digits=2,
        issued_on=date(2027, 2, 1),
        due_on=date(2027, 3, 1),
        policy=policy.name,
    )


async def live(scene: Scene, client: Client, desk: Desk) -> None:
    """One life from the start to its paid end. Raises RuntimeError when it ends otherwise."""
    policy = seven_steps(desk, scene.consequence)
    invoice = _invoice(scene, policy)
    clock = Clock(rehearsal=True, speed=_SPEED, real=AS_OF, case=AS_OF)
    registered = await asyncio.to_thread(Registrar(desk, {policy.name: policy}).register, invoice, AS_OF, clock)
    if registered.start is None:
        raise RuntimeError(f"{invoice.invoice_id} had ended before it began")
    clock = clock.set(datetime.now(UTC), AS_OF)
    case = registered.opening.case
    handle = await client.start_workflow(
        InvoiceDunning.run,
        registered.start.model_copy(update={"clock": clock}),
        id=workflow_id(invoice.invoice_id),
        task_queue=TASK_QUEUE,
        static_summary=summary(case, invoice.number),
        search_attributes=first_attributes(case),
    )
    patient = Patient(desk, handle, invoice.invoice_id)
    await scene.life(patient)
    outcome = await patient.pay_all()
    if outcome.stage is not Stage.PAID:
        raise RuntimeError(f"{scene.title}: ended {outcome.stage.value} instead of paid")


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_TOO_LONG):
        while not await true():
            await asyncio.sleep(0.05)


# Counting ------------------------------------------------------------------------------------------------

BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "upsert",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
}
"""The events that are billed as Actions. A continued run counts by its own start, an activity's retry by itself."""

COLUMNS = ("start", "timer", "activity", "signal", "upsert")


@dataclass(frozen=True)
class Cost:
    """What one life left behind: Actions by kind, the server's own count, events and their bytes."""

    title: str
    actions: Counter[str]
    server: int
    events: int
    size: int

    @property
    def total(self) -> int:
        return self.actions.total()


async def count(title: str, client: Client, metrics: str) -> Cost:
    """Read every history of the client's namespace, and what the server itself counted there."""
    actions: Counter[str] = Counter()
    events = size = 0
    async for run in client.list_workflows():
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        async for event in handle.fetch_history_events():
            events, size = events + 1, size + event.ByteSize()
            if kind := BILLED.get(event.event_type):
                actions[kind] += 1
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                actions["activity"] += event.activity_task_started_event_attributes.attempt - 1
    return Cost(title, actions, _server_count(metrics, client.namespace), events, size)


def _server_count(metrics: str, namespace: str) -> int:
    lines = re.findall(rf'^action{{[^}}]*namespace="{namespace}"[^}}]*}} (\S+)$', metrics, re.MULTILINE)
    return round(sum(float(line) for line in lines))


# The table -----------------------------------------------------------------------------------------------


def table(costs: Sequence[Cost]) -> str:
    """Markdown: one row a life, ratios to the floor (the first), and the price of what the later ones add."""
    base, plain_life = costs[0], costs[1]
    heads = [
        "life",
        "Actions",
        "of the floor",
        "server says",
        *COLUMNS,
        "events",
        "of the floor",
        "bytes",
        "of the floor",
    ]
    rows = [heads, [":--"] + ["--:"] * (len(heads) - 1)]
    for cost in costs:
        extra = f" (+{cost.total - plain_life.total})" if cost.title.startswith("+") else ""
        rows.append(
            [
                cost.title,
                f"{cost.total}{extra}",
                f"{cost.total / base.total:.2f}",
                str(cost.server),
                *(str(cost.actions[column]) for column in COLUMNS),
                str(cost.events),
                f"{cost.events / base.events:.2f}",
                f"{cost.size:,}",
                f"{cost.size / base.size:.1f}",
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


# The command ---------------------------------------------------------------------------------------------


async def bench(folder: Path) -> list[Cost]:
    """Run the floor and every scene at once on one server, then count."""
    desk = outbox_desk(f"sqlite:///{(folder / 'bench.sqlite').as_posix()}")
    migrate(desk.database)
    metrics_port = free_port()
    spaces = ["floor", *(scene.name for scene in SCENES)]
    extra = ["--metrics-port", str(metrics_port)]
    for space in spaces:
        extra += ["--namespace", space]
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=_program(), dev_server_log_level="error", dev_server_extra_args=extra
    )
    async with server, AsyncExitStack() as stack:
        address = server.client.service_client.config.target_host
        clients = {
            space: await Client.connect(address, namespace=space, data_converter=pydantic_data_converter)
            for space in spaces
        }
        executor = stack.enter_context(ThreadPoolExecutor(20))
        for scene in SCENES:
            await register_search_attributes(clients[scene.name])
            await stack.enter_async_context(make_worker(clients[scene.name], desk, executor))
        lives = [live(scene, clients[scene.name], desk) for scene in SCENES]
        await asyncio.gather(floor(clients["floor"]), *lives)
        await asyncio.sleep(_METRICS_SETTLE)
        metrics = await asyncio.to_thread(_read, f"http://{HOST}:{metrics_port}/metrics")
        titles = {"floor": f"floor: {STEPS} bare steps, paid"} | {scene.name: scene.title for scene in SCENES}
        costs = [await count(titles[space], clients[space], metrics) for space in spaces]
    desk.database.close()
    return costs


def _program() -> str:
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise SystemExit("make bench: the temporal program is not installed: run make install.")
    return found


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="dunwell-bench-") as folder:
        print(table(asyncio.run(bench(Path(folder)))))


if __name__ == "__main__":
    main()

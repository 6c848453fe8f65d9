"""`make bench`: measures what a case costs on Temporal, beside a floor measured in the same run.

The floor is the cheapest possible workflow: a start, a timer and an empty activity for each of seven steps, a
payment, a closing activity. It is compared with whole cases of InvoiceDunning on a real server: the plain seven
steps, and the same with a promise, a pause, a dispute, a reversed payment and a restriction. Each runs in a namespace
of its own, so that the server's count of Actions can be read for each.
"""

import asyncio
import re
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.cases import AMOUNT, AS_OF, STEPS, Handle, begin, invoice, ladder, registered, reminders
from bench.environment import client_of, deps_on, scratch, server, until
from bench.floor import FLOOR_QUEUE, Floor, nothing
from bench.tables import table as markdown
from dunwell.domain.case import Case
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Level, Stage
from dunwell.local.temporal_server import free_port
from dunwell.local.ui_proxy import HOST
from dunwell.services.dependencies import Dependencies
from dunwell.store import cases
from worker import THREADS, make_worker
from workflows.messages import Outcome

_SPEED = 86_400.0  # a day of the case each second: slow enough to signal it while it sleeps
_METRICS_SETTLE = 3.0


# The floor -----------------------------------------------------------------------------------------------


async def floor(client: Client) -> None:
    async with Worker(
        client,
        task_queue=FLOOR_QUEUE,
        workflows=[Floor],
        activities=[nothing],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await client.start_workflow(Floor.run, args=[STEPS, 0.1], id="life", task_queue=FLOOR_QUEUE)
        await until(lambda: _activities_done(handle, STEPS))
        await handle.signal(Floor.payment_received, {"payment_id": "p-1", "amount": str(AMOUNT)})
        await handle.result()


async def _activities_done(handle: WorkflowHandle[Floor, None], count: int) -> bool:
    done = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
    return sum(event.event_type == done for event in (await handle.fetch_history()).events) >= count


# The lives -----------------------------------------------------------------------------------------------


class MeasuredCase:
    """A measured case. Its state is read from the database, which costs no Action."""

    def __init__(self, deps: Dependencies, handle: Handle, invoice_id: str) -> None:
        self._deps = deps
        self._handle = handle
        self._invoice_id = invoice_id

    async def tell(self, name: str, **content: object) -> None:
        """Signal the case while it sleeps: during a step in flight a signal may cost one or two Actions more."""
        await until(self._asleep)
        await self._handle.signal(name, content)

    async def _asleep(self) -> bool:
        described = (await self._handle.describe()).raw_description
        return not described.pending_activities and not described.HasField("pending_workflow_task")

    async def step(self, count: int) -> Case:
        """Wait until this many steps are done and no answer is outstanding."""
        return await self.when(lambda case: len(case.progress.steps) >= count and not case.outstanding.owed)

    async def when(self, true_of: Callable[[Case], bool]) -> Case:
        found: list[Case] = []

        async def look() -> bool:
            with self._deps.database.reading() as session:
                case = cases.get(session, self._invoice_id)
            if case is not None and true_of(case):
                found.append(case)
            return bool(found)

        await until(look)
        return found[0]

    async def pay_all(self) -> Outcome:
        """Pay all that is open after the last step, and wait for the end of the case."""
        case = await self.step(STEPS)
        await self.tell("payment_received", payment_id="p-last", amount=str(case.open_amount), currency="EUR")
        return await self._handle.result()


Life = Callable[[MeasuredCase], Awaitable[object]]


async def plain(_measured: MeasuredCase) -> None:
    """Seven reminders, then the money."""


async def promise_kept(measured: MeasuredCase) -> None:
    """After the third reminder a part is promised, and paid in time; the ladder goes on for the rest."""
    await measured.step(3)
    day = str((AS_OF + timedelta(days=14)).date())
    await measured.tell("promise_to_pay", date=day, amount="400.00", promised_by="accounts_payable")
    await measured.when(lambda case: case.stage is Stage.PROMISED and not case.outstanding.owed)
    await measured.tell("payment_received", payment_id="p-part", amount="400.00", currency="EUR")


async def paused(measured: MeasuredCase) -> None:
    """An agent pauses the case after the third reminder, and resumes it."""
    await measured.step(3)
    await measured.tell("pause", reason="talks", by="agent-7")
    await measured.when(lambda case: case.stage is Stage.PAUSED)
    await measured.tell("resume", by="agent-7")


async def disputed(measured: MeasuredCase) -> None:
    """The invoice is disputed after the third reminder; the dispute is rejected."""
    await measured.step(3)
    await measured.tell("dispute_opened", reason="quality", opened_by="accounts_payable")
    await measured.when(lambda case: case.stage is Stage.DISPUTED and not case.outstanding.owed)
    await measured.tell("dispute_resolved", outcome="rejected", by="agent-7")


async def reversed_payment(measured: MeasuredCase) -> None:
    """A part is paid after the third reminder, and the bank takes it back."""
    await measured.step(3)
    await measured.tell("payment_received", payment_id="p-part", amount="400.00", currency="EUR")
    await measured.when(lambda case: case.money.paid > 0 and not case.outstanding.owed)
    await measured.tell("payment_reversed", payment_id="p-part", reason="insufficient_funds")
    await measured.when(lambda case: case.money.paid == 0)


async def restricted(measured: MeasuredCase) -> None:
    """The seventh step restricts access; the payment gives it back."""
    await measured.when(lambda case: Level.RESTRICTED in case.holds)


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    life: Life
    consequence: bool = False


SCENARIOS = (
    Scenario("plain", "plain: 7 steps, paid", plain),
    Scenario("promise", "+ promise of a part, kept", promise_kept),
    Scenario("pause", "+ pause and resume", paused),
    Scenario("dispute", "+ dispute, resolved", disputed),
    Scenario("reversal", "+ part paid, reversed", reversed_payment),
    Scenario("restricted", "+ restricted and restored", restricted, consequence=True),
)


def seven_steps(deps: Dependencies, consequence: bool) -> Policy:
    """Return a policy of seven e-mails, three business days apart; with a consequence, its warning and its step."""
    steps = reminders()
    if consequence:
        steps[-2] |= {"message": "final-warning", "announces": [f"step-{STEPS}"]}
        needs = {"needs": "2 delivered warnings, 3 days apart", "access": "restricted"}
        steps[-1] |= {"message": "restricted", **needs}
    reactions = {
        "paid": "thank-you",
        "restored": "restored",
        "part_paid": "part-received",
        "promise_made": "promise-confirmed",
        "dispute_opened": "dispute-received",
        "dispute_closed": "dispute-closed",
    }
    return ladder(deps, "seven-steps-restricted" if consequence else "seven-steps", steps, reactions=reactions)


async def live(scenario: Scenario, client: Client, deps: Dependencies) -> None:
    """Run a case from its start to its paid end. Raises RuntimeError when it ends otherwise."""
    policy = seven_steps(deps, scenario.consequence)
    [known] = await asyncio.to_thread(registered, deps, policy, [invoice(scenario.name, policy)], _SPEED)
    handle = await begin(client, known)
    measured = MeasuredCase(deps, handle, scenario.name)
    await scenario.life(measured)
    outcome = await measured.pay_all()
    if outcome.stage is not Stage.PAID:
        raise RuntimeError(f"{scenario.title}: ended {outcome.stage.value} instead of paid")


# Counting ------------------------------------------------------------------------------------------------

BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "upsert",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
}
"""The events billed as Actions. A continued run counts by its own start; retries of activities are counted apart."""

COLUMNS = ("start", "timer", "activity", "signal", "upsert")


@dataclass(frozen=True)
class Cost:
    """The cost of one case: Actions by kind, Actions by the server's count, events, and their size in bytes."""

    title: str
    actions: Counter[str]
    server: int
    events: int
    size: int

    @property
    def total(self) -> int:
        return self.actions.total()


async def count(title: str, client: Client, metrics: str) -> Cost:
    """Count the events of every history in the client's namespace, and read the server's own count."""
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
    """Return the Markdown table: a row for each case, with ratios to the floor, which is the first cost."""
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
    rows: list[list[object]] = []
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
    return markdown(heads, rows)


# The command ---------------------------------------------------------------------------------------------


async def bench(folder: Path) -> list[Cost]:
    """Run the floor and every scenario at once on one server, then count."""
    metrics_port = free_port()
    spaces = ["floor", *(scenario.name for scenario in SCENARIOS)]
    async with server(folder, spaces, "--metrics-port", str(metrics_port)) as address, AsyncExitStack() as stack:
        deps = stack.enter_context(deps_on("sqlite", folder))
        clients = {space: await client_of(address, space, attributes=space != "floor") for space in spaces}
        executor = stack.enter_context(ThreadPoolExecutor(THREADS))
        for scenario in SCENARIOS:
            await stack.enter_async_context(make_worker(clients[scenario.name], deps, executor))
        lives = [live(scenario, clients[scenario.name], deps) for scenario in SCENARIOS]
        await asyncio.gather(floor(clients["floor"]), *lives)
        await asyncio.sleep(_METRICS_SETTLE)
        metrics = await asyncio.to_thread(_read, f"http://{HOST}:{metrics_port}/metrics")
        titles = {"floor": f"floor: {STEPS} bare steps, paid"} | {
            scenario.name: scenario.title for scenario in SCENARIOS
        }
        return [await count(titles[space], clients[space], metrics) for space in spaces]


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def main() -> None:
    """Print the table."""
    with scratch() as folder:
        print(table(asyncio.run(bench(folder))))


if __name__ == "__main__":
    main()

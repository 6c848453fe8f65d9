"""Signals that no key of the worker opens: kept, asked about, taken once the key is there. The case goes on."""

import base64
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from dunwell.codec import KeyRing, Seal, sealed_with
from dunwell.domain.sealed import KEY_ID, MOST_BYTES, MOST_KEPT, SEALED
from dunwell.domain.terms import Stage
from dunwell.store import tasks
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from tests.builders import an_invoice, sample_deps
from tests.workflows.harness import AS_OF, CaseHarness
from tests.workflows.lives import pay
from worker import make_worker
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import workflow_id

ONE, TWO, OTHER_ONE = (
    f"{key_id}:{base64.b64encode(bytes([byte]) * 32).decode()}"
    for key_id, byte in (("one", 1), ("two", 2), ("one", 3))
)
BOTH = f"{TWO},{ONE}"


@pytest.fixture
def file_database(tmp_path: Path, blank_file: Path) -> Iterator[Database]:
    """One kind is enough where the database is not what is tested."""
    database = Database(f"sqlite:///{shutil.copy(blank_file, tmp_path / 'dunwell.sqlite')}")
    yield database
    database.close()


class Keys(Seal):
    """Those of a worker; others can be put in their place while it runs."""

    def __init__(self, keys: str) -> None:
        self.put(keys)

    def put(self, keys: str) -> None:
        super().__init__(ring(keys))


def ring(keys: str) -> KeyRing:
    return KeyRing.parse(keys) if keys else KeyRing()


def client_with(env: WorkflowEnvironment, keys: str) -> Client:
    """Somebody who holds these keys."""
    return _client(env, sealed_with(ring(keys)))


def _client(env: WorkflowEnvironment, converter: DataConverter) -> Client:
    config = env.client.config()
    config["data_converter"] = converter
    return Client(**config)


@dataclass
class SealedHarness(CaseHarness):
    """A case and a worker that holds `keys`; the handle is that of somebody who holds all."""

    keys: Keys = field(default_factory=lambda: Keys(""))


@asynccontextmanager
async def worked(
    env: WorkflowEnvironment, database: Database, keys: str = "", cached: int = 1000
) -> AsyncIterator[SealedHarness]:
    """cached: how many cases the worker keeps in memory; 0 has it replay the case at each task, without the sandbox.

    A sandbox imports the workflow anew at each replay, which takes longer than all else.
    """
    deps, seal = sample_deps(database), Keys(keys)
    client = _client(env, replace(sealed_with(ring(keys)), payload_codec=seal))
    runner = SandboxedWorkflowRunner() if cached else UnsandboxedWorkflowRunner()
    with ThreadPoolExecutor(20) as executor:
        async with make_worker(client, deps, executor, runner=runner, cached_cases=cached):
            harness = SealedHarness(env, deps, keys=seal)
            harness.handle = client.get_workflow_handle_for(InvoiceDunning.run, workflow_id("inv-1"))
            yield harness


async def tell(harness: SealedHarness, name: str, keys: str = ONE, **content: object) -> None:
    """As a sender with these keys does."""
    await client_with(harness.env, keys).get_workflow_handle(harness.case.id).signal(name, content)


async def tell_payment(harness: SealedHarness, amount: str, payment_id: str, keys: str = ONE) -> None:
    await tell(harness, "payment_received", keys, payment_id=payment_id, amount=amount, currency="EUR")


async def begin(harness: SealedHarness, **options: object) -> None:
    """Started by somebody without keys."""
    case = harness.case
    await harness.start(an_invoice(), **options)  # type: ignore[arg-type]
    harness.handle = case
    await harness.pass_time(hours=1)


def open_tasks(harness: SealedHarness) -> Sequence[TaskRow]:
    with harness.deps.database.reading() as session:
        return [row for row in tasks.open_tasks(session, "inv-1") if ".sealed." in row.task_id]


def close(harness: SealedHarness, task_id: str) -> None:
    with harness.deps.database.writing() as session:
        assert tasks.close_task(session, task_id, "done, by agent-7", AS_OF)


async def replay(history: WorkflowHistory, keys: str) -> None:
    exported = WorkflowHistory.from_json(history.workflow_id, history.to_json())
    converter = sealed_with(ring(keys))
    await Replayer(workflows=[InvoiceDunning], data_converter=converter).replay_workflow(exported)


@pytest.mark.parametrize(("cached", "days"), [(1000, 10), (0, 1)], ids=["in memory", "replayed at each task"])
async def test_a6_a_signal_under_an_unknown_key_waits_for_it_and_nothing_else_does(
    time_skipping: WorkflowEnvironment, database: Database, cached: int, days: int
) -> None:
    async with worked(time_skipping, database, cached=cached) as harness:
        await begin(harness)
        await tell_payment(harness, "400.00", "p1")
        await pay(harness, "300.00", "p2")
        await harness.pass_time(days=days, minutes=30)
        status = await harness.status()
        assert str(status.amount_due) == "900.00"
        assert {message["step"] for message in harness.messages()} == ({"first-reminder"} if days > 9 else set())
        (task,) = open_tasks(harness)
        assert "'one', which the worker's PAYLOAD_KEYS does not hold" in task.reason
        assert [kind for kind, _ in harness.timeline()].count("sealed") == 1
        await tell_payment(harness, "200.00", "p3")
        await harness.pass_time(minutes=90)
        assert len(open_tasks(harness)) == 1, "one task for each key"
        harness.keys.put(ONE)
        await harness.pass_time(minutes=150)
        status = await harness.status()
        assert [payment.payment_id for payment in status.payments] == ["p2", "p1", "p3"]
        assert str(status.amount_due) == "300.00"
        assert open_tasks(harness) == []


@pytest.mark.parametrize("damage", ["other key", "cut", "empty", "no key named"])
async def test_a6_a_broken_payload_waits_and_the_case_goes_on(
    time_skipping: WorkflowEnvironment, file_database: Database, damage: str
) -> None:
    async with worked(time_skipping, file_database, OTHER_ONE) as harness:
        await begin(harness)
        if damage == "other key":
            await tell_payment(harness, "400.00", "p1")
        else:
            metadata = {"encoding": SEALED} | ({} if damage == "no key named" else {KEY_ID: b"one"})
            broken = Payload(metadata=metadata, data=b"x" * 20 if damage == "cut" else b"")
            await harness.case.signal("payment_received", RawValue(broken))
        await tell_payment(harness, "300.00", "p2", OTHER_ONE)
        await harness.pass_time(minutes=90)
        assert str((await harness.status()).amount_due) == "900.00"
        (task,) = open_tasks(harness)
        expected = "the key ''" if damage == "no key named" else "the key 'one', and the one of that id"
        assert expected in task.reason
        close(harness, task.task_id)
        await harness.pass_time(minutes=150)
        await tell_payment(harness, "900.00", "p3", OTHER_ONE)
        assert (await harness.case.result()).stage is Stage.PAID


async def test_a6_what_was_sealed_is_taken_in_the_order_in_which_it_came(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as harness:
        await begin(harness)
        await tell(harness, "dispute_opened", reason="wrong-quantity", opened_by="accounts_payable")
        await pay(harness, "100.00", "p1")
        await tell(harness, "dispute_resolved", outcome="adjusted", new_amount="1000.00", by="agent-7")
        await harness.pass_time(minutes=1)
        assert (await harness.status()).stage is Stage.SCHEDULED
        harness.keys.put(ONE)
        await harness.pass_time(minutes=150)
        status = await harness.status()
        assert str(status.amount_due) == "900.00"
        assert (status.stage, status.disputed) == (Stage.SCHEDULED, None)
        kinds = [line.kind for line in status.timeline]
        assert kinds.index("dispute") < len(kinds) - 1
        assert "refused" not in kinds


async def test_a6_what_is_sealed_outlives_a_run(time_skipping: WorkflowEnvironment, file_database: Database) -> None:
    """A limit of a few events forces a new run after nearly every step."""
    async with worked(time_skipping, file_database) as harness:
        await begin(harness, history_limit=12)
        await tell_payment(harness, "400.00", "p1")
        await harness.pass_time(days=10, minutes=30)
        assert len(open_tasks(harness)) == 1
        assert sum(1 for event in (await harness.case.fetch_history()).events) < 100
        harness.keys.put(ONE)
        await harness.pass_time(minutes=150)
        assert str((await harness.status()).amount_due) == "800.00"
        assert open_tasks(harness) == []
        await tell_payment(harness, "800.00", "p2")
        assert (await harness.case.result()).stage is Stage.PAID


@pytest.mark.parametrize("limit", [None, 12], ids=["one run", "many runs"])
async def test_a6_an_ended_case_keeps_what_is_sealed_until_the_key_comes(
    time_skipping: WorkflowEnvironment, file_database: Database, limit: int | None
) -> None:
    async with worked(time_skipping, file_database) as harness:
        await begin(harness, history_limit=limit)
        await tell_payment(harness, "400.00", "p1")
        await pay(harness, "1200.00", "p2")
        await harness.pass_time(days=3, minutes=30)
        assert (await harness.status()).stage is Stage.PAID
        (task,) = open_tasks(harness)
        assert task.outlives_case
        harness.keys.put(ONE)
        await harness.pass_time(minutes=150)
        outcome = await harness.case.result()
    assert str(outcome.credit) == "400.00"


async def test_a6_who_closes_the_task_gives_up_what_is_sealed(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as harness:
        await begin(harness)
        await tell_payment(harness, "400.00", "p1")
        await pay(harness, "1200.00", "p2")
        await harness.pass_time(minutes=90)
        (task,) = open_tasks(harness)
        close(harness, task.task_id)
        await tell(harness, "resume", by="agent-7")  # its key is not there either: asked for anew
        await harness.pass_time(minutes=1)
        assert [kind for kind, reason in harness.timeline() if "given up" in reason and kind == "refused"]
        (task,) = open_tasks(harness)
        assert "1 signal(s)" in task.reason
        close(harness, task.task_id)
        await harness.pass_time(minutes=150)
        outcome = await harness.case.result()
    assert (outcome.stage, str(outcome.credit)) == (Stage.PAID, "0.00")


@pytest.mark.parametrize("limit", [None, 30], ids=["one run", "many runs"])
async def test_a6_a_history_replays_whatever_keys_the_worker_holds(
    time_skipping: WorkflowEnvironment, file_database: Database, limit: int | None
) -> None:
    """What was not opened stays unopened in a replay, even if its key is there by then."""
    async with worked(time_skipping, file_database) as harness:
        await begin(harness, history_limit=limit)
        await tell_payment(harness, "400.00", "p1")
        await pay(harness, "300.00", "p2")
        await harness.case.signal(
            "payment_received", RawValue(Payload(metadata={"encoding": SEALED}, data=b"x" * 20))
        )
        await harness.case.signal("resume", RawValue(_large()))
        await harness.pass_time(hours=12, minutes=30)
        running = await harness.case.fetch_history()
        for task in open_tasks(harness):
            close(harness, task.task_id)
        await harness.pass_time(minutes=150)
        await pay(harness, "900.00", "p3")
        await harness.case.result()
        ended = await harness.case.fetch_history()
    for history in (running, ended):
        for keys in ("", ONE, TWO, BOTH, OTHER_ONE):
            await replay(history, keys)


async def test_a6_what_was_opened_when_it_came_needs_its_key_in_a_replay(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database, BOTH) as harness:
        await begin(harness)
        await tell_payment(harness, "1200.00", "p1")
        await harness.case.result()
        history = await harness.case.fetch_history()
    await replay(history, BOTH)
    with pytest.raises(Exception, match="'one', which PAYLOAD_KEYS does not hold"):
        await replay(history, TWO)


@pytest.mark.parametrize("keys", ["", ONE, BOTH], ids=["no keys", "one key", "two keys"])
async def test_a6_what_is_opened_costs_nothing(
    time_skipping: WorkflowEnvironment, file_database: Database, keys: str
) -> None:
    """No event more, whatever keys there are."""
    async with worked(time_skipping, file_database, keys) as harness:
        await begin(harness)
        await tell_payment(harness, "1200.00", "p1", keys)
        await harness.case.result()
        kinds = [event.event_type for event in (await harness.case.fetch_history()).events]
    assert kinds.count(EventType.EVENT_TYPE_MARKER_RECORDED) == 0
    assert kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 1, "the payment is written down"


async def test_a6_an_update_that_cannot_be_opened_is_refused_with_the_key(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as harness:
        await begin(harness)
        handle = client_with(time_skipping, ONE).get_workflow_handle(harness.case.id)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("payment_received", {"payment_id": "p1", "amount": "1.00", "currency": "EUR"})
        assert "'one', which the worker's PAYLOAD_KEYS does not hold" in str(refused.value.cause)
        await pay(harness)
        assert (await harness.case.result()).stage is Stage.PAID


async def test_a6_what_no_case_could_keep_is_refused(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as harness:
        await begin(harness)
        await harness.case.signal("resume", RawValue(_large()))
        for number in range(MOST_KEPT + 1):
            await tell_payment(harness, "1.00", f"p{number}")
        await harness.pass_time(minutes=90)
        (task,) = open_tasks(harness)
        assert f"{MOST_KEPT} signal(s)" in task.reason
        assert [kind for kind, reason in harness.timeline() if "no key opens it" in reason] == ["refused"] * 2


async def test_a6_a_case_that_waits_for_its_invoice_keeps_what_is_sealed(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as harness:
        await begin(harness, prepared=False)
        await tell_payment(harness, "400.00", "p1")
        await harness.pass_time(minutes=90)
        assert len(open_tasks(harness)) == 1


def _large() -> Payload:
    return Payload(metadata={"encoding": SEALED, KEY_ID: b"one"}, data=b"x" * MOST_BYTES)

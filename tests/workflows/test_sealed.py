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
from tests.workflows.house import AS_OF, House
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
class SealedHouse(House):
    """A case and a worker that holds `keys`; the handle is that of somebody who holds all."""

    keys: Keys = field(default_factory=lambda: Keys(""))


@asynccontextmanager
async def worked(
    env: WorkflowEnvironment, database: Database, keys: str = "", cached: int = 1000
) -> AsyncIterator[SealedHouse]:
    """cached: how many cases the worker keeps in memory; 0 has it replay the case at each task, without the sandbox.

    A sandbox imports the workflow anew at each replay, which takes longer than all else.
    """
    deps, seal = sample_deps(database), Keys(keys)
    client = _client(env, replace(sealed_with(ring(keys)), payload_codec=seal))
    runner = SandboxedWorkflowRunner() if cached else UnsandboxedWorkflowRunner()
    with ThreadPoolExecutor(20) as executor:
        async with make_worker(client, deps, executor, runner=runner, cached_cases=cached):
            house = SealedHouse(env, deps, keys=seal)
            house.handle = client.get_workflow_handle_for(InvoiceDunning.run, workflow_id("inv-1"))
            yield house


async def tell(house: SealedHouse, name: str, keys: str = ONE, **content: object) -> None:
    """As a sender with these keys does."""
    await client_with(house.env, keys).get_workflow_handle(house.case.id).signal(name, content)


async def tell_payment(house: SealedHouse, amount: str, payment_id: str, keys: str = ONE) -> None:
    await tell(house, "payment_received", keys, payment_id=payment_id, amount=amount, currency="EUR")


async def begin(house: SealedHouse, **options: object) -> None:
    """Started by somebody without keys."""
    case = house.case
    await house.start(an_invoice(), **options)  # type: ignore[arg-type]
    house.handle = case
    await house.pass_time(hours=1)


def open_tasks(house: SealedHouse) -> Sequence[TaskRow]:
    with house.deps.database.reading() as session:
        return [row for row in tasks.open_tasks(session, "inv-1") if ".sealed." in row.task_id]


def close(house: SealedHouse, task_id: str) -> None:
    with house.deps.database.writing() as session:
        assert tasks.close_task(session, task_id, "done, by agent-7", AS_OF)


async def replay(history: WorkflowHistory, keys: str) -> None:
    exported = WorkflowHistory.from_json(history.workflow_id, history.to_json())
    converter = sealed_with(ring(keys))
    await Replayer(workflows=[InvoiceDunning], data_converter=converter).replay_workflow(exported)


@pytest.mark.parametrize(("cached", "days"), [(1000, 10), (0, 1)], ids=["in memory", "replayed at each task"])
async def test_a6_a_signal_under_an_unknown_key_waits_for_it_and_nothing_else_does(
    time_skipping: WorkflowEnvironment, database: Database, cached: int, days: int
) -> None:
    async with worked(time_skipping, database, cached=cached) as house:
        await begin(house)
        await tell_payment(house, "400.00", "p1")
        await pay(house, "300.00", "p2")
        await house.pass_time(days=days, minutes=30)
        status = await house.status()
        assert str(status.amount_due) == "900.00"
        assert {message["step"] for message in house.messages()} == ({"first-reminder"} if days > 9 else set())
        (task,) = open_tasks(house)
        assert "'one', which the worker's PAYLOAD_KEYS does not hold" in task.reason
        assert [kind for kind, _ in house.timeline()].count("sealed") == 1
        await tell_payment(house, "200.00", "p3")
        await house.pass_time(minutes=90)
        assert len(open_tasks(house)) == 1, "one task for each key"
        house.keys.put(ONE)
        await house.pass_time(minutes=150)
        status = await house.status()
        assert [payment.payment_id for payment in status.payments] == ["p2", "p1", "p3"]
        assert str(status.amount_due) == "300.00"
        assert open_tasks(house) == []


@pytest.mark.parametrize("damage", ["other key", "cut", "empty", "no key named"])
async def test_a6_a_broken_payload_waits_and_the_case_goes_on(
    time_skipping: WorkflowEnvironment, file_database: Database, damage: str
) -> None:
    async with worked(time_skipping, file_database, OTHER_ONE) as house:
        await begin(house)
        if damage == "other key":
            await tell_payment(house, "400.00", "p1")
        else:
            metadata = {"encoding": SEALED} | ({} if damage == "no key named" else {KEY_ID: b"one"})
            broken = Payload(metadata=metadata, data=b"x" * 20 if damage == "cut" else b"")
            await house.case.signal("payment_received", RawValue(broken))
        await tell_payment(house, "300.00", "p2", OTHER_ONE)
        await house.pass_time(minutes=90)
        assert str((await house.status()).amount_due) == "900.00"
        (task,) = open_tasks(house)
        expected = "the key ''" if damage == "no key named" else "the key 'one', and the one of that id"
        assert expected in task.reason
        close(house, task.task_id)
        await house.pass_time(minutes=150)
        await tell_payment(house, "900.00", "p3", OTHER_ONE)
        assert (await house.case.result()).stage is Stage.PAID


async def test_a6_what_was_sealed_is_taken_in_the_order_in_which_it_came(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as house:
        await begin(house)
        await tell(house, "dispute_opened", reason="wrong-quantity", opened_by="accounts_payable")
        await pay(house, "100.00", "p1")
        await tell(house, "dispute_resolved", outcome="adjusted", new_amount="1000.00", by="agent-7")
        await house.pass_time(minutes=1)
        assert (await house.status()).stage is Stage.SCHEDULED
        house.keys.put(ONE)
        await house.pass_time(minutes=150)
        status = await house.status()
        assert str(status.amount_due) == "900.00"
        assert (status.stage, status.disputed) == (Stage.SCHEDULED, None)
        kinds = [line.kind for line in status.timeline]
        assert kinds.index("dispute") < len(kinds) - 1
        assert "refused" not in kinds


async def test_a6_what_is_sealed_outlives_a_run(time_skipping: WorkflowEnvironment, file_database: Database) -> None:
    """A limit of a few events forces a new run after nearly every step."""
    async with worked(time_skipping, file_database) as house:
        await begin(house, history_limit=12)
        await tell_payment(house, "400.00", "p1")
        await house.pass_time(days=10, minutes=30)
        assert len(open_tasks(house)) == 1
        assert sum(1 for event in (await house.case.fetch_history()).events) < 100
        house.keys.put(ONE)
        await house.pass_time(minutes=150)
        assert str((await house.status()).amount_due) == "800.00"
        assert open_tasks(house) == []
        await tell_payment(house, "800.00", "p2")
        assert (await house.case.result()).stage is Stage.PAID


@pytest.mark.parametrize("limit", [None, 12], ids=["one run", "many runs"])
async def test_a6_an_ended_case_keeps_what_is_sealed_until_the_key_comes(
    time_skipping: WorkflowEnvironment, file_database: Database, limit: int | None
) -> None:
    async with worked(time_skipping, file_database) as house:
        await begin(house, history_limit=limit)
        await tell_payment(house, "400.00", "p1")
        await pay(house, "1200.00", "p2")
        await house.pass_time(days=3, minutes=30)
        assert (await house.status()).stage is Stage.PAID
        (task,) = open_tasks(house)
        assert task.outlives_case
        house.keys.put(ONE)
        await house.pass_time(minutes=150)
        outcome = await house.case.result()
    assert str(outcome.credit) == "400.00"


async def test_a6_who_closes_the_task_gives_up_what_is_sealed(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as house:
        await begin(house)
        await tell_payment(house, "400.00", "p1")
        await pay(house, "1200.00", "p2")
        await house.pass_time(minutes=90)
        (task,) = open_tasks(house)
        close(house, task.task_id)
        await tell(house, "resume", by="agent-7")  # its key is not there either: asked for anew
        await house.pass_time(minutes=1)
        assert [kind for kind, reason in house.timeline() if "given up" in reason and kind == "refused"]
        (task,) = open_tasks(house)
        assert "1 signal(s)" in task.reason
        close(house, task.task_id)
        await house.pass_time(minutes=150)
        outcome = await house.case.result()
    assert (outcome.stage, str(outcome.credit)) == (Stage.PAID, "0.00")


@pytest.mark.parametrize("limit", [None, 30], ids=["one run", "many runs"])
async def test_a6_a_history_replays_whatever_keys_the_worker_holds(
    time_skipping: WorkflowEnvironment, file_database: Database, limit: int | None
) -> None:
    """What was not opened stays unopened in a replay, even if its key is there by then."""
    async with worked(time_skipping, file_database) as house:
        await begin(house, history_limit=limit)
        await tell_payment(house, "400.00", "p1")
        await pay(house, "300.00", "p2")
        await house.case.signal("payment_received", RawValue(Payload(metadata={"encoding": SEALED}, data=b"x" * 20)))
        await house.case.signal("resume", RawValue(_large()))
        await house.pass_time(hours=12, minutes=30)
        running = await house.case.fetch_history()
        for task in open_tasks(house):
            close(house, task.task_id)
        await house.pass_time(minutes=150)
        await pay(house, "900.00", "p3")
        await house.case.result()
        ended = await house.case.fetch_history()
    for history in (running, ended):
        for keys in ("", ONE, TWO, BOTH, OTHER_ONE):
            await replay(history, keys)


async def test_a6_what_was_opened_when_it_came_needs_its_key_in_a_replay(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database, BOTH) as house:
        await begin(house)
        await tell_payment(house, "1200.00", "p1")
        await house.case.result()
        history = await house.case.fetch_history()
    await replay(history, BOTH)
    with pytest.raises(Exception, match="'one', which PAYLOAD_KEYS does not hold"):
        await replay(history, TWO)


@pytest.mark.parametrize("keys", ["", ONE, BOTH], ids=["no keys", "one key", "two keys"])
async def test_a6_what_is_opened_costs_nothing(
    time_skipping: WorkflowEnvironment, file_database: Database, keys: str
) -> None:
    """No event more, whatever keys there are."""
    async with worked(time_skipping, file_database, keys) as house:
        await begin(house)
        await tell_payment(house, "1200.00", "p1", keys)
        await house.case.result()
        kinds = [event.event_type for event in (await house.case.fetch_history()).events]
    assert kinds.count(EventType.EVENT_TYPE_MARKER_RECORDED) == 0
    assert kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 1, "the payment is written down"


async def test_a6_an_update_that_cannot_be_opened_is_refused_with_the_key(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as house:
        await begin(house)
        handle = client_with(time_skipping, ONE).get_workflow_handle(house.case.id)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("payment_received", {"payment_id": "p1", "amount": "1.00", "currency": "EUR"})
        assert "'one', which the worker's PAYLOAD_KEYS does not hold" in str(refused.value.cause)
        await pay(house)
        assert (await house.case.result()).stage is Stage.PAID


async def test_a6_what_no_case_could_keep_is_refused(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as house:
        await begin(house)
        await house.case.signal("resume", RawValue(_large()))
        for number in range(MOST_KEPT + 1):
            await tell_payment(house, "1.00", f"p{number}")
        await house.pass_time(minutes=90)
        (task,) = open_tasks(house)
        assert f"{MOST_KEPT} signal(s)" in task.reason
        assert [kind for kind, reason in house.timeline() if "no key opens it" in reason] == ["refused"] * 2


async def test_a6_a_case_that_waits_for_its_invoice_keeps_what_is_sealed(
    time_skipping: WorkflowEnvironment, file_database: Database
) -> None:
    async with worked(time_skipping, file_database) as house:
        await begin(house, prepared=False)
        await tell_payment(house, "400.00", "p1")
        await house.pass_time(minutes=90)
        assert len(open_tasks(house)) == 1


def _large() -> Payload:
    return Payload(metadata={"encoding": SEALED, KEY_ID: b"one"}, data=b"x" * MOST_BYTES)

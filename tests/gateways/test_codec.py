"""Sealed payloads: laws of the seal, then whole cases lived, read, exported and replayed with it."""

import asyncio
import base64
import re
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer

from dunwell.bootstrap import register_search_attributes
from dunwell.client.registration import Registrar
from dunwell.codec import KeyRing, Seal, SealError, sealed_with
from dunwell.domain.clock import Clock
from dunwell.domain.sealed import SEALED
from dunwell.local.temporal_server import DevServer, free_port
from dunwell.settings import SettingsError
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import an_invoice, sample_deps, the_ladders
from tests.workflows.harness import AS_OF
from worker import make_worker, start_watch
from workflows.delivery_watch import WATCH_ID
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart, Outcome, workflow_id
from workflows.options import TASK_QUEUE
from workflows.reconciler import RECONCILER_ID


def a_pair(key_id: str, byte: int = 7) -> str:
    return f"{key_id}:{base64.b64encode(bytes([byte]) * 32).decode()}"


ONE, TWO = a_pair("one", 1), a_pair("two", 2)
PAYLOADS = st.builds(
    Payload,
    metadata=st.dictionaries(st.text(max_size=8), st.binary(max_size=8), max_size=3),
    data=st.binary(max_size=200),
).filter(lambda payload: payload.metadata.get("encoding") != SEALED)


def seal(keys: str = "") -> Seal:
    return Seal(KeyRing.parse(keys) if keys else KeyRing())


# The seal ------------------------------------------------------------------------------------------------


@given(st.lists(PAYLOADS, max_size=4))
async def test_what_is_sealed_opens_unchanged_also_after_rotation(payloads: list[Payload]) -> None:
    closed = await seal(ONE).encode(payloads)
    assert all(payload.metadata["encoding"] == SEALED for payload in closed)
    assert await seal(ONE).decode(closed) == payloads
    assert await seal(f"{TWO},{ONE}").decode(closed) == payloads


@given(PAYLOADS)
async def test_what_nobody_sealed_passes_through(payload: Payload) -> None:
    assert await seal(ONE).decode([payload]) == [payload]
    assert await seal().encode([payload]) == [payload]


@given(PAYLOADS, st.data())
async def test_no_change_of_a_sealed_payload_goes_unnoticed(payload: Payload, data: st.DataObject) -> None:
    (closed,) = await seal(ONE).encode([payload])
    place = data.draw(st.integers(0, len(closed.data) - 1))
    bit = data.draw(st.sampled_from([1, 16, 128]))
    changed = bytearray(closed.data)
    changed[place] ^= bit
    closed.data = bytes(changed)
    with pytest.raises(SealError):
        await seal(ONE).decode_all([closed])


async def test_the_first_key_seals_once_and_no_two_seals_are_alike() -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'"1200.00"')
    first, second = await seal(f"{TWO},{ONE}").encode([payload, payload])
    assert first.metadata["dunwell-key"] == b"two"
    assert b"1200" not in first.SerializeToString()
    assert first.data != second.data
    assert await seal(ONE).encode([first]) == [first]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param("", r"'one', which PAYLOAD_KEYS does not hold", id="no keys at all"),
        pytest.param(TWO, r"'one', which PAYLOAD_KEYS does not hold", id="key taken away too early"),
        pytest.param(a_pair("one", 9), r"'one' of PAYLOAD_KEYS does not open", id="other key of that id"),
    ],
)
async def test_a_wrong_key_is_told_not_guessed(keys: str, said: str) -> None:
    closed = await seal(ONE).encode([Payload(data=b"x")])
    with pytest.raises(SealError, match=said):
        await seal(keys).decode_all(closed)


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 27], ids=["empty", "nonce cut", "tag cut"])
async def test_a_cut_payload_is_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        await seal(ONE).decode_all([Payload(metadata={"encoding": SEALED, "dunwell-key": b"one"}, data=data)])


async def test_a_payload_cannot_be_passed_off_under_another_id() -> None:
    (closed,) = await seal(ONE).encode([Payload(data=b"x")])
    closed.metadata["dunwell-key"] = b"alias"
    with pytest.raises(SealError, match="'alias'"):
        await seal(a_pair("alias", 1)).decode_all([closed])


async def test_a6_what_is_not_opened_is_left_as_it_was_and_read_as_nothing_else() -> None:
    converter = sealed_with(KeyRing.parse(TWO))
    closed = await seal(ONE).encode([Payload(metadata={"encoding": b"json/plain"}, data=b'"1200.00"')])
    (raw,) = await converter.decode(closed, [RawValue])
    assert await seal(TWO).encode([raw.payload]) == closed
    for kind in (str, dict, CaseStart, None):
        with pytest.raises(SealError, match="'one', which PAYLOAD_KEYS does not hold"):
            await converter.decode(closed, [kind] if kind else None)


@pytest.mark.parametrize("keys", ["", TWO], ids=["no keys", "another key"])
async def test_a6_the_words_of_a_failure_are_not_lost_for_want_of_a_key(keys: str) -> None:
    failure = Failure()
    await sealed_with(KeyRing.parse(ONE)).encode_failure(ApplicationError("amount: 12.00 is too much"), failure)
    assert b"12.00" not in failure.SerializeToString()
    with pytest.raises(SealError, match="'one', which PAYLOAD_KEYS does not hold"):
        await sealed_with(KeyRing.parse(keys) if keys else KeyRing()).decode_failure(failure)


SECRET = base64.b64encode(b"s" * 31).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(SECRET, "pair 1 has no id", id="key alone"),
        pytest.param(f"{ONE},", "pair 2 has no id", id="comma at the end"),
        pytest.param(f"{ONE},a b:{SECRET}", "pair 2 has no id", id="blank in the id"),
        pytest.param(f"one:{SECRET}", "pair 1 has no key of 32 bytes", id="31 bytes"),
        pytest.param(f"{ONE},two:!{SECRET}", "pair 2 has no key of 32 bytes", id="no base64"),
        pytest.param("one:kéy", "pair 1 has no key of 32 bytes", id="no ASCII"),
        pytest.param(f"{ONE},{a_pair('one', 2)}", "'one' a second time", id="two of one id"),
    ],
)
def test_a_list_that_is_none_is_refused_without_its_keys(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        KeyRing.parse(text)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_both_alphabets_of_base64_and_blanks_are_read() -> None:
    key = bytes([251]) * 32
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert KeyRing.parse(f" a:{encode(key).decode()} , {ONE}").keys["a"] == key
    assert "one" not in repr(KeyRing.parse(ONE))


# Whole cases ---------------------------------------------------------------------------------------------

AMOUNT, MARK = "7341.59", b"341.59"
"""The mark is found whether or not thousands are divided."""


@pytest.fixture(scope="module")
def server() -> Iterator[DevServer]:
    """The real one: it lets go of a worker that went, so that the next one is asked at once."""
    running = DevServer.start(None, port=free_port(), ui=False)
    asyncio.run(_register(running.address))
    yield running
    running.kill()


async def _register(address: str) -> None:
    await register_search_attributes(await Client.connect(address))


@pytest.fixture
def file_database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/sealed.sqlite")
    migrate(database)
    yield database
    database.close()


@asynccontextmanager
async def worked(server: DevServer, database: Database, keys: str) -> AsyncIterator[Client]:
    """A client and a worker that hold these keys; the worker is gone after the block, its cases are not."""
    ring = KeyRing.parse(keys) if keys else KeyRing()
    client = await Client.connect(server.address, data_converter=sealed_with(ring))
    with ThreadPoolExecutor(20) as executor:
        async with make_worker(client, sample_deps(database), executor):
            yield client


async def begin(client: Client, database: Database, invoice_id: str) -> WorkflowHandle[InvoiceDunning, Outcome]:
    invoice = an_invoice(invoice_id=invoice_id, amount=Decimal(AMOUNT))
    clock = Clock(rehearsal=True, speed=86400, real=datetime.now(UTC), case=AS_OF)
    registered = Registrar(sample_deps(database), the_ladders()).register(invoice, AS_OF, clock)
    assert registered.start is not None
    return await client.start_workflow(
        InvoiceDunning.run,
        registered.start,
        id=workflow_id(invoice_id),
        task_queue=TASK_QUEUE,
        task_timeout=timedelta(seconds=3),  # how long a task that a worker failed at twice is left alone
        static_summary=f"{AMOUNT} EUR",
        memo={"amount": AMOUNT},
    )


def of(client: Client, invoice_id: str) -> WorkflowHandle[InvoiceDunning, Outcome]:
    return client.get_workflow_handle_for(InvoiceDunning.run, workflow_id(invoice_id))


def told_to_the_server(history: WorkflowHistory) -> bytes:
    """Every byte of a history but the search attributes, which are plain by their nature."""
    return b"".join(_bare(event).SerializeToString() for event in history.events)


def _bare(event: HistoryEvent) -> HistoryEvent:
    bare = HistoryEvent.FromString(event.SerializeToString())
    for name in ("workflow_execution_started", "upsert_workflow_search_attributes"):
        if bare.HasField(f"{name}_event_attributes"):  # type: ignore[arg-type]
            getattr(bare, f"{name}_event_attributes").ClearField("search_attributes")
    return bare


async def pay(case: WorkflowHandle[InvoiceDunning, Outcome], payment_id: str, amount: str) -> None:
    await case.signal("payment_received", {"payment_id": payment_id, "amount": amount, "currency": "EUR"})


async def replay(history: WorkflowHistory, keys: str) -> None:
    exported = WorkflowHistory.from_json(history.workflow_id, history.to_json())
    converter = sealed_with(KeyRing.parse(keys))
    await Replayer(workflows=[InvoiceDunning], data_converter=converter).replay_workflow(exported)


async def test_a_case_is_sealed_from_end_to_end_across_a_rotation(server: DevServer, file_database: Database) -> None:
    async with worked(server, file_database, ONE) as client:
        case = await begin(client, file_database, "sealed-1")
        await pay(case, "p1", "1000.00")
        assert (await case.query(InvoiceDunning.status)).amount_due == Decimal("6341.59")
    async with worked(server, file_database, f"{TWO},{ONE}") as client:
        case = of(client, "sealed-1")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await case.execute_update("invoice_amended", {"amount": f"-{AMOUNT}", "by": "agent-7"})
        assert "amount" in str(refused.value.cause), "a refusal is read by who holds the keys"
        await pay(case, "p2", "6341.59")
        await case.result()
        described = await case.describe()
        assert await described.memo() == {"amount": AMOUNT}
        assert await described.static_summary() == f"{AMOUNT} EUR"
        history = await case.fetch_history()

    told = told_to_the_server(history)
    assert MARK not in told
    assert b"payment_id" not in told
    assert {b"one", b"two"} == {
        key for event in history.events for key in re.findall(rb"dunwell-key\x12\x03(...)", event.SerializeToString())
    }
    await replay(history, f"{TWO},{ONE}")


async def test_sealing_is_switched_on_with_running_cases(server: DevServer, file_database: Database) -> None:
    async with worked(server, file_database, "") as client:
        case = await begin(client, file_database, "sealed-2")
        await pay(case, "p1", "1000.00")
        assert (await case.query(InvoiceDunning.status)).amount_due == Decimal("6341.59")
        before = await case.fetch_history()
        assert MARK in told_to_the_server(before), "the mark is found where nothing is sealed"
    async with worked(server, file_database, ONE) as client:
        case = of(client, "sealed-2")
        await pay(case, "p2", "6341.59")
        await case.result()
        after = await case.fetch_history()
    since = WorkflowHistory(after.workflow_id, after.events[len(before.events) :])
    assert MARK not in told_to_the_server(since)
    await replay(after, ONE)


async def test_a_case_waits_for_a_worker_that_holds_its_key(server: DevServer, file_database: Database) -> None:
    async with worked(server, file_database, ONE) as client:
        await pay(await begin(client, file_database, "sealed-3"), "p1", "1000.00")
        await of(client, "sealed-3").query(InvoiceDunning.status)
    async with worked(server, file_database, TWO) as client:
        await pay(of(client, "sealed-3"), "p2", "6341.59")
        assert "'one', which PAYLOAD_KEYS does not hold" in await _first_failure(of(client, "sealed-3"))
    async with worked(server, file_database, f"{TWO},{ONE}") as client:
        outcome = await of(client, "sealed-3").result()
    assert outcome.stage == "paid"


@pytest.mark.parametrize("watch", [WATCH_ID, RECONCILER_ID])
async def test_a6_a_signal_nobody_can_open_stops_no_other_workflow(
    server: DevServer, file_database: Database, watch: str
) -> None:
    async with worked(server, file_database, TWO) as client:
        await start_watch(client)
        stranger = await Client.connect(server.address, data_converter=sealed_with(KeyRing.parse(ONE)))
        await stranger.get_workflow_handle(watch).signal("payment_received", {"payment_id": "p1"})
        signalled = False
        async for event in client.get_workflow_handle(watch).fetch_history_events(wait_new_event=True):
            signalled = signalled or event.HasField("workflow_execution_signaled_event_attributes")
            assert not event.HasField("workflow_task_failed_event_attributes")
            if signalled and event.HasField("workflow_task_completed_event_attributes"):
                break
        await client.get_workflow_handle(watch).terminate()


async def _first_failure(case: WorkflowHandle[InvoiceDunning, Outcome]) -> str:
    """What the worker says about the first task it fails at, as the Temporal UI shows it."""
    async for event in case.fetch_history_events(wait_new_event=True):
        if event.HasField("workflow_task_failed_event_attributes"):
            return event.workflow_task_failed_event_attributes.failure.message
    raise AssertionError("the case ended")

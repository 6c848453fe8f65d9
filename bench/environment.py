"""The environment of the measurements: a real server, a database of either kind, worker processes."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psutil
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from dunwell.bootstrap import register_search_attributes
from dunwell.local.demo import outbox_deps
from dunwell.local.postgres import postgres_in
from dunwell.services.dependencies import Dependencies
from dunwell.store.schema import migrate

KINDS = ("sqlite", "postgres")
_READY = "ready"
_ROOT = Path(__file__).parent.parent


@asynccontextmanager
async def server(folder: Path, spaces: Sequence[str], *extra: str) -> AsyncIterator[str]:
    """Run the server on a file, as `make up` does, with these namespaces. Yields its address."""
    more = ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", *extra]
    for space in spaces:
        more += ["--namespace", space]
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=_program(),
        dev_server_database_filename=str(folder / "temporal.sqlite"),
        dev_server_log_level="error",
        dev_server_extra_args=more,
    )
    async with environment:
        yield environment.client.service_client.config.target_host


async def client_of(address: str, space: str, *, attributes: bool = True) -> Client:
    client = await Client.connect(address, namespace=space, data_converter=pydantic_data_converter)
    if attributes:
        await register_search_attributes(client)
    return client


@contextmanager
def deps_on(kind: str, folder: Path) -> Iterator[Dependencies]:
    """Make dependencies on an empty database of this kind, with the outbox as the only provider."""
    if kind == "sqlite":
        with _deps(f"sqlite:///{(folder / 'bench.sqlite').as_posix()}") as deps:
            yield deps
        return
    with postgres_in(folder / "postgres") as postgres, _deps(postgres.get_uri()) as deps:
        yield deps


@contextmanager
def _deps(url: str) -> Iterator[Dependencies]:
    deps = outbox_deps(url)
    migrate(deps.database)
    try:
        yield deps
    finally:
        deps.database.close()


class WorkerProcess:
    """A worker process, whose memory and processor time can be read."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def megabytes(self) -> float:
        """Its memory without shared pages."""
        return float(self._seen.memory_full_info().uss) / 1e6

    @property
    def seconds(self) -> float:
        """Its processor time so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


@asynccontextmanager
async def worker_process(
    kind: str,
    address: str,
    space: str,
    database_url: str = "",
    *,
    cached: int = 0,
    per_second: float = 0,
    provider_seconds: float = 0,
) -> AsyncIterator[WorkerProcess]:
    """Run a worker process. `kind` is "floor" or "dunwell".

    cached            workflows in the cache; 0: as many as by default
    per_second        limit of e-mails for the provider; 0: none
    provider_seconds  seconds that the provider takes for each message
    """
    numbers = (str(cached), str(per_second), str(provider_seconds))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.worker_process", kind, address, space, database_url, *numbers),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    started = WorkerProcess(process)
    try:
        if process.stdout is None or (await process.stdout.readline()).decode().strip() != _READY:
            raise RuntimeError(f"the worker ({kind}) did not start: its error stands above")
        yield started
    finally:
        await started.stop()


@asynccontextmanager
async def worker_processes(
    count: int, kind: str, address: str, space: str, database_url: str = ""
) -> AsyncIterator[list[WorkerProcess]]:
    """Run this many worker processes."""
    async with AsyncExitStack() as started:
        yield [
            await started.enter_async_context(worker_process(kind, address, space, database_url))
            for _ in range(count)
        ]


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="dunwell-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float = 600, every: float = 0.05) -> None:
    """Wait until `true` returns True. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(every)


async def all_of(calls: Sequence[Callable[[], Awaitable[object]]], at_once: int = 50) -> None:
    """Make every call, `at_once` of them at the same time."""
    slots = asyncio.Semaphore(at_once)

    async def one(call: Callable[[], Awaitable[object]]) -> None:
        async with slots:
            await call()

    await asyncio.gather(*(one(call) for call in calls))


def _program() -> str:
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise SystemExit("make bench: the temporal program is not installed: run make install.")
    return found

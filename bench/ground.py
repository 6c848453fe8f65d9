"""What every measurement stands on: a real server, a database of either kind, a worker in a process of its own."""

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
    """The server on a file, as `make up` runs it, with these namespaces. Gives its address."""
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
def desk_on(kind: str, folder: Path) -> Iterator[Dependencies]:
    """A desk whose only provider is the outbox, on an empty database of this kind."""
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


class Crew:
    """A worker in a process of its own, as in production; its memory and its time can be read from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def megabytes(self) -> float:
        """Memory of its own, shared pages left out."""
        return float(self._seen.memory_full_info().uss) / 1e6

    @property
    def seconds(self) -> float:
        """Processor time so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


@asynccontextmanager
async def crew(
    kind: str,
    address: str,
    space: str,
    database_url: str = "",
    *,
    cached: int = 0,
    per_second: float = 0,
    provider_seconds: float = 0,
) -> AsyncIterator[Crew]:
    """`kind` is "floor" or "dunwell"; 0 is the product's own number.

    cached            workflows kept in memory
    per_second        e-mails handed to the provider
    provider_seconds  how long the provider takes for each
    """
    numbers = (str(cached), str(per_second), str(provider_seconds))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.crew", kind, address, space, database_url, *numbers),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    started = Crew(process)
    try:
        if process.stdout is None or (await process.stdout.readline()).decode().strip() != _READY:
            raise RuntimeError(f"the worker ({kind}) did not start: its error stands above")
        yield started
    finally:
        await started.stop()


@asynccontextmanager
async def crews(count: int, kind: str, address: str, space: str, database_url: str = "") -> AsyncIterator[list[Crew]]:
    """So many workers, each in a process of its own."""
    async with AsyncExitStack() as started:
        yield [await started.enter_async_context(crew(kind, address, space, database_url)) for _ in range(count)]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="dunwell-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float = 600, every: float = 0.05) -> None:
    """Raises TimeoutError when it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(every)


async def all_of(calls: Sequence[Callable[[], Awaitable[object]]], at_once: int = 50) -> None:
    """Every call, so many at the same time."""
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

"""`make demo`: runs a dozen rehearsed cases on a real server, one day a second. No message leaves the outbox.

It starts, and stops at its end, the Temporal server, a worker process and a new database. The simulated customers of
`demo_customers` react to messages by signals, as a billing system would.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Literal

from rich import box
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from dunwell.bootstrap import MESSAGES, NotReady, register_search_attributes
from dunwell.client.registration import Registered, Registrar
from dunwell.domain.channels import WRITTEN, Channel
from dunwell.domain.clock import Clock
from dunwell.domain.invoice import Invoice, for_rehearsal
from dunwell.domain.principals import SYSTEM, Role
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Level, Stage
from dunwell.gateways.holidays import HolidayLibrary
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.product_access import NoProduct
from dunwell.intake.invoices import read_file
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.local.demo_customers import STORIES, CaseReader, CaseView, DemoCustomer, Story, UnexpectedError
from dunwell.local.demo_visit import ask_for_grace
from dunwell.local.owner import sign_in_link
from dunwell.local.product import CHANGES
from dunwell.local.supervisor import (
    ROOT,
    WORKER,
    WORKER_LOG,
    Child,
    GivenUpError,
    RestartLimits,
    Supervisor,
    exit_text,
)
from dunwell.local.temporal_server import DevServer, ServerError, free_port
from dunwell.local.up import WEB_LOG, WEB_PORT
from dunwell.process import READY, leave
from dunwell.services.api_keys import ApiKeys
from dunwell.services.dependencies import Dependencies
from dunwell.services.our_company import Sender
from dunwell.store import outbox
from dunwell.store.database import Database
from dunwell.store.private_files import keep_to_owner
from dunwell.store.schema import migrate
from dunwell.texts.catalogue import Catalogue
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import CaseStart, Outcome, workflow_id
from workflows.options import STEP_WORK, TASK_QUEUE
from workflows.search_attributes import first_attributes
from workflows.ui_text import summary

INVOICES = Path(__file__).with_name("demo_invoices.jsonl")
AS_OF = datetime(2027, 3, 1, 8, tzinfo=UTC)  # a Monday
SPEED = 86_400.0  # a day of the case each second

_TOO_LONG = STEP_WORK["start_to_close_timeout"].total_seconds() + 120
"""Seconds for one story. A step that a killed worker had begun is retried only after its timeout."""

PRODUCT_PORT = 8090
_LOOK_SECONDS = 0.2
_REDRAW_PER_SECOND = 4
_WIDE = 140  # characters
_WORKER_READY_SECONDS = 60.0
_READY_SECONDS = 60.0


class DemoError(Exception):
    """The demo cannot go on. The text says why."""


# The processes -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DemoSystem:
    """The server, the worker and the database of the demo; with `sites`, its web service and a small product."""

    server: DevServer
    worker: Supervisor
    deps: Dependencies
    state: Path
    sites: "Sites | None" = None

    def check(self) -> None:
        """Restart the worker if it has ended. Call it on the main thread.

        Raises DemoError when the server has ended, GivenUpError when the worker ends again and again.
        """
        code = self.server.process.poll()
        if code is not None:
            raise DemoError(f"The Temporal server {exit_text(code)}. Its log ends:\n{self.server.log.tail()}")
        self.worker.look()
        for one in self.sites.supervisors if self.sites is not None else ():
            one.look()


@dataclass(frozen=True)
class Sites:
    """What a browser can open: the web service, and the product whose accounts are limited."""

    web: str
    product: str
    supervisors: tuple[Supervisor, ...]


@contextmanager
def running_system(state: Path, *, ui: bool = True, sites: bool = False) -> Iterator[DemoSystem]:
    """Start server, database and worker in the folder `state`, and stop them at the end of the block.

    With `sites` the web service and the product are started too. Not for use inside an event loop.
    Raises ServerError, NotReady, or DemoError when one of them does not start.
    """
    with ExitStack() as stack:
        server = DevServer.start(state, ui=ui)
        stack.callback(server.stop)
        asyncio.run(_register(server))
        deps = outbox_deps(f"sqlite:///{(state / 'dunwell.sqlite').as_posix()}")
        stack.callback(deps.database.close)
        migrate(deps.database)
        environment = _environment(state, server.address, server.namespace, deps.database.url)
        addresses = _free_addresses() if sites else None
        if addresses is not None:
            environment |= _between(*addresses)
        # It runs in `state`, where it does not read the developer's .env.
        launch = partial(Child.start, state / WORKER_LOG, environment, str(WORKER), folder=state)
        worker = Supervisor("worker", launch, RestartLimits())
        stack.callback(worker.stop)
        worker.start()
        started = None if addresses is None else _start_sites(state, environment, deps.database, addresses, stack)
        yield DemoSystem(server, worker, deps, state, started)


def _free_addresses() -> tuple[str, str]:
    """Return addresses for the web service and the product."""
    return f"127.0.0.1:{free_port(WEB_PORT)}", f"127.0.0.1:{free_port(PRODUCT_PORT)}"


def _between(web: str, product: str) -> dict[str, str]:
    """Return the settings by which worker, web service and product know each other."""
    return {
        "PUBLIC_URL": f"http://{web}",
        "LINK_SECRET": token_hex(32),
        "PRODUCT_ACCESS_URL": f"http://{product}{CHANGES}",
        "PRODUCT_ACCESS_SECRET": token_hex(32),
    }


def _start_sites(
    state: Path, environment: Mapping[str, str], database: Database, addresses: tuple[str, str], stack: ExitStack
) -> Sites:
    """Start the web service and the product, which end with the stack. Raises DemoError when one does not start."""
    web, product = addresses
    key = ApiKeys(database).create("demo-product", Role.PRODUCT, 1, SYSTEM, datetime.now(UTC)).key
    accounts = sorted({for_rehearsal(invoice).customer.customer_id for invoice in demo_invoices()})
    own = {"WEB_ADDRESS": web, "DUNWELL_URL": f"http://{web}", "DUNWELL_API_KEY": key}
    known = {**environment, **own, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    port = product.rpartition(":")[2]
    started = []
    for name, log, arguments in (
        ("web service", WEB_LOG, ("-m", "dunwell.web")),
        ("product", "product.log", ("-m", "dunwell.local.product", "--port", port, *accounts)),
    ):
        child = Supervisor(name, partial(Child.start, state / log, known, *arguments, folder=state), RestartLimits())
        stack.callback(child.stop)
        child.start()
        started.append(child)
    for child in started:
        if not child.wait_for_log(f" {READY}: ", _READY_SECONDS):
            raise DemoError(f"The {child.name} is not ready after {_READY_SECONDS:.0f} s.")
    return Sites(f"http://{web}", f"http://{product}", tuple(started))


async def _register(server: DevServer) -> None:
    await register_search_attributes(await Client.connect(server.address, namespace=server.namespace))


def _environment(state: Path, address: str, namespace: str, database: str) -> dict[str, str]:
    """Return the environment of the worker. It holds no provider's key, so every message goes to the outbox."""
    profile = state / "no-profile.toml"
    profile.touch()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    return kept | {
        "HOME": str(state),
        "TEMPORAL_CONFIG_FILE": str(profile),
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": namespace,
        "DATABASE_URL": database,
        "DUNWELL_STATE": str(state),
    }


def outbox_deps(database_url: str) -> Dependencies:
    """Return dependencies without providers: every message stays in the outbox."""
    gateways = {channel: OutboxGateway(channel) for channel in WRITTEN}
    return Dependencies(
        database=Database(database_url),
        business_days=HolidayLibrary(),
        catalogue=Catalogue.load(MESSAGES),
        sender=Sender("Accounts receivable", "Dunwell Example Ltd"),
        gateways=gateways,
        rehearsal_gateways=gateways,
        product=NoProduct(),
        rehearsal_product=NoProduct(),
    )


def demo_invoices() -> list[Invoice]:
    """Return the invoices of the demo. Raises DemoError when the file is damaged."""
    file = read_file(str(INVOICES))
    if file.refusals:
        raise DemoError(f"{INVOICES.name}: {file.refusals[0]}")
    return list(file.invoices)


# The stories ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ending:
    """How one case ended. `trouble` is None when it ended as its story expects."""

    invoice: Invoice
    story: Story
    seen: CaseView | None
    trouble: str | None


Show = Callable[[Mapping[str, CaseView]], None]
"""Called with the present view of every case, a few times a second."""


class DemoRun:
    """Registers the invoices, starts their cases, and runs the story of every customer."""

    def __init__(self, system: DemoSystem, client: Client, invoices: Iterable[Invoice], show: Show) -> None:
        self._system = system
        self._client = client
        self._show = show
        self.invoices = list(invoices)
        self.seen: Mapping[str, CaseView] = {}
        self.customers = {
            one.invoice_id: DemoCustomer(one, self._tell(one.invoice_id), self._visit(one)) for one in self.invoices
        }

    async def perform(self) -> list[Ending]:
        """Run until every story has ended. Raises DemoError when the server ends, Refused for a bad invoice."""
        registered = await asyncio.to_thread(self._register)
        await self._wait_for_worker()
        await asyncio.gather(*(self._start(one) for one in registered))
        polling = asyncio.create_task(self._poll())
        stories = asyncio.create_task(self._live_all())
        try:
            await asyncio.wait([polling, stories], return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
            endings = await stories
            self._look(await asyncio.to_thread(CaseReader(self._system.deps.database, SPEED).look))
            return endings
        finally:
            polling.cancel()
            stories.cancel()
            await asyncio.gather(polling, stories, return_exceptions=True)

    def _register(self) -> list[Registered]:
        traits = traits_of(self._system.deps.catalogue)
        registrar = Registrar(self._system.deps, read_ladders(traits))
        return [registrar.register(one, AS_OF, self._clock(AS_OF)) for one in self.invoices]

    def _clock(self, case_time: datetime) -> Clock:
        return Clock(rehearsal=True, speed=SPEED, real=datetime.now(UTC), case=case_time)

    async def _wait_for_worker(self) -> None:
        """Wait until the worker polls. A case started earlier would lose a day a second until then."""
        deadline = time.monotonic() + _WORKER_READY_SECONDS
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        while not (await self._client.workflow_service.describe_task_queue(request)).pollers:
            self._system.check()
            if time.monotonic() > deadline:
                raise DemoError(f"The worker does not work. Its log ends:\n{self._system.worker.log_tail}")
            await asyncio.sleep(0.1)

    async def _start(self, registered: Registered) -> None:
        start, case = registered.start, registered.opening.case
        if start is None:
            raise DemoError(f"{case.invoice_id} has ended before the demo began")
        await self._client.start_workflow(
            InvoiceDunning.run,
            start.model_copy(update={"clock": self._clock(AS_OF)}),
            id=workflow_id(case.invoice_id),
            task_queue=TASK_QUEUE,
            static_summary=summary(case, registered.opening.number),
            search_attributes=first_attributes(case),
        )

    def _tell(self, invoice_id: str) -> Callable[[str, dict[str, object]], "asyncio.Future[None]"]:
        return lambda name, content: asyncio.ensure_future(self._signal(invoice_id, name, content))

    def _visit(self, invoice: Invoice) -> Callable[[], "asyncio.Future[None]"]:
        product = self._system.sites.product if self._system.sites is not None else None
        account = for_rehearsal(invoice).customer.customer_id
        return lambda: asyncio.ensure_future(asyncio.to_thread(ask_for_grace, product, account))

    async def _signal(self, invoice_id: str, name: str, content: dict[str, object]) -> None:
        """Send a signal. If the case has ended, a new run starts with it, as for a payment that the bank reverses."""
        now = self.seen[invoice_id].now
        await self._client.start_workflow(
            InvoiceDunning.run,
            CaseStart(invoice_id=invoice_id, clock=self._clock(now)),
            id=workflow_id(invoice_id),
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=name,
            start_signal_args=[content],
        )

    async def _poll(self) -> None:
        reader = CaseReader(self._system.deps.database, SPEED)
        while True:
            self._system.check()
            self._look(await asyncio.to_thread(reader.look))
            await asyncio.sleep(_LOOK_SECONDS)

    def _look(self, seen: Mapping[str, CaseView]) -> None:
        self.seen = seen
        for invoice_id, customer in self.customers.items():
            customer.look(seen[invoice_id])
        self._show(seen)

    async def _live_all(self) -> list[Ending]:
        return await asyncio.gather(*(self._live(one) for one in self.invoices))

    async def _live(self, invoice: Invoice) -> Ending:
        story, customer = STORIES[invoice.invoice_id], self.customers[invoice.invoice_id]
        trouble: str | None = None
        try:
            async with asyncio.timeout(_TOO_LONG):
                await story.run(customer)
                await customer.end()
                handle = self._client.get_workflow_handle(workflow_id(invoice.invoice_id), result_type=Outcome)
                trouble = _complaint(story, (await handle.result()).stage, customer.seen)
        except TimeoutError:
            trouble = f"waited {_TOO_LONG:.0f} s, at last for {customer.waiting_for or 'the workflow to close'}"
        except (UnexpectedError, RPCError, WorkflowFailureError) as error:
            trouble = str(error)
        return Ending(invoice, story, self.seen.get(invoice.invoice_id), trouble)


def _complaint(story: Story, stage: Stage, seen: CaseView) -> str | None:
    """Return what is wrong with an ended case: an unexpected end, or a refused event on the way; else None."""
    if stage is not story.ends:
        return f"ended {stage.value}, expected {story.ends.value}"
    odd = [entry for entry in seen.decisions if entry.kind in {"refused", "trouble"}]
    return f"{odd[0].kind}: {odd[0].reason}" if odd else None


# What is shown -------------------------------------------------------------------------------------------


class Ticker:
    """For a pipe or a file: prints a line for each decision."""

    def __init__(self) -> None:
        self._printed: set[tuple[str, str]] = set()

    def show(self, seen: Mapping[str, CaseView]) -> None:
        fresh = [
            (entry.at, invoice_id, entry)
            for invoice_id, one in seen.items()
            for entry in one.decisions
            if (invoice_id, entry.key) not in self._printed
        ]
        for at, invoice_id, entry in sorted(fresh, key=lambda item: (item[0], item[1])):
            self._printed.add((invoice_id, entry.key))
            print(f"{at:%Y-%m-%d %H:%M}  {invoice_id:<15} {entry.kind:<13} {entry.reason}", flush=True)


class Board:
    """For a terminal: a table with one line a case, redrawn in place."""

    def __init__(self, console: Console, invoices: Iterable[Invoice], ui_url: str | None) -> None:
        self._invoices = list(invoices)
        self._ui_url = ui_url
        self._wide = console.width >= _WIDE
        self._seen: Mapping[str, CaseView] = {}
        self.live = Live(console=console, refresh_per_second=_REDRAW_PER_SECOND, get_renderable=self.table)

    def show(self, seen: Mapping[str, CaseView]) -> None:
        self._seen = seen

    def table(self) -> Table:
        """Return the table for the present view."""
        day = max((one.now for one in self._seen.values() if not one.case.finished), default=AS_OF)
        table = Table(
            title=f"Dunwell, one day a second: {day:%A, %d %B %Y}",
            caption=f"Temporal UI: {self._ui_url}" if self._ui_url else None,
            box=box.SIMPLE_HEAD,
            expand=True,
        )
        shown = [column for column in _COLUMNS if column.always or self._wide]
        for column in shown:
            table.add_column(
                column.heading, ratio=column.ratio, justify=column.justify, no_wrap=True, overflow="ellipsis"
            )
        for invoice in self._invoices:
            if invoice.invoice_id in self._seen:
                seen = self._seen[invoice.invoice_id]
                table.add_row(*(column.cell(invoice, seen) for column in shown))
        return table


_COLOURS = {Stage.PAID: "green", Stage.HANDED_OVER: "red", Stage.SCHEDULED: "dim", Stage.CHASING: "yellow"}


@dataclass(frozen=True)
class Column:
    """A column of the board. `ratio` None: as wide as its text. `always` False: only on a wide terminal."""

    heading: str
    cell: Callable[[Invoice, CaseView], Text | str]
    ratio: int | None = None
    justify: Literal["left", "right"] = "left"
    always: bool = True


def _access(_invoice: Invoice, seen: CaseView) -> Text:
    access = "work waits" if seen.case.holds == [Level.WORK] else seen.access.value
    return Text(access, style="" if access == "full" else "red")


def _date(_invoice: Invoice, seen: CaseView) -> str:
    ended = seen.case.finished and seen.decisions
    return f"{seen.decisions[-1].at if ended else seen.now:%d %b}"


def _next(_invoice: Invoice, seen: CaseView) -> str:
    action = seen.case.next_action
    return f"{action.at:%d %b} {action.name}" if action else ""


_COLUMNS = (
    Column("invoice", lambda invoice, _: invoice.invoice_id),
    Column("customer", lambda invoice, _: invoice.customer.name, ratio=3, always=False),
    Column("", lambda invoice, _: invoice.customer.country),
    Column("ladder", lambda _, seen: seen.case.policy.name, ratio=2, always=False),
    Column("stage", lambda _, seen: Text(seen.case.stage.value, style=_COLOURS.get(seen.case.stage, "cyan"))),
    Column("due", lambda invoice, seen: _money(invoice, seen.case.open_amount), justify="right"),
    Column("access", _access),
    Column("case date", _date, always=False),
    Column("next step", _next, ratio=3),
    Column("last decision", lambda _, seen: seen.decisions[-1].reason if seen.decisions else "", ratio=5),
)


def _money(invoice: Invoice, amount: Decimal) -> str:
    return f"{amount:,.{invoice.digits}f} {invoice.currency}"


def report(console: Console, endings: Iterable[Ending], database: Database) -> None:
    """Print what was sent and how each case ended."""
    console.print(_sent(database))
    sample = _sample(database)
    if sample:
        console.print(sample)
    table = Table(title="How the cases ended", box=box.SIMPLE_HEAD)
    for heading in ("", "invoice", "country", "ladder", "the customer", "end", "messages"):
        table.add_column(heading, overflow="fold")
    for one in endings:
        mark = Text("ok", style="green") if one.trouble is None else Text("WRONG", style="bold red")
        end = one.seen.case.stage.value if one.seen else "nothing was seen"
        messages = str(len(one.seen.messages)) if one.seen else ""
        ladder = one.invoice.policy or ""
        line = one.story.line if one.trouble is None else f"{one.story.line}: {one.trouble}"
        table.add_row(mark, one.invoice.invoice_id, one.invoice.customer.country, ladder, line, end, messages)
    console.print(table)


def _sent(database: Database) -> Table:
    with database.reading() as session:
        counts = Counter((row.channel, row.state) for row, _, _ in outbox.rows(session))
    table = Table(title="Messages in the outbox; nobody outside was written to", box=box.SIMPLE_HEAD)
    for heading in ("channel", "state", "messages"):
        table.add_column(heading)
    for (channel, state), count in sorted(counts.items()):
        table.add_row(channel, state, str(count))
    return table


def _sample(database: Database) -> Panel | None:
    """Return the final warning as a sample message; None when none was sent."""
    with database.reading() as session:
        for row, _, _ in outbox.rows(session):
            if row.message == "final-warning" and row.channel == Channel.EMAIL:
                return Panel(Text(row.body.strip()), title=Text(row.subject), subtitle=f"to {row.address}", width=100)
    return None


# The command ---------------------------------------------------------------------------------------------


async def _perform(system: DemoSystem, console: Console, began: float) -> bool:
    """Run the demo, print the report, and on a terminal wait for Ctrl-C. True when every case ended as expected."""
    client = await Client.connect(
        system.server.address, namespace=system.server.namespace, data_converter=pydantic_data_converter
    )
    invoices, terminal = demo_invoices(), console.is_terminal
    console.print(f"Temporal UI: {system.server.ui_url}", soft_wrap=True)
    if system.sites is not None:
        console.print(f"A product whose accounts are limited and given back: {system.sites.product}", soft_wrap=True)
    if not terminal:
        console.print("Without a terminal it ends, and stops everything, when all cases have ended.")
    console.print(f"Pull a plug, if you like: kill -9 {system.worker.pid} ends the worker, and nothing is lost.")
    if terminal:
        board = Board(console, invoices, system.server.ui_url)
        with board.live:
            endings = await DemoRun(system, client, invoices, board.show).perform()
    else:
        endings = await DemoRun(system, client, invoices, Ticker().show).perform()
    report(console, endings, system.deps.database)
    good = sum(one.trouble is None for one in endings)
    console.print(f"{good} of {len(endings)} cases ended as expected, {time.monotonic() - began:.0f} s in all.")
    if terminal and system.sites is not None:
        url, limited = (
            system.sites.web,
            next(for_rehearsal(one).customer.customer_id for one in invoices if one.invoice_id == "never-pays"),
        )
        console.print("This link signs you in to the console, once:")
        console.print(sign_in_link(system.deps.database.url, url), soft_wrap=True)
        console.print("The console lists these cases and customers as rehearsals, apart from real ones:")
        console.print(f"{url}/console/cases?rehearsals=only", soft_wrap=True)
        console.print(f"{url}/console/customers?rehearsals=only", soft_wrap=True)
        console.print("An account that is still limited, as its people see it:")
        console.print(f"{system.sites.product}/accounts/{limited}", soft_wrap=True)
        console.print(
            "Follow its link to the page that says why; record the payment of never-pays in the console: it is back."
        )
        console.print("Everything stays up until Ctrl-C, which stops it and leaves nothing behind.")
        with suppress(asyncio.CancelledError):  # Ctrl-C here is the ordinary end, not a failure
            while True:
                system.check()
                await asyncio.sleep(1)
    return good == len(endings)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts it so in the background
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def main() -> int:
    """Return 0 when every case ended as expected, 1 when one did not or on an error, 130 when interrupted."""
    keep_to_owner()
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _as_interrupt)
    began, console = time.monotonic(), Console()
    if not console.is_terminal:
        console = Console(width=140)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="dunwell-demo-") as folder,
            running_system(Path(folder), sites=True) as system,
        ):
            return 0 if asyncio.run(_perform(system, console, began)) else 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except (DemoError, GivenUpError, ServerError, NotReady, Refused, OSError) as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    leave(main())

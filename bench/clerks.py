"""Measures the console's queue page while fifty clerks work, beside the same page when nobody else does.

The web service runs as a process of its own over open cases; every fifth has a task, and of every tenth customer
nobody said what they are. First one clerk opens the queue again and again: the idle time. Then fifty open a page each
twenty seconds, each from a browser of its own: the queue, a task, a case, a customer, a search. Printed are the times
of each page, the ratio of the queue's to its idle time, which must be at most two, and how many statements each page
sends to the database.

A Temporal server runs beside it, without these cases: a page of a case asks it and then shows the database's copy.

    python -m bench.clerks --cases 5000 --clerks 50
"""

import argparse
import asyncio
import http.client
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Lock, Thread
from urllib.parse import urlencode

import httpx
from sqlalchemy import event, insert
from temporalio.client import Client

from bench import cases
from bench.access import web_service
from bench.environment import KINDS, client_of, deps_on, scratch, server
from bench.tables import percentile, table
from dunwell.client.bulk_start import in_chunks
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.domain.invoice import Invoice
from dunwell.domain.policy import Policy
from dunwell.domain.principals import SYSTEM, Role
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, TaskKind, TaskState
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.services.dependencies import Dependencies
from dunwell.services.users import Users
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from dunwell.web.app import make_app
from dunwell.web.service import Keys, make_service

MOST = 2.0
"""How many times its idle time the queue page may take while clerks work."""

QUEUE = "queue"
_ONE_TASK_IN, _ONE_UNKNOWN_IN = 5, 10
_DAYS = 60  # the invoices were due on as many days up to today
_PAUSE = 20.0
_TOGETHER = 5_000  # rows in one statement
_SCRIPT = "Good morning, this is about invoice 2027-17 over 1,000.00 EUR, which was due three weeks ago. " * 12


def fill(deps: Dependencies, policy: Policy, count: int) -> None:
    """Register open cases, and write a task for every fifth."""
    today = datetime.now(UTC)
    registrar = Registrar(deps, {policy.name: policy})
    invoices = [_open(number, policy, today.date()) for number in range(count)]
    for some in in_chunks(invoices):
        for found in registrar.register_all(some, today):
            if isinstance(found, Refused):
                raise found
    rows = [_task(number, today) for number in range(0, count, _ONE_TASK_IN)]
    with deps.database.writing() as session:
        for first in range(0, len(rows), _TOGETHER):
            session.execute(insert(TaskRow), rows[first : first + _TOGETHER])


def _open(number: int, policy: Policy, today: date) -> Invoice:
    """An invoice of the last two months. Of a tenth of the customers nobody said what they are."""
    made = cases.invoice(_invoice(number), policy, today - timedelta(days=number % _DAYS))
    kind = DebtorKind.BUSINESS if number % _ONE_UNKNOWN_IN else None
    return made.model_copy(update={"customer": made.customer.model_copy(update={"kind": kind})})


def _invoice(number: int) -> str:
    return f"inv-{number}"


def _task_id(number: int) -> str:
    return f"{_invoice(number)}.call.1"


def _task(number: int, now: datetime) -> dict[str, object]:
    hours = Random(number).randrange(-48, 24)
    return {
        "task_id": _task_id(number),
        "invoice_id": _invoice(number),
        "step": "call",
        "kind": TaskKind.DECISION if number % 7 == 0 else TaskKind.CALL,
        "contact_id": f"customer-{_invoice(number)}.accounts_payable.1",
        "due_at": now + timedelta(hours=hours),
        "reason": "step call is due",
        "script": _SCRIPT,
        "amount": 1000,
        "currency": "EUR",
        "state": TaskState.OPEN,
        "escalated_at": now - timedelta(hours=1) if hours < -36 else None,
    }


# Pages ---------------------------------------------------------------------------------------------------


def pages(draw: Random, count: int) -> Iterator[tuple[str, str]]:
    """Yield kinds and addresses of pages as clerks open them, for ever: the queue most often."""
    while True:
        number = draw.randrange(0, count, _ONE_TASK_IN)
        kind = draw.choice((QUEUE, QUEUE, QUEUE, "task", "task", "case", "case", "customer", "search", "messages"))
        yield kind, address(kind, number)


def address(kind: str, number: int) -> str:
    """Return the address of a page about the case of this number."""
    query = {"task": {"task": _task_id(number)}, "search": {"q": f"2027-{_invoice(number)}"}}.get(kind, {})
    path = {
        "case": f"/cases/{_invoice(number)}",
        "customer": f"/customers/customer-{_invoice(number)}",
        "search": "/cases",
        "messages": "/messages",
    }.get(kind, "")
    return f"/console{path}?{urlencode(query)}" if query else f"/console{path}"


KINDS_OF_PAGES = (QUEUE, "task", "case", "customer", "search", "messages")


@dataclass
class Times:
    """Seconds of each request, by kind of page. Safe to share between threads."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: Counter[int] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, kind: str, seconds: float, status: int) -> None:
        with self._lock:
            self.seconds[kind].append(seconds)
            if status != 200:
                self.failed[status] += 1


def open_page(port: int, cookie: str, path: str) -> tuple[float, int]:
    """Open a page as a browser does, over a connection of its own. Returns seconds and status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return time.perf_counter() - begun, answer.status


def idle(port: int, cookie: str, requests: int) -> Times:
    """Open the queue again and again, with a pause between."""
    times = Times()
    for number in range(requests + 5):
        seconds, status = open_page(port, cookie, address(QUEUE, 0))
        if number >= 5:  # the first ones fill caches
            times.add(QUEUE, seconds, status)
        time.sleep(0.1)
    return times


def at_work(port: int, cookies: Sequence[str], count: int, seconds: float) -> Times:
    """Let a clerk for each cookie open a page each twenty seconds, for so long."""
    times, until = Times(), time.monotonic() + seconds

    def work(number: int) -> None:
        draw = Random(number)
        at = time.monotonic() + draw.uniform(0, _PAUSE)
        for kind, path in pages(draw, count):
            if at > until:
                return
            time.sleep(max(at - time.monotonic(), 0))
            times.add(kind, *open_page(port, cookies[number], path))
            at += _PAUSE

    clerks = [Thread(target=work, args=(number,)) for number in range(len(cookies))]
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join()
    return times


def sign_in(database: Database, number: int) -> str:
    """Add a user and begin a session. Returns the cookie."""
    users, now = Users(database), datetime.now(UTC)
    email = f"clerk{number}@bench.example"
    users.add(email, Role.AGENT, SYSTEM, now)
    link = users.link(email, SYSTEM, now, sets_password=False)
    return f"dunwell={users.use_link(link, None, now).token}"


# Statements ----------------------------------------------------------------------------------------------


@contextmanager
def counted(database: Database) -> Iterator[Callable[[], int]]:
    """Yield what tells how many statements were sent to the database since it was asked last."""
    sent = 0

    def note(*_: object) -> None:
        nonlocal sent
        sent += 1

    def since() -> int:
        nonlocal sent
        before, sent = sent, 0
        return before

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield since
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


async def statements(deps: Dependencies, client: Client, policy: Policy, cookie: str) -> dict[str, int]:
    """Return how many statements a page of each kind takes, in this process."""
    service = make_service(client, deps, {policy.name: policy}, Cases(client, deps.database), Keys())
    transport = httpx.ASGITransport(app=make_app(service))
    found = {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers={"Cookie": cookie}
    ) as http_:
        with counted(deps.database) as since:
            for kind in KINDS_OF_PAGES:
                since()
                (await http_.get(address(kind, 0))).raise_for_status()
                found[kind] = since()
    return found


# All of it -----------------------------------------------------------------------------------------------


async def bench(
    folder: Path, kinds: Sequence[str], count: int, clerks: int, seconds: float, requests: int
) -> tuple[str, float]:
    """Return the table, and the highest ratio of medians."""
    rows: list[list[object]] = []
    worst = 0.0
    async with server(folder, ["clerks"]) as engine:
        client = await client_of(engine, "clerks")
        for kind in kinds:
            with deps_on(kind, folder) as deps:
                policy = read_ladders(traits_of(deps.catalogue))["gradual-pressure"]
                fill(deps, policy, count)
                cookies = [sign_in(deps.database, number) for number in range(clerks)]
                sent = await statements(deps, client, policy, cookies[0])
                more = {"TEMPORAL_ADDRESS": engine, "TEMPORAL_NAMESPACE": "clerks"}
                with web_service(deps.database, more) as port:
                    alone = await asyncio.to_thread(idle, port, cookies[0], requests)
                    busy = await asyncio.to_thread(at_work, port, cookies, count, seconds)
            ratio = percentile(busy.seconds[QUEUE], 50) / percentile(alone.seconds[QUEUE], 50)
            worst = max(worst, ratio)
            rows.append([f"{kind}: the queue alone", *_figures(alone.seconds[QUEUE]), "1.00", sent[QUEUE]])
            rows += [
                [
                    f"{kind}: {page}, {clerks} clerks",
                    *_figures(busy.seconds[page]),
                    f"{ratio:.2f}" if page == QUEUE else "",
                    sent[page],
                ]
                for page in KINDS_OF_PAGES
                if busy.seconds[page]
            ]
            if alone.failed or busy.failed:
                raise RuntimeError(f"{kind}: pages were answered {dict(alone.failed + busy.failed)}")
    heads = [f"{count} open cases", "pages", "p50 ms", "p95 ms", "of the idle time", "statements"]
    return table(heads, rows), worst


def _figures(seconds: Sequence[float]) -> list[object]:
    return [len(seconds), *(f"{percentile(seconds, percent) * 1000:.0f}" for percent in (50, 95))]


def main() -> None:
    """Print the table. Exits with 1 when the queue page takes more than twice its idle time."""
    parser = argparse.ArgumentParser(prog="python -m bench.clerks", description=__doc__)
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--clerks", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the clerks work")
    parser.add_argument("--requests", type=int, default=60, help="of the queue page alone")
    parser.add_argument("--database", choices=KINDS, action="append", help="one kind only; default both")
    chosen = parser.parse_args()
    with scratch() as folder:
        text, worst = asyncio.run(
            bench(folder, chosen.database or KINDS, chosen.cases, chosen.clerks, chosen.seconds, chosen.requests)
        )
    print(text)
    if worst > MOST:
        raise SystemExit(f"The queue page takes {worst:.2f} times its idle time; at most {MOST:g} are allowed.")


if __name__ == "__main__":
    main()

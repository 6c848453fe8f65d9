"""Measures the access check: its time beside that of a bare route of the same web service.

A product asks for an account's access with every login of a customer, so the check is one read of the database and
does not call Temporal. The web service runs as a process of its own, with accounts and holds of which a tenth are
open, and links: that of each account, whose page the answer names, among those of its messages. One caller asks for
the access of other accounts in turn, between requests for the bare route `/livez`, over one connection. Printed are
the times and their ratio to the bare route, which must be at most three.

    python -m bench.access --accounts 10000 --holds 100000
"""

import argparse
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from secrets import token_hex

from sqlalchemy import insert

from bench.environment import KINDS, deps_on, scratch
from bench.tables import percentile, table
from dunwell.domain.links import LinkKind, hash_of, token_of
from dunwell.domain.principals import SYSTEM, Role
from dunwell.domain.terms import Level
from dunwell.local.temporal_server import free_port
from dunwell.services.api_keys import ApiKeys
from dunwell.store.database import Database
from dunwell.store.tables import CustomerRow, HoldRow, InvoiceRow, LinkRow

MOST = 3.0
"""How many times the time of the bare route the check may take."""

_ROOT = Path(__file__).parent.parent
_TOGETHER = 5_000  # rows in one statement
_ONE_OPEN_IN = 10
_AT = datetime(2027, 3, 1, tzinfo=UTC)
_OF_MESSAGES = (LinkKind.PAGE,) * 10
_SECRET = "the secret of a measurement"
_SETTINGS = {"PUBLIC_URL": "https://dunning.example", "LINK_SECRET": _SECRET}


def fill(database: Database, accounts: int, holds: int) -> None:
    """Write the accounts, each with one invoice and its links, and the holds, evenly over the accounts."""
    facts = {"country": "DE", "time_zone": "Europe/Berlin", "language": "de", "name": "Account"}
    customers = [{"customer_id": _account(number), **facts} for number in range(accounts)]
    invoices = [_invoice(number) for number in range(accounts)]
    placed = [_hold(number, number % accounts) for number in range(holds)]
    links = [_link(number, kind) for number in range(accounts) for kind in (LinkKind.RESTRICTION, *_OF_MESSAGES)]
    with database.writing() as session:
        for row, rows in ((CustomerRow, customers), (InvoiceRow, invoices), (HoldRow, placed), (LinkRow, links)):
            for first in range(0, len(rows), _TOGETHER):
                session.execute(insert(row), rows[first : first + _TOGETHER])


def _account(number: int) -> str:
    return f"account-{number}"


def _invoice(number: int) -> dict[str, object]:
    return {
        "invoice_id": f"inv-{number}",
        "number": str(number),
        "customer_id": _account(number),
        "amount": 100,
        "currency": "EUR",
        "digits": 2,
        "issued_on": _AT.date(),
        "due_on": _AT.date(),
        "policy_name": "gentle-saas",
        "policy_version": 1,
    }


def _hold(number: int, account: int) -> dict[str, object]:
    return {
        "hold_id": f"hold-{number}",
        "customer_id": _account(account),
        "invoice_id": f"inv-{account}",
        "level": Level.RESTRICTED,
        "reason": f"invoice inv-{account}: step restrict, 100.00 EUR open",
        "placed_at": _AT,
        "released_at": None if Random(number).randrange(_ONE_OPEN_IN) == 0 else _AT,
    }


def _link(number: int, kind: LinkKind) -> dict[str, object]:
    link_id = token_hex(16)
    return {
        "link_id": link_id,
        "kind": kind,
        "hash": hash_of(_SECRET, token_of(_SECRET, kind, link_id)),
        "customer_id": _account(number),
        "scopes": [],
        "made_at": _AT,
    }


@contextmanager
def web_service(database: Database, settings: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run the web service on this database, with further settings. Yields its port on this machine."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": database.url,
        "WEB_ADDRESS": f"127.0.0.1:{port}",
        "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",  # nobody listens: the check needs no engine
        **(settings or {}),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "dunwell.web"], cwd=_ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        _await(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until the service answers. Raises RuntimeError when it ends instead."""
    for _ in range(600):
        if process.poll() is not None:
            why = process.stderr.read().decode() if process.stderr else ""
            raise RuntimeError(f"the web service did not start: {why}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the web service does not answer")


@dataclass
class Times:
    """Seconds of each request."""

    bare: list[float] = field(default_factory=list)
    access: list[float] = field(default_factory=list)
    unchanged: list[float] = field(default_factory=list)


def measure(port: int, token: str, accounts: int, requests: int) -> Times:
    """Ask in turn for the bare route, an account's access, and the same with its entity tag."""
    connection, times, draw = http.client.HTTPConnection("127.0.0.1", port, timeout=30), Times(), Random(1)
    bearer = {"Authorization": f"Bearer {token}"}

    def ask(path: str, headers: dict[str, str], status: int, seconds: list[float]) -> str:
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - begun)
        if answer.status != status:
            raise RuntimeError(f"{path} answered {answer.status} where {status} was expected")
        return answer.headers.get("ETag", "")

    for _ in range(requests):
        path = f"/api/accounts/{_account(draw.randrange(accounts))}/access"
        ask("/livez", {}, 200, times.bare)
        tag = ask(path, bearer, 200, times.access)
        ask(path, bearer | {"If-None-Match": tag}, 304, times.unchanged)
    connection.close()
    return times


def bench(folder: Path, kinds: Sequence[str], accounts: int, holds: int, requests: int) -> tuple[str, float]:
    """Return the table, and the highest ratio of medians."""
    rows: list[list[object]] = []
    worst = 0.0
    for kind in kinds:
        with deps_on(kind, folder) as deps:
            fill(deps.database, accounts, holds)
            with web_service(deps.database, _SETTINGS) as port:
                keys, now = ApiKeys(deps.database), datetime.now(UTC)
                token = keys.create("benchmark", Role.PRODUCT, None, SYSTEM, now).key
                measure(port, token, accounts, 200)  # warms caches up
                times = measure(port, token, accounts, requests)
        bare = percentile(times.bare, 50)
        for name, seconds in (("bare route", times.bare), ("access", times.access), ("304", times.unchanged)):
            ratio = percentile(seconds, 50) / bare
            worst = max(worst, ratio)
            figures = [f"{percentile(seconds, percent) * 1000:.2f}" for percent in (50, 99)]
            rows.append([f"{kind}: {name}", *figures, f"{ratio:.2f}"])
    heads = [f"{accounts} accounts, {holds} holds", "p50 ms", "p99 ms", "of the bare route"]
    return table(heads, rows), worst


def main() -> None:
    """Print the table. Exits with 1 when the check takes more than three times the bare route."""
    parser = argparse.ArgumentParser(prog="python -m bench.access", description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--holds", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--database", choices=KINDS, action="append", help="one kind only; default both")
    chosen = parser.parse_args()
    with scratch() as folder:
        text, worst = bench(folder, chosen.database or KINDS, chosen.accounts, chosen.holds, chosen.requests)
    print(text)
    if worst > MOST:
        raise SystemExit(f"The access check takes {worst:.2f} times the bare route; at most {MOST:g} are allowed.")


if __name__ == "__main__":
    main()

"""The demo's engine on the real server: short stories come to their ends, and a wrong end is noticed."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from dunwell.bootstrap import MESSAGES
from dunwell.domain.channels import Channel
from dunwell.domain.terms import Access, Stage
from dunwell.local.demo import (
    Board,
    DemoError,
    DemoRun,
    DemoSystem,
    Ending,
    Ticker,
    demo_invoices,
    report,
    running_system,
)
from dunwell.local.demo_customers import STORIES
from dunwell.store import outbox


@pytest.fixture
def with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    # Were these handed to the worker, its messages would go to a provider that nobody emulates here.
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.not-for-the-demo")
    monkeypatch.setenv("SENDGRID_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MAIL_FROM", "Ana Lopez <ana@example.com>")


@pytest.fixture
def system(with_keys: None, tmp_path: Path) -> Iterator[DemoSystem]:
    with running_system(tmp_path / "state", ui=False) as system:
        yield system


@pytest.fixture
def whole_system(with_keys: None, tmp_path: Path) -> Iterator[DemoSystem]:
    """With the web service and the product."""
    with running_system(tmp_path / "state", ui=False, sites=True) as system:
        yield system


async def play(system: DemoSystem, *names: str) -> dict[str, Ending]:
    client = await Client.connect(system.server.address, data_converter=pydantic_data_converter)
    chosen = [invoice for invoice in demo_invoices() if invoice.invoice_id in names]
    endings = await DemoRun(system, client, chosen, Ticker().show).perform()
    return {ending.invoice.invoice_id: ending for ending in endings}


def test_every_invoice_has_a_debtor_and_every_debtor_an_invoice() -> None:
    assert sorted(STORIES) == sorted(invoice.invoice_id for invoice in demo_invoices())


def test_the_dozen_shows_what_the_product_can() -> None:
    invoices = demo_invoices()
    assert {invoice.policy for invoice in invoices} == {"gentle-saas", "gradual-pressure", "freelance-milestones"}
    assert {invoice.digits for invoice in invoices} == {0, 2, 3}
    spoken = {invoice.customer.language[:2] for invoice in invoices}
    assert {"en", "es", "bg"} <= spoken <= {path.stem[:2] for path in MESSAGES.glob("*.toml")}
    assert len({invoice.customer.country for invoice in invoices}) >= 10


async def test_stories_come_to_their_ends_and_a_wrong_end_is_noticed(
    whole_system: DemoSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """About as long as the longest story: in a month, at a day a second, a customer is restricted, asks for grace on
    the page that the product leads to, is restricted again, and pays."""
    system = whole_system
    wrong = replace(STORIES["disputes"], ends=Stage.HANDED_OVER, run=STORIES["overpays"].run)
    monkeypatch.setattr("dunwell.local.demo.STORIES", {**STORIES, "disputes": wrong})

    endings = await play(system, "pays-early", "bounces", "disputes", "is-restricted")

    assert {name: ending.trouble for name, ending in endings.items()} == {
        "pays-early": None,
        "bounces": None,
        "disputes": "ended paid, expected handed_over",
        "is-restricted": None,
    }
    seen = {name: ending.seen for name, ending in endings.items()}
    assert seen["pays-early"] is not None
    assert seen["pays-early"].messages == ()
    assert seen["bounces"] is not None
    assert {letter.channel for letter in seen["bounces"].messages} == {Channel.SMS}
    assert seen["bounces"].access is Access.FULL
    with system.deps.database.reading() as session:
        assert {row.provider for row, _, _ in outbox.rows(session)} == {"outbox"}
    told = capsys.readouterr().out
    assert "480.00 USD received" in told
    assert "reminder-first by sms to rehearsal.cust-rodopi.accounts_payable.1: delivered" in told

    page = Console(width=200, record=True, file=StringIO())
    board = Board(page, demo_invoices(), "http://127.0.0.1:8233")
    board.show({name: one for name, one in seen.items() if one is not None})
    page.print(board.table())
    report(page, endings.values(), system.deps.database)
    shown = page.export_text()
    for expected in ("Kestrel Instruments Inc.", "0.00 USD", "pays before anybody has to ask", "WRONG"):
        assert expected in shown


async def test_a_worker_is_killed_in_the_middle_and_nothing_is_lost(
    system: DemoSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    playing = asyncio.create_task(play(system, "overpays", "bounces"))
    while "sent" not in capsys.readouterr().out:
        await asyncio.sleep(0.1)
    assert system.worker.pid is not None
    os.kill(system.worker.pid, signal.SIGKILL)
    assert {name: ending.trouble for name, ending in (await playing).items()} == {"overpays": None, "bounces": None}
    assert "The worker was ended by SIGKILL" in capsys.readouterr().out


async def test_a_dead_server_ends_the_demo(system: DemoSystem) -> None:
    system.server.process.kill()
    system.server.process.wait()
    with pytest.raises(DemoError, match="The Temporal server was ended by SIGKILL"):
        system.check()

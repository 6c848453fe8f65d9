"""A whole life on paper: letters wait to be posted, nothing is taken away before, and everything follows after."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.client.registration import Registrar
from dunwell.domain.channels import Channel
from dunwell.domain.clock import Clock
from dunwell.domain.terms import MessageState, Stage
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.print_folder.client import PrintFolderGateway
from dunwell.services.event_inbox import Inbox
from dunwell.store import timeline
from dunwell.store.database import Database, UnitOfWork
from dunwell.store.schema import migrate
from tests.builders import a_contact, a_customer, an_invoice, the_ladders
from tests.workflows.harness import AS_OF, CaseHarness, harness_on

POST = "Werkstraße 12\n10115 Berlin"


async def start_on_paper(harness: CaseHarness) -> None:
    usual = the_ladders()["gentle-saas"]
    steps = tuple(step.model_copy(update={"by": (Channel.LETTER,)}) if step.by else step for step in usual.steps)
    ladder = usual.model_copy(update={"steps": steps})
    harness.clock = Clock(rehearsal=True, speed=1, real=await harness.env.get_current_time(), case=AS_OF)
    customer = a_customer(contacts=(a_contact(email=None, post=POST),))
    registered = Registrar(harness.deps, {ladder.name: ladder}).register(
        an_invoice(customer=customer), AS_OF, harness.clock
    )
    assert registered.start is not None
    await harness.begin(registered.start)


async def test_a_life_on_paper(time_skipping: WorkflowEnvironment, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    gateways = {Channel.LETTER: PrintFolderGateway(tmp_path / "letters")}
    # The case lives by a rehearsal's clock; its letters go to the folder all the same.
    async with harness_on(time_skipping, database, rehearsal_gateways=gateways) as harness:
        await start_on_paper(harness)
        await harness.pass_time(days=29)
        sent = harness.messages()
        assert [(one["step"], one["channel"], one["state"]) for one in sent] == [
            ("first-reminder", "letter", "accepted"),
            ("second-reminder", "letter", "accepted"),
        ]
        assert len(list((tmp_path / "letters").iterdir())) == 2
        assert (await harness.status()).access == "full"  # two letters lie on a desk: no warning has arrived
        assert "blocked" in {kind for kind, _ in harness.timeline()}
        for letter in sent:
            at = (await harness.now()).isoformat()
            await harness.tell("delivery_report", message_id=letter["id"], status="delivered", at=at)
        await harness.pass_time(days=8)  # three full days, and then Easter
        assert (await harness.status()).access == "restricted"
        await harness.tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR")
        outcome = await harness.case.result()
        assert outcome.stage is Stage.PAID
        assert harness.broken_laws() == []
    database.close()


class Interrupted(Database):
    """Something happens between a step's last transaction and its answer."""

    between: Callable[[], None] | None = None

    @contextmanager
    def unit_of_work(self, customer_id: str) -> Iterator[UnitOfWork]:
        with super().unit_of_work(customer_id) as unit:
            yield unit
        if self.between is not None:
            self.between()


@pytest.mark.parametrize("heard", ["before the answer", "after the answer"])
async def test_proof_that_comes_while_a_step_says_it_is_missing(
    time_skipping: WorkflowEnvironment, tmp_path: Path, heard: str
) -> None:
    """The step is looked at again at once, and then waits the days since the proof, not the week of a missing one."""
    database = Interrupted(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    gateways = {Channel.LETTER: PrintFolderGateway(tmp_path / "letters")}
    async with harness_on(time_skipping, database, rehearsal_gateways=gateways) as harness:
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        async def post() -> None:
            told.set()
            results = await results_so_far(harness)
            assert await posted(harness, Inbox(database)) == 1
            while heard == "before the answer" and await results_so_far(harness) == results:
                await asyncio.sleep(0.05)

        def after_the_first_block() -> None:
            if not told.is_set() and "blocked" in kinds(harness, "restrict"):
                asyncio.run_coroutine_threadsafe(post(), loop).result()

        database.between = after_the_first_block
        await start_on_paper(harness)
        await harness.pass_time(days=15)
        assert await posted(harness, Inbox(database)) == 0  # the first letter's arrival changes nothing yet
        while not told.is_set():
            await harness.pass_time(hours=6)
        await harness.pass_time(hours=1)
        assert kinds(harness, "restrict") == ["task", "blocked", "delayed"]
        planned = (await harness.status()).next_action
        assert planned is not None
        assert planned.step == "restrict"
        assert planned.at - await harness.now() < timedelta(days=5)
        await harness.tell("cancel", reason="duplicate-invoice", by="billing")
        await harness.case.result()
    database.close()


def kinds(harness: CaseHarness, step: str) -> list[str]:
    with harness.deps.database.reading() as session:
        return [entry.kind for _, entry in timeline.read(session, "inv-1") if entry.step == step]


async def posted(harness: CaseHarness, inbox: Inbox) -> int:
    """Say of every letter that it has arrived, as a webhook and the courier do. How many words the case was told."""
    now = await harness.now()
    provider_event = [
        ProviderEvent(
            event_id=one["id"], kind="d", channel=Channel.LETTER, message_id=one["id"], state=MessageState.DELIVERED
        )
        for one in harness.messages()
    ]
    await asyncio.to_thread(inbox.take, "post", provider_event, now)
    letters = [event for pending in await asyncio.to_thread(inbox.waiting, now) for event in pending.events]
    for event in letters:
        await harness.tell(event.name, **event.content)
    return len(letters)


async def results_so_far(harness: CaseHarness) -> int:
    history = await harness.case.fetch_history()
    return sum(event.HasField("activity_task_completed_event_attributes") for event in history.events)

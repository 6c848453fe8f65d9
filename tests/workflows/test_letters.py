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
from tests.workflows.house import AS_OF, House, house_on

POST = "Werkstraße 12\n10115 Berlin"


async def start_on_paper(house: House) -> None:
    usual = the_ladders()["gentle-saas"]
    steps = tuple(step.model_copy(update={"by": (Channel.LETTER,)}) if step.by else step for step in usual.steps)
    ladder = usual.model_copy(update={"steps": steps})
    house.clock = Clock(rehearsal=True, speed=1, real=await house.env.get_current_time(), case=AS_OF)
    customer = a_customer(contacts=(a_contact(email=None, post=POST),))
    registered = Registrar(house.deps, {ladder.name: ladder}).register(
        an_invoice(customer=customer), AS_OF, house.clock
    )
    assert registered.start is not None
    await house.begin(registered.start)


async def test_a_life_on_paper(time_skipping: WorkflowEnvironment, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    gateways = {Channel.LETTER: PrintFolderGateway(tmp_path / "letters")}
    # The house lives by a rehearsal's clock; its letters go to the folder all the same.
    async with house_on(time_skipping, database, rehearsal_gateways=gateways) as house:
        await start_on_paper(house)
        await house.pass_time(days=29)
        sent = house.messages()
        assert [(one["step"], one["channel"], one["state"]) for one in sent] == [
            ("first-reminder", "letter", "accepted"),
            ("second-reminder", "letter", "accepted"),
        ]
        assert len(list((tmp_path / "letters").iterdir())) == 2
        assert (await house.status()).access == "full"  # two letters lie on a desk: no warning has arrived
        assert "blocked" in {kind for kind, _ in house.timeline()}
        for letter in sent:
            at = (await house.now()).isoformat()
            await house.tell("delivery_report", message_id=letter["id"], status="delivered", at=at)
        await house.pass_time(days=8)  # three full days, and then Easter
        assert (await house.status()).access == "restricted"
        await house.tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR")
        outcome = await house.case.result()
        assert outcome.stage is Stage.PAID
        assert house.broken_laws() == []
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
    async with house_on(time_skipping, database, rehearsal_gateways=gateways) as house:
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        async def post() -> None:
            told.set()
            results = await results_so_far(house)
            assert await posted(house, Inbox(database)) == 1
            while heard == "before the answer" and await results_so_far(house) == results:
                await asyncio.sleep(0.05)

        def after_the_first_block() -> None:
            if not told.is_set() and "blocked" in kinds(house, "restrict"):
                asyncio.run_coroutine_threadsafe(post(), loop).result()

        database.between = after_the_first_block
        await start_on_paper(house)
        await house.pass_time(days=15)
        assert await posted(house, Inbox(database)) == 0  # the first letter's arrival changes nothing yet
        while not told.is_set():
            await house.pass_time(hours=6)
        await house.pass_time(hours=1)
        assert kinds(house, "restrict") == ["task", "blocked", "delayed"]
        planned = (await house.status()).next_action
        assert planned is not None
        assert planned.step == "restrict"
        assert planned.at - await house.now() < timedelta(days=5)
        await house.tell("cancel", reason="duplicate-invoice", by="billing")
        await house.case.result()
    database.close()


def kinds(house: House, step: str) -> list[str]:
    with house.deps.database.reading() as session:
        return [entry.kind for _, entry in timeline.read(session, "inv-1") if entry.step == step]


async def posted(house: House, inbox: Inbox) -> int:
    """Say of every letter that it has arrived, as a webhook and the courier do. How many words the case was told."""
    now = await house.now()
    provider_event = [
        ProviderEvent(
            event_id=one["id"], kind="d", channel=Channel.LETTER, message_id=one["id"], state=MessageState.DELIVERED
        )
        for one in house.messages()
    ]
    await asyncio.to_thread(inbox.take, "post", provider_event, now)
    letters = await asyncio.to_thread(inbox.waiting, now)
    for letter in letters:
        await house.tell("delivery_report", **letter.report.model_dump(mode="json", exclude_none=True))
    return len(letters)


async def results_so_far(house: House) -> int:
    history = await house.case.fetch_history()
    return sum(event.HasField("activity_task_completed_event_attributes") for event in history.events)

"""A whole life on paper: letters wait to be posted, nothing is taken away before, and everything follows after."""

from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from domain.clock import Clock
from domain.terms import Channel, Stage
from gateways.print_folder import PrintFolderGateway
from intake.registrar import Registrar
from store.database import Database
from store.schema import migrate
from tests.builders import a_contact, a_customer, an_invoice, the_ladders
from tests.workflows.house import AS_OF, House, house_on

POST = "Werkstraße 12\n10115 Berlin"


async def start_on_paper(house: House) -> None:
    usual = the_ladders()["gentle-saas"]
    steps = tuple(step.model_copy(update={"by": (Channel.LETTER,)}) if step.by else step for step in usual.steps)
    ladder = usual.model_copy(update={"steps": steps})
    house.clock = Clock(rehearsal=True, speed=1, real=await house.env.get_current_time(), case=AS_OF)
    customer = a_customer(contacts=(a_contact(email=None, post=POST),))
    registered = Registrar(house.desk, {ladder.name: ladder}).register(
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

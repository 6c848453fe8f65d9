"""The digest of the morning: to whom, when, what it says, and that nobody gets it twice."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dunwell.client.digests import Digests
from dunwell.domain.channels import Channel
from dunwell.domain.principals import Role
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import MessageState, TaskKind
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.services.users import Users
from dunwell.store import digests, tasks
from dunwell.store.database import Database
from dunwell.store.tables import DigestRow, TaskRow
from tests.builders import sample_deps
from tests.databases import opened
from tests.services.conftest import ServiceHarness
from tests.web.principals import OPERATOR

MORNING = datetime(2027, 3, 24, 6, 30, tzinfo=UTC)  # a Wednesday, 7:30 in Berlin
CONSOLE = "https://dunwell.example/console"


class Mail:
    """A provider that does what `answers` say, then accepts."""

    name, channel, can_find = "mail", Channel.EMAIL, False

    def __init__(self, *answers: DeliveryError) -> None:
        self.answers, self.sent = list(answers), list[Envelope]()

    def send(self, envelope: Envelope) -> Receipt:
        self.sent.append(envelope)
        if self.answers:
            raise self.answers.pop(0)
        return Receipt(self.name, "1", MessageState.ACCEPTED)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        raise AssertionError("a digest is not looked up")


class Desk:
    """Digests over a database, at a time of the test's choice."""

    def __init__(self, database: Database, *answers: DeliveryError) -> None:
        self.now, self.mail = MORNING, Mail(*answers)
        deps = sample_deps(database, email=self.mail)
        self.database, self.digests = database, Digests(deps, CONSOLE, lambda: self.now)

    def look(self, later: timedelta = timedelta()) -> list[Envelope]:
        """Look once, `later`. Returns what was sent by it."""
        self.now += later
        before = len(self.mail.sent)
        self.digests.send_due()
        return self.mail.sent[before:]

    def row(self, user_id: str) -> DigestRow | None:
        with self.database.reading() as session:
            return digests.get(session, user_id, self.now.date())


@pytest.fixture
def stocked(blank_file: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(blank_file, tmp_path / "digests.sqlite")
    database = opened(f"sqlite:///{tmp_path}/digests.sqlite")
    yield stock(database)
    database.close()


def stock(database: Database) -> Database:
    """Open a call, for 9:00."""
    ServiceHarness(sample_deps(database)).open()
    facts = {"invoice_id": "inv-1", "step": "call", "kind": TaskKind.CALL, "due_at": MORNING + timedelta(hours=2)}
    with database.writing() as session:
        tasks.add(session, TaskRow(task_id="inv-1.call", reason="call them", script="", **facts))
    return database


def add_reader(database: Database, role: Role = Role.AGENT, zone: str | None = "Europe/Berlin") -> str:
    users = Users(database)
    user_id, _ = users.add(f"{role.value}@dunwell.example", role, OPERATOR, MORNING)
    users.set_digest(user_id, zone, OPERATOR, MORNING)
    return user_id


def test_it_comes_once_a_morning_and_names_nobody(database: Database) -> None:
    stocked = stock(database)
    user_id, desk = add_reader(stocked), Desk(stocked)
    (sent,) = desk.look()
    assert (sent.to, sent.subject) == (
        "agent@dunwell.example",
        "Dunwell, Wed 24 Mar: 1 call for today, about 1,200.00 EUR",
    )
    assert f"1 call for today, about 1,200.00 EUR\n{CONSOLE}?kind=call" in sent.text
    with stocked.reading() as session:
        told = [task.task_id for task in tasks.open_tasks(session)]
    for word in ("inv-1", "Acme", "debtor", *told):
        assert word not in sent.text + sent.subject
    assert desk.look() == [] and desk.look(timedelta(hours=3)) == []
    row = desk.row(user_id)
    assert row is not None and row.state is MessageState.ACCEPTED
    assert len(desk.look(timedelta(hours=21))) == 1  # the next morning


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        ("2027-03-24 05:59", 0),  # before seven in Berlin
        ("2027-03-24 06:00", 1),
        ("2027-03-24 10:59", 1),
        ("2027-03-24 11:00", 0),  # noon
        ("2027-03-27 06:30", 0),  # a Saturday
        ("2027-03-29 05:30", 1),  # summer time; the house has named no country, so Easter Monday counts as any
    ],
)
def test_it_comes_in_the_morning_of_a_business_day(stocked: Database, moment: str, sent: int) -> None:
    add_reader(stocked)
    desk = Desk(stocked)
    desk.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert len(desk.look()) == sent


def test_nothing_is_sent_when_nothing_waits_nor_to_whom_it_is_not_work(stocked: Database) -> None:
    add_reader(stocked, Role.AUDITOR)
    desk = Desk(stocked)
    assert desk.look() == []
    agent = add_reader(stocked)
    with stocked.writing() as session:
        tasks.close_task(session, "inv-1.call", "paid, by agent", MORNING, "paid")
    assert desk.look() == []
    row = desk.row(agent)
    assert row is not None and row.state is MessageState.WITHHELD


def test_whoever_is_disabled_or_switches_it_off_gets_none(stocked: Database) -> None:
    user_id, desk = add_reader(stocked), Desk(stocked)
    Users(stocked).set_digest(user_id, None, OPERATOR, MORNING)
    assert desk.look() == []
    Users(stocked).set_digest(user_id, "Europe/Berlin", OPERATOR, MORNING)
    Users(stocked).disable(user_id, OPERATOR, MORNING)
    assert desk.look() == []


def test_what_surely_did_not_leave_is_tried_again_and_nothing_else(stocked: Database) -> None:
    add_reader(stocked)
    away = DeliveryError("does not answer")
    desk = Desk(stocked, away, DeliveryError("cut off", maybe_sent=True))
    assert len(desk.look()) == 1
    assert desk.look(timedelta(minutes=9)) == []
    assert len(desk.look(timedelta(minutes=2))) == 1
    assert desk.look(timedelta(hours=1)) == []


def test_a_call_whose_process_died_is_not_repeated(stocked: Database) -> None:
    user_id, desk = add_reader(stocked), Desk(stocked)
    with stocked.writing_beside_customers() as session:
        digests.claim(session, user_id, desk.now.date(), desk.now, MessageState.CLAIMED, "s", "b")
    assert desk.look() == [] and desk.look(timedelta(minutes=11)) == []
    row = desk.row(user_id)
    assert row is not None and row.state is MessageState.UNKNOWN


def test_a_report_of_the_provider_is_written_and_is_about_no_message(stocked: Database) -> None:
    user_id, desk = add_reader(stocked), Desk(stocked)
    desk.look()
    known = digests.message_id_of(user_id, desk.now.date())
    with stocked.writing_beside_customers() as session:
        assert digests.report(session, known, MessageState.BOUNCED, "550")
        assert digests.report(session, "digest-nobody-20270324", MessageState.BOUNCED, None)
        assert not digests.report(session, "0" * 32, MessageState.BOUNCED, None)
        assert not digests.report(session, "digest-x-20279999"[:-4] + "xx", MessageState.BOUNCED, None)
    row = desk.row(user_id)
    assert row is not None and (row.state, row.reason) == (MessageState.BOUNCED, "550")


def test_a_zone_that_is_none_and_a_role_without_tasks_are_refused(stocked: Database) -> None:
    user_id, _ = Users(stocked).add("b@dunwell.example", Role.BILLING, OPERATOR, MORNING)
    with pytest.raises(Refused, match="has no tasks"):
        Users(stocked).set_digest(user_id, "Europe/Berlin", OPERATOR, MORNING)
    with pytest.raises(Refused, match="none that is known"):
        Users(stocked).set_digest(user_id, "Berlin", OPERATOR, MORNING)


def test_whoever_decides_reads_the_figures_at_its_end(stocked: Database) -> None:
    desk = Desk(stocked)
    said = "EUR: 1,200.00 open, 1,200.00 of it late (100.0 %); DSO"
    assert said in desk.digests.preview(Role.MANAGER, "UTC").body
    assert f"\n{CONSOLE}/figures\n" in desk.digests.preview(Role.MANAGER, "UTC").body
    assert said not in desk.digests.preview(Role.AGENT, "UTC").body
    with stocked.writing() as session:
        tasks.close_task(session, "inv-1.call", "done", MORNING)
    assert desk.digests.preview(Role.MANAGER, "UTC").lines == 0, "figures alone wait for nobody"

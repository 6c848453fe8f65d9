"""A letter on its way from the ladder to the post: proof only when posted, never lost silently, one file at most."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Invoice
from dunwell.domain.policy import Policy
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.gateways.print_folder.client import PrintFolderGateway
from dunwell.gateways.setting_fields import SharedSettings
from dunwell.services.our_company import Letterhead
from dunwell.services.unconfirmed_messages import UnconfirmedMessage, UnconfirmedMessages
from dunwell.store import outbox
from dunwell.store.database import Database
from dunwell.views.letters import letter_facts, to_post
from tests.builders import a_contact, a_customer, an_invoice, sample_deps, the_ladders
from tests.services.conftest import DyingWorker, ServiceHarness, WorkerDied

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-22 09:00"
POST = "Werkstraße 12\n10115 Berlin"


def on_paper(*by: Channel) -> Policy:
    """The usual ladder with other channels; silence is two days."""
    usual = the_ladders()["gentle-saas"]
    steps = tuple(step.model_copy(update={"by": by}) if step.by else step for step in usual.steps)
    return usual.model_copy(update={"steps": steps})


def to(**contact: Any) -> Invoice:
    return an_invoice(customer=a_customer(contacts=(a_contact(**{"post": POST, "name": "Katrin Vogel"} | contact),)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "letters"


@pytest.fixture
def paper(file_database: Database, folder: Path) -> ServiceHarness:
    """A harness whose letters go to a folder."""
    return ServiceHarness(sample_deps(file_database, letter=PrintFolderGateway(folder)))


def look(harness: ServiceHarness, when: str) -> Sequence[UnconfirmedMessage]:
    """What the hourly look for silent messages finds."""
    return UnconfirmedMessages(harness.deps).give_up(harness.attempt_at(when))


# Proof ---------------------------------------------------------------------------------------------------


def test_a_letter_is_a_warning_only_once_it_was_posted(paper: ServiceHarness, folder: Path) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    paper.carry_out("second-reminder", SECOND)
    assert [row.state for row in paper.messages()] == ["accepted", "accepted"]
    assert len(list(folder.iterdir())) == 2
    answer = paper.carry_out("restrict", RESTRICT)
    assert answer.outcome is not None
    assert (answer.outcome.status, paper.access()) == ("blocked", "full")
    for row, when in zip(paper.messages(), ("2027-03-17 09:00", "2027-03-23 09:00"), strict=True):
        paper.report(row, "delivered", when)
    assert paper.carry_out("restrict", "2027-03-24 09:00").outcome.status == "delayed"  # type: ignore[union-attr]
    answer = paper.carry_out("restrict", "2027-03-29 09:00")
    assert paper.access() == "full"  # Easter Monday
    answer = paper.carry_out("restrict", "2027-03-30 09:00")
    assert paper.access() == "restricted"


@pytest.mark.parametrize(
    ("contact", "states"),
    [
        pytest.param({}, {"accounts_payable email": "delivered"}, id="e-mail is open"),
        pytest.param({"email": None}, {"accounts_payable letter": "accepted"}, id="no e-mail"),
        pytest.param(
            {"email": "bounce@acme.example"},
            {"accounts_payable email": "bounced", "accounts_payable letter": "accepted"},
            id="e-mail bounces",
        ),
        pytest.param({"email": None, "post": None, "phone": "+34600123456"}, {}, id="no address: a person calls"),
        pytest.param({"email": None, "name": "山田太郎"}, {}, id="a name that no font of ours prints"),
    ],
)
def test_letters_are_a_channel_like_the_others(
    paper: ServiceHarness, contact: dict[str, object], states: dict[str, str]
) -> None:
    paper.open(to(**contact), ladder=on_paper(Channel.EMAIL, Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    assert paper.states() == states
    assert bool(paper.tasks()) == (not states)


def test_what_cannot_be_printed_is_said(paper: ServiceHarness, folder: Path) -> None:
    paper.open(to(email=None, name="山田太郎"), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    assert [entry.reason for entry in paper.entries("withheld")] == [
        "acme.accounts_payable.1 is not written to by letter: no font of ours can print CJK UNIFIED IDEOGRAPH-5C71"
    ]
    assert not folder.exists()


def test_a_letter_keeps_to_business_days(paper: ServiceHarness) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    answer = paper.carry_out("first-reminder", "2027-03-07 10:00")  # a Sunday
    assert answer.outcome is not None
    assert (answer.outcome.status, paper.messages()) == ("delayed", [])


def test_a_rehearsal_leaves_no_file(paper: ServiceHarness, folder: Path) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER), rehearsal=True)
    paper.carry_out("first-reminder", FIRST, rehearsal=True)
    assert (paper.states(), folder.exists()) == ({"accounts_payable letter": "delivered"}, False)


# Nobody posts it -----------------------------------------------------------------------------------------


def test_a_letter_that_nobody_posted_is_a_task_and_no_failure(paper: ServiceHarness) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER, Channel.EMAIL))
    paper.carry_out("first-reminder", FIRST)
    (letter,) = paper.messages()
    assert (look(paper, "2027-03-04 08:00"), paper.tasks()) == ([], [])
    for hour in ("09", "10"):  # once, however often it looks
        assert look(paper, f"2027-03-04 {hour}:00") == []
    (task,) = paper.tasks()
    assert (task.kind, task.task_id) == ("decision", f"{letter.message_id}.unposted")
    assert f"starter.py posted {letter.message_id}" in task.reason
    assert paper.states() == {"accounts_payable letter": "accepted"}  # nothing else was sent instead
    paper.report(letter, "delivered", "2027-03-05 09:00")
    assert (paper.tasks(), paper.states()) == ([], {"accounts_payable letter": "delivered"})


def test_a_letter_given_up_leads_on_to_the_next_channel(paper: ServiceHarness) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER, Channel.EMAIL))
    paper.carry_out("first-reminder", FIRST)
    look(paper, "2027-03-04 09:00")
    paper.report(paper.messages()[0], "failed", "2027-03-04 10:00", "lost")
    paper.carry_out("first-reminder", "2027-03-05 09:00")
    assert paper.tasks() == []
    assert paper.states() == {"accounts_payable letter": "failed", "accounts_payable email": "delivered"}


def test_the_post_gets_its_time_where_letters_leave_by_themselves(paper: ServiceHarness) -> None:
    paper.deps = replace(paper.deps, letterhead=Letterhead(post_days=14))
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    look(paper, "2027-03-18 08:00")
    assert paper.tasks() == []
    look(paper, "2027-03-18 09:00")
    assert len(paper.tasks()) == 1


def test_nobody_is_asked_to_post_what_was_paid(paper: ServiceHarness) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    paper.pay("2027-03-03 09:00")
    look(paper, "2027-03-10 09:00")
    assert paper.tasks() == []


@pytest.mark.parametrize(
    ("happens", "state", "files"),
    [
        pytest.param(lambda one: one.pay("2027-03-03 09:00"), "withheld", 0, id="paid"),
        pytest.param(lambda one: one.pay("2027-03-03 09:00", "100.00"), "accepted", 1, id="paid in part"),
        pytest.param(
            lambda one: one.record("write_off", "2027-03-03 09:00", reason="small", by="kim"),
            "withheld",
            0,
            id="written off",
        ),
        pytest.param(
            lambda one: one.record("pause", "2027-03-03 09:00", reason="hardship", by="kim"),
            "accepted",
            1,
            id="paused: it may be wanted again",
        ),
    ],
)
def test_a_letter_not_yet_posted_is_taken_back_when_the_invoice_is_settled(
    paper: ServiceHarness, folder: Path, happens: Callable[[ServiceHarness], object], state: str, files: int
) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    happens(paper)
    assert (paper.states(), len(list(folder.iterdir()))) == ({"accounts_payable letter": state}, files)
    assert len(paper.entries("withheld")) == (1 - files)


def moved(harness: ServiceHarness, due_on: str = "2027-06-01", when: str = "2027-03-03 09:00") -> None:
    harness.record("invoice_amended", when, due_on=due_on, by="billing")


def test_c2_a_letter_not_yet_posted_is_taken_back_when_the_due_date_moves(
    paper: ServiceHarness, folder: Path
) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    moved(paper)
    assert (paper.states(), list(folder.iterdir())) == ({"accounts_payable letter": "withheld"}, [])
    (entry,) = paper.entries("withheld")
    assert "taken back: the due date moved before it was posted" in entry.reason
    paper.carry_out("first-reminder", "2027-06-02 09:00")
    moved(paper, "2027-06-01", "2027-06-03 09:00")  # said once more, and not ahead: the letter of this round stays
    assert [row.state for row in paper.messages()] == ["withheld", "accepted"]
    assert waiting(paper, folder) == [("2027-001", None)]


def test_c2_an_answer_not_yet_posted_is_taken_back_with_the_due_date_it_speaks_of(
    paper: ServiceHarness, folder: Path
) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    paper.pay("2027-03-03 09:00", "100.00")
    (answer,) = paper.case.outstanding.owed
    assert answer.startswith("part-received")
    paper.carry_out(answer, "2027-03-03 10:00")
    moved(paper, when="2027-03-04 09:00")
    assert {row.state for row in paper.messages() if row.channel == "letter"} == {"withheld"}


def test_c2_a_letter_about_an_invoice_that_is_still_due_is_only_held_back(
    paper: ServiceHarness, folder: Path
) -> None:
    first, second = ServiceHarness(paper.deps), ServiceHarness(paper.deps)
    for harness, number in ((first, "A"), (second, "B")):
        invoice = to().model_copy(update={"invoice_id": f"inv-{number}", "number": number})
        harness.open(invoice, ladder=on_paper(Channel.LETTER))
    first.carry_out("first-reminder", FIRST)
    second.case.progress.steps = list(first.case.progress.steps)  # the joint letter was its first reminder, too
    moved(second)
    assert second.case.progress.round == 2
    [(_, why)] = waiting(first, folder)
    assert why is not None
    assert "it asks for 2400.00 EUR, and 1200.00 EUR may be asked for now" in why
    first.case.revision += 1
    moved(first, when="2027-03-03 10:00")
    assert (waiting(first, folder), list(folder.iterdir())) == ([], [])


def test_c2_a_letter_that_a_provider_has_is_named_with_the_new_due_date(
    file_database: Database, folder: Path
) -> None:
    harness = ServiceHarness(sample_deps(file_database, letter=Provider()))
    harness.open(to(), ladder=on_paper(Channel.LETTER))
    harness.carry_out("first-reminder", FIRST)
    moved(harness)
    assert waiting(harness, folder) == [("2027-001", "do not post: due on 2027-06-01 now")]


class Provider:
    """A printing house that takes letters and gives none back."""

    name, channel, can_find = "printer", Channel.LETTER, False

    def send(self, envelope: Envelope) -> Receipt:
        return Receipt(self.name, f"p-{envelope.message_id}", MessageState.ACCEPTED)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        return None


def test_a_letter_whose_file_is_gone_may_be_in_the_post(paper: ServiceHarness, folder: Path) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    for file in folder.iterdir():
        file.unlink()
    paper.pay("2027-03-03 09:00")
    assert paper.states() == {"accounts_payable letter": "accepted"}


def test_a_letter_that_still_asks_for_another_invoice_stays(paper: ServiceHarness, folder: Path) -> None:
    other = ServiceHarness(paper.deps)
    other.open(to().model_copy(update={"invoice_id": "inv-2", "number": "2027-002"}), ladder=on_paper(Channel.LETTER))
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    (letter,) = paper.messages()
    assert "2027-002" in letter.body
    paper.pay("2027-03-03 09:00")
    assert (paper.states(), len(list(folder.iterdir()))) == ({"accounts_payable letter": "accepted"}, 1)
    other.pay("2027-03-03 10:00", payment_id="p2")
    assert (paper.states(), list(folder.iterdir())) == ({"accounts_payable letter": "withheld"}, [])


# Once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [True, False], ids=["written", "not written"])
def test_a_letter_whose_worker_died_lies_in_the_folder_once(
    file_database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr("dunwell.services.message_claims.CALL_PATIENCE", timedelta(0))
    dying = DyingWorker(PrintFolderGateway(folder), after=after)
    harness = ServiceHarness(sample_deps(file_database, letter=dying))
    harness.open(to(), ladder=on_paper(Channel.LETTER))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    for _ in range(2):  # what surely never left is claimed anew, and then sent
        try:
            harness.carry_out("first-reminder", FIRST)
        except Exception as error:
            assert "claimed anew" in str(error)
    (row,) = harness.messages()
    assert (row.state, [file.name for file in folder.iterdir()]) == ("accepted", [row.provider_id])


def test_the_outbox_holds_the_letters_words_and_address(file_database: Database) -> None:
    harness = ServiceHarness(sample_deps(file_database, letter=OutboxGateway(Channel.LETTER)))
    harness.open(to(), ladder=on_paper(Channel.LETTER))
    harness.carry_out("first-reminder", FIRST)
    (row,) = harness.messages()
    assert (row.address, row.html, row.state) == (POST, None, "delivered")
    assert "2027-001" in row.subject and "€1,200.00" in row.body


# What was printed, and what may be asked for since -------------------------------------------------------


def waiting(harness: ServiceHarness, folder: Path) -> list[tuple[str, str | None]]:
    """Each letter that waits, by its invoices, with why it is held back."""
    with harness.deps.database.reading() as session:
        found = [
            letter_facts(session, row, SharedSettings(dunwell_state=folder.parent)) for row in outbox.letters(session)
        ]
        held = {one["message_id"] for one in found if one["hold_back"]}
        assert {message_id for message_id, _ in to_post(session)} == {one["message_id"] for one in found} - held
    return [(", ".join(one["numbers"]), one["hold_back"]) for one in found]


@pytest.mark.parametrize(
    ("event", "content", "now_asked"),
    [
        ("payment_received", {"payment_id": "p1", "amount": "500.00", "currency": "EUR"}, "700.00"),
        ("dispute_opened", {"reason": "quality", "opened_by": "user", "amount": "200.00"}, "1000.00"),
        ("invoice_amended", {"amount": "1300.00", "by": "billing"}, "1300.00"),
    ],
)
def test_b8_a_letter_whose_sum_has_changed_since_is_held_back(
    paper: ServiceHarness, folder: Path, event: str, content: dict[str, Any], now_asked: str
) -> None:
    paper.open(to(), ladder=on_paper(Channel.LETTER))
    paper.carry_out("first-reminder", FIRST)
    assert waiting(paper, folder) == [("2027-001", None)]
    paper.record(event, "2027-03-03 09:00", **content)
    [(_, why)] = waiting(paper, folder)
    assert why is not None
    assert why.startswith(f"do not post: it asks for 1200.00 EUR, and {now_asked} EUR may be asked for now")
    assert f"settle-message {paper.messages()[0].message_id} failed" in why


def test_b8_a_letter_about_two_invoices_is_held_back_when_one_of_them_rests(
    paper: ServiceHarness, folder: Path
) -> None:
    first, second = ServiceHarness(paper.deps), ServiceHarness(paper.deps)
    for harness, number in ((first, "A"), (second, "B")):
        invoice = to().model_copy(update={"invoice_id": f"inv-{number}", "number": number})
        harness.open(invoice, ladder=on_paper(Channel.LETTER))
    first.carry_out("first-reminder", FIRST)
    assert waiting(first, folder) == [("A, B", None)]
    second.record("pause", "2027-03-03 09:00", reason="illness", by="agent")
    [(_, why)] = waiting(first, folder)
    assert why is not None
    assert "it asks for 2400.00 EUR, and 1200.00 EUR may be asked for now" in why
    second.record("resume", "2027-03-03 10:00", by="agent")
    assert waiting(first, folder) == [("A, B", None)]

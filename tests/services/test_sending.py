"""Once, and silent after money: crashes between call and record, answers that never came, and races."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from dunwell.client.registration import Registrar
from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Customer
from dunwell.gateways.base import Envelope, Receipt
from dunwell.gateways.outbox.client import OutboxGateway
from dunwell.services.failures import CallInFlight, ProviderFailed
from dunwell.store import outbox
from dunwell.store.database import Database
from dunwell.store.tables import MessageRow, PaymentRow
from tests.builders import a_contact, a_customer, an_invoice, another_customer, at, sample_deps, the_ladders
from tests.gateways.fakes import Answer, FakeSendGrid, FakeTwilio
from tests.services.conftest import DyingWorker, MakeHarness, ServiceHarness, WorkerDied, by_sendgrid, by_twilio

FIRST, RETRY, LATER = "2027-03-02 09:00", "2027-03-02 09:02", "2027-03-02 09:04"
ONE_BY_MAIL = a_customer(contacts=(a_contact(),))
ONE_BY_SMS = a_customer(contacts=(a_contact(email=None, phone="+34600123456"),))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is thought to be still under way."""
    monkeypatch.setattr("dunwell.services.message_claims.CALL_PATIENCE", timedelta(0))


# A worker that dies --------------------------------------------------------------------------------------


def test_a_call_that_may_be_under_way_is_waited_for(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(DyingWorker(by_sendgrid(sendgrid), after=True))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    with pytest.raises(CallInFlight, match="under way") as waiting:
        harness.carry_out("first-reminder", RETRY)
    assert not waiting.value.final
    assert len(sendgrid.mails) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("after", [True, False], ids=["taken", "not taken"])
def test_a_mail_whose_worker_died_is_never_sent_again(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, after: bool
) -> None:
    """Nobody can tell the two apart, and e-mail cannot be looked up: a person decides."""
    harness = make_harness(DyingWorker(by_sendgrid(sendgrid), after=after))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    answer = harness.carry_out("first-reminder", RETRY)
    assert answer.outcome is not None
    assert answer.outcome.status == "done"
    assert harness.states() == {"accounts_payable email": "unknown"}
    (task,) = harness.tasks()
    assert (task.kind, "it is not sent again" in task.reason) == ("decision", True)
    assert len(harness.entries("unknown")) == 1
    assert len(sendgrid.mails) == after


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("status", "state"), [("delivered", "delivered"), ("accepted", "accepted")])
def test_a_delivery_report_tells_what_the_dead_worker_could_not(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, status: str, state: str
) -> None:
    harness = make_harness(DyingWorker(by_sendgrid(sendgrid), after=True))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    harness.report(harness.messages()[0], status, RETRY)
    answer = harness.carry_out("first-reminder", LATER)
    assert answer.outcome is not None
    assert answer.outcome.status == "done"
    assert harness.states() == {"accounts_payable email": state}
    assert harness.tasks() == []
    assert len(sendgrid.mails) == 1


@pytest.mark.usefixtures("impatient")
def test_an_unknown_mail_becomes_known_by_its_delivery_report(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    harness = make_harness(DyingWorker(by_sendgrid(sendgrid), after=True))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    harness.carry_out("first-reminder", RETRY)
    harness.report(harness.messages()[0], "delivered", LATER)
    assert harness.states() == {"accounts_payable email": "delivered"}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("customer", "state", "kind", "tasks"),
    [
        (ONE_BY_SMS, "accepted", "sent", 0),  # Twilio knows
        (ONE_BY_MAIL, "unknown", "unknown", 1),  # nobody knows, so a person is told
    ],
    ids=["sms", "mail"],
)
def test_what_left_before_the_money_came_is_written_down_after_it(
    make_harness: MakeHarness,
    sendgrid: FakeSendGrid,
    twilio: FakeTwilio,
    customer: Customer,
    state: str,
    kind: str,
    tasks: int,
) -> None:
    """The worker died, and when the step is tried again nothing may be asked for any more."""
    mail, sms = DyingWorker(by_sendgrid(sendgrid), after=True), DyingWorker(by_twilio(twilio), after=True)
    harness = make_harness(mail, sms)
    before = harness.open(an_invoice(customer=customer)).model_copy(deep=True)
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    harness.pay(RETRY)
    answer = harness.carry_out("first-reminder", LATER, case=before)
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert [row.state for row in harness.messages("first-reminder")] == [state]
    assert (len(harness.entries(kind)), len(harness.tasks())) == (1, tasks)
    assert len(sendgrid.mails) + len(twilio.messages) == 1


def test_a_call_that_may_be_under_way_when_the_money_comes_is_left_alone(
    make_harness: MakeHarness, twilio: FakeTwilio
) -> None:
    harness = make_harness(sms=DyingWorker(by_twilio(twilio), after=True))
    before = harness.open(an_invoice(customer=ONE_BY_SMS)).model_copy(deep=True)
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    harness.pay(RETRY)
    harness.carry_out("first-reminder", LATER, case=before)
    assert [row.state for row in harness.messages("first-reminder")] == ["claimed"]


@pytest.mark.usefixtures("impatient")
def test_an_sms_that_was_taken_is_found_and_not_sent_again(make_harness: MakeHarness, twilio: FakeTwilio) -> None:
    harness = make_harness(sms=DyingWorker(by_twilio(twilio), after=True))
    harness.open(an_invoice(customer=ONE_BY_SMS))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    harness.carry_out("first-reminder", RETRY)
    (row,) = harness.messages()
    assert (row.state, row.provider_id) == ("accepted", twilio.messages[0]["sid"])
    assert len(twilio.messages) == 1
    assert harness.tasks() == []


@pytest.mark.usefixtures("impatient")
def test_an_sms_that_is_surely_not_there_is_sent_once(make_harness: MakeHarness, twilio: FakeTwilio) -> None:
    harness = make_harness(sms=DyingWorker(by_twilio(twilio), after=False))
    harness.open(an_invoice(customer=ONE_BY_SMS))
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    with pytest.raises(ProviderFailed, match="claimed anew"):
        harness.carry_out("first-reminder", RETRY)
    harness.carry_out("first-reminder", LATER)
    assert harness.states() == {"accounts_payable sms": "accepted"}
    assert len(twilio.messages) == 1


@pytest.mark.usefixtures("impatient")
def test_while_twilio_cannot_be_asked_nothing_is_decided(make_harness: MakeHarness, twilio: FakeTwilio) -> None:
    harness = make_harness(sms=by_twilio(twilio))
    harness.open(an_invoice(customer=ONE_BY_SMS))
    twilio.next(Answer(drop=True, accepts=True), Answer(503))
    with pytest.raises(ProviderFailed, match="looked up"):
        harness.carry_out("first-reminder", FIRST)
    with pytest.raises(ProviderFailed, match="cannot be asked"):
        harness.carry_out("first-reminder", RETRY)
    assert harness.states() == {"accounts_payable sms": "claimed"}
    harness.carry_out("first-reminder", LATER)
    assert harness.states() == {"accounts_payable sms": "accepted"}
    assert len(twilio.messages) == 1


def test_a_mail_without_an_answer_is_unknown_at_once(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    sendgrid.next(Answer(drop=True, accepts=True))
    harness.carry_out("first-reminder", FIRST)
    assert harness.states() == {"accounts_payable email": "unknown"}
    assert len(harness.tasks()) == 1
    assert len(sendgrid.mails) == 1


@pytest.mark.usefixtures("impatient")
def test_a_second_contact_hears_although_the_first_is_unknown(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    harness = make_harness(DyingWorker(by_sendgrid(sendgrid), after=True))
    harness.open()
    with pytest.raises(WorkerDied):
        harness.carry_out("first-reminder", FIRST)
    harness.carry_out("first-reminder", RETRY)
    assert harness.states() == {"accounts_payable email": "unknown", "user email": "accepted"}
    assert len(sendgrid.mails) == 3  # one of them our account manager's copy


# Errors that pass ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 401], ids=["too many requests", "our key was wrong"])
def test_an_error_that_passes_is_tried_again_and_the_message_leaves_once(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, status: int
) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    sendgrid.next(Answer(status))
    with pytest.raises(ProviderFailed) as failed:
        harness.carry_out("first-reminder", FIRST)
    assert not failed.value.final
    harness.carry_out("first-reminder", RETRY)
    assert harness.states() == {"accounts_payable email": "accepted"}
    assert len(sendgrid.mails) == 1


def test_a_retry_looks_at_the_balance_again(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    before = harness.case.model_copy(deep=True)
    sendgrid.next(Answer(429))
    with pytest.raises(ProviderFailed):
        harness.carry_out("first-reminder", FIRST)
    harness.pay("2027-03-02 09:01")
    answer = harness.carry_out("first-reminder", RETRY, before)
    assert answer.outcome is not None
    assert answer.outcome.status == "stale"
    assert sendgrid.mails == []


def test_a_retry_asks_for_what_is_open_now(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    sendgrid.next(Answer(429))
    with pytest.raises(ProviderFailed):
        harness.carry_out("first-reminder", FIRST)
    harness.pay("2027-03-02 09:01", "200.00")
    harness.carry_out("first-reminder", RETRY)
    (row,) = harness.messages()
    assert "1,000.00" in row.body
    assert "1,000.00" in sendgrid.mails[0]["content"][0]["value"]


def test_a_claim_refused_and_then_overtaken_by_money_is_withheld(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    """At the second attempt another contact comes first, and the payment while that one is written to."""
    mailer = by_sendgrid(sendgrid)

    class PaidAtTheSecondAttempt(OutboxGateway):
        def send(self, envelope: Envelope) -> Receipt:
            if sendgrid.requests:
                beside = ServiceHarness(harness.deps)
                beside.case = harness.case.model_copy(deep=True)
                beside.pay(RETRY)
                return super().send(envelope)
            return mailer.send(envelope)

    harness = make_harness(PaidAtTheSecondAttempt(Channel.EMAIL))
    harness.open(an_invoice(customer=ONE_BY_MAIL))
    sendgrid.next(Answer(429))
    with pytest.raises(ProviderFailed):
        harness.carry_out("first-reminder", FIRST)
    # the next export names somebody before
    renewed = an_invoice(customer=a_customer(contacts=(a_contact(number=0, name="New"), a_contact())))
    Registrar(harness.deps, the_ladders()).register(renewed, at(FIRST))
    harness.carry_out("first-reminder", RETRY)
    assert {row.contact_id: row.state for row in harness.messages()} == {
        "acme.accounts_payable.0": "delivered",
        "acme.accounts_payable.1": "withheld",
    }
    assert "nothing may be asked for now" in harness.entries("withheld")[0].reason


# Message ids ---------------------------------------------------------------------------------------------


def test_a_message_id_is_the_same_for_the_same_message_and_tells_nothing(
    make_harness: MakeHarness, sendgrid: FakeSendGrid
) -> None:
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    ids = {row.message_id for row in harness.messages(copies=True)}
    assert len(ids) == 3
    assert all(len(one) == 32 and one.isalnum() for one in ids)
    assert {mail["personalizations"][0]["custom_args"]["message_id"] for mail in sendgrid.mails} == ids


# Races ---------------------------------------------------------------------------------------------------


@pytest.fixture
def written_order() -> Iterator[list[tuple[str, str]]]:
    """Payments and claims in the order in which the database took them: each is flushed under the customer's lock."""
    order: list[tuple[str, str]] = []

    def note(session: Session, _context: object) -> None:
        for row in session.new:
            if isinstance(row, PaymentRow):
                order.append(("payment", row.invoice_id))
            elif isinstance(row, MessageRow):
                order.append(("claim", row.planned_at.isoformat()))

    event.listen(Session, "after_flush", note)
    yield order
    event.remove(Session, "after_flush", note)


ROUNDS = 15


def test_no_claim_follows_a_payment_however_they_race(
    database: Database, written_order: list[tuple[str, str]]
) -> None:
    chance = random.Random(7)
    for number in range(ROUNDS):
        harness = ServiceHarness(sample_deps(database))
        harness.open(an_invoice(invoice_id=f"inv-{number}"))
        beside = ServiceHarness(harness.deps)
        beside.case = harness.case.model_copy(deep=True)
        start, head_start = threading.Barrier(2), chance.uniform(0, 0.02)
        written_order.clear()

        def step(harness: ServiceHarness = harness, start: threading.Barrier = start) -> None:
            start.wait()
            harness.carry_out("first-reminder", FIRST)

        def payment(
            beside: ServiceHarness = beside, start: threading.Barrier = start, head_start: float = head_start
        ) -> None:
            start.wait()
            time.sleep(head_start)
            beside.pay(FIRST)

        with ThreadPoolExecutor(2) as pool:
            for work in [pool.submit(step), pool.submit(payment)]:
                work.result()
        kinds = [kind for kind, _ in written_order]
        assert kinds[-1] == "payment", f"round {number}: {kinds}"
        claims = len(kinds) - 1
        with database.reading() as session:
            rows = outbox.of_invoice(session, f"inv-{number}")
            assert [row.state for row in rows] == ["delivered"] * claims
        harness.case = beside.case
        harness.carry_out("first-reminder", RETRY)
        assert len(harness.messages()) == claims


def test_two_workers_with_the_same_step_send_each_message_once(database: Database, sendgrid: FakeSendGrid) -> None:
    """A worker thought dead comes back while another has taken over its step."""
    deps = sample_deps(database, email=by_sendgrid(sendgrid))
    for number in range(5):
        harness = ServiceHarness(deps)
        case = harness.open(an_invoice(invoice_id=f"inv-{number}", customer=another_customer(f"c{number}")))
        start = threading.Barrier(3)

        def step(case: Any = case, start: threading.Barrier = start) -> None:
            worker = ServiceHarness(deps)
            worker.case = case.model_copy(deep=True)
            start.wait()
            with suppress(CallInFlight):
                worker.carry_out("first-reminder", FIRST)

        with ThreadPoolExecutor(3) as pool:
            for work in [pool.submit(step) for _ in range(3)]:
                work.result()
        harness.carry_out("first-reminder", RETRY, case)
        assert harness.states() == {"accounts_payable email": "accepted", "user email": "accepted"}
        assert len(sendgrid.mails) == 3 * (number + 1)  # a copy for our account manager among them


class PayingTurn:
    """A turn that comes late: the customer pays while the message waits for it."""

    def __init__(self) -> None:
        self.harness: ServiceHarness | None = None

    def wait(self) -> None:
        assert self.harness is not None
        self.harness.pay(FIRST)


def test_who_pays_while_a_message_waits_for_its_turn_is_not_asked(
    file_database: Database, sendgrid: FakeSendGrid
) -> None:
    turn = PayingTurn()
    harness = turn.harness = ServiceHarness(
        replace(sample_deps(file_database, email=by_sendgrid(sendgrid)), rate_limits={"sendgrid": turn})
    )
    case = harness.open(an_invoice(customer=ONE_BY_MAIL)).model_copy(deep=True)
    harness.carry_out("first-reminder", FIRST, case)
    assert harness.messages() == []
    assert len(sendgrid.mails) == 0

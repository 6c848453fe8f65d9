"""What is written when something happened: once, in order, with what follows from it for account and callers."""

from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.timeline import Entry
from dunwell.store import cases, payments
from dunwell.store.database import Database
from dunwell.store.tables import CreditRow
from tests.builders import a_contact, a_customer, an_invoice, another_customer, at, sample_deps
from tests.gateways.fakes import FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-22 09:00"
ONE = a_customer(contacts=(a_contact(phone="+34600123456"),))


def paid(harness: ServiceHarness) -> Decimal:
    with harness.deps.database.reading() as session:
        return payments.paid(session, "inv-1")


def credit(harness: ServiceHarness) -> Decimal | None:
    with harness.deps.database.reading() as session:
        row = session.get(CreditRow, "inv-1")
        return row.amount if row else None


# Once ----------------------------------------------------------------------------------------------------

REPEATED: list[tuple[str, dict[str, Any]]] = [
    ("payment_received", {"payment_id": "p1", "amount": "1300.00", "currency": "EUR"}),
    ("promise_to_pay", {"date": "2027-03-10", "promised_by": "user"}),
    ("call_outcome", {"task_id": "t9", "outcome": "no_answer", "by": "agent-7"}),
    ("cancel", {"reason": "wrong", "by": "agent-7"}),
]


@pytest.mark.parametrize(("name", "content"), REPEATED, ids=[name for name, _ in REPEATED])
def test_writing_the_same_again_changes_nothing(database: Database, name: str, content: dict[str, Any]) -> None:
    """An activity whose answer got lost is run again."""
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.record(name, FIRST, **content)
    entry = Entry(key="told.1.0", at=at(FIRST), kind="again", reason="again")
    request = harness.request(name, FIRST, content, [entry])
    before = (harness.entries(), paid(harness), credit(harness), harness.access())
    answers = [harness.write(request, "2027-03-02 09:01") for _ in range(2)]
    assert (harness.entries(), paid(harness), credit(harness), harness.access()) == before
    assert answers[0] == answers[1]


def test_the_answer_brings_only_what_the_workflow_has_not_seen(harness: ServiceHarness) -> None:
    harness.open()
    first = harness.pay(FIRST, "100.00")
    assert [entry.kind for entry in first.entries] == ["opened", "payment"]
    request = harness.request("payment_received", FIRST, {}, [])
    request.event, request.seen = None, first.seen
    assert harness.write(request, FIRST).entries == []
    assert harness.write(request, FIRST).seen == first.seen


def test_an_event_that_was_never_accepted_is_not_written(harness: ServiceHarness) -> None:
    harness.open()
    request = harness.request("payment_received", FIRST, {"payment_id": "p", "amount": -5, "currency": "EUR"}, [])
    with pytest.raises(Refused):
        harness.write(request, FIRST)
    assert paid(harness) == 0


def test_an_older_workflow_is_handed_the_newer_case(harness: ServiceHarness) -> None:
    """After a reset the workflow knows less than the database."""
    older = harness.open().model_copy(deep=True)
    harness.pay(FIRST, "100.00")
    harness.pay(FIRST, "100.00", "p2")
    harness.case = older
    answer = harness.write(harness.request("resume", FIRST, {"by": "a"}, []), FIRST)
    assert answer.newer is not None
    assert answer.newer.money.paid == Decimal("200.00")


# Money ---------------------------------------------------------------------------------------------------


def test_what_was_paid_too_much_is_kept_as_credit_until_it_is_gone(harness: ServiceHarness) -> None:
    harness.open()
    harness.pay(FIRST, "1000.00")
    assert credit(harness) is None
    harness.pay(FIRST, "300.00", "p2")
    assert (paid(harness), credit(harness)) == (Decimal("1300.00"), Decimal("100.00"))
    harness.record("payment_reversed", SECOND, payment_id="p2", reason="chargeback")
    assert (paid(harness), credit(harness)) == (Decimal("1000.00"), None)


def test_the_ledger_and_the_case_agree_after_every_event(harness: ServiceHarness) -> None:
    harness.open()
    for name, content in [
        ("payment_received", {"payment_id": "a", "amount": "0.10", "currency": "EUR"}),
        ("payment_received", {"payment_id": "b", "amount": "0.20", "currency": "EUR"}),
        ("payment_received", {"payment_id": "a", "amount": "0.10", "currency": "EUR"}),
        ("payment_reversed", {"payment_id": "a", "reason": "r"}),
        ("payment_reversed", {"payment_id": "a", "reason": "r"}),
        ("payment_received", {"payment_id": "c", "amount": "1199.80", "currency": "EUR"}),
    ]:
        harness.record(name, FIRST, **content)
        assert paid(harness) == harness.case.money.paid
        with harness.deps.database.reading() as session:
            assert cases.get(session, "inv-1") == harness.case.model_copy(
                update={"next_action": _planned(harness), "utc_offset_minutes": 60}
            )
    assert harness.case.stage == "paid"


def _planned(harness: ServiceHarness) -> Any:
    with harness.deps.database.reading() as session:
        stored = cases.get(session, "inv-1")
    assert stored is not None
    return stored.next_action


# Access --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "access"),
    [
        ("payment_received", {"payment_id": "p", "amount": "1200.00", "currency": "EUR"}, "full"),
        ("payment_received", {"payment_id": "p", "amount": "1199.00", "currency": "EUR"}, "restricted"),
        ("cancel", {"reason": "wrong", "by": "a"}, "full"),
        ("write_off", {"reason": "small", "by": "a"}, "full"),
        ("invoice_amended", {"amount": "100.00", "by": "a"}, "restricted"),
        ("dispute_opened", {"reason": "r", "opened_by": "u"}, "restricted"),
        ("pause", {"reason": "r", "by": "a"}, "restricted"),
    ],
)
def test_what_brings_access_back(harness: ServiceHarness, name: str, content: dict[str, Any], access: str) -> None:
    harness.open()
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when)
    answer = harness.record(name, "2027-03-23 20:00", **content)
    assert (harness.access(), answer.access) == (access, access)
    released = [entry for entry in harness.entries("access") if "released" in entry.reason]
    assert len(released) == (access == "full")


def test_a_case_handed_over_keeps_its_hold(harness: ServiceHarness) -> None:
    harness.open()
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when)
    harness.case.take(StepOutcome(step="hand-over", status="done", at=at(RESTRICT), ends="handed_over"))
    assert harness.pay("2027-05-01 09:00", "100.00").access == "restricted"
    assert harness.pay("2027-05-02 09:00", "1100.00", "p2").access == "full"


# Calls ---------------------------------------------------------------------------------------------------


def test_nobody_is_called_about_a_case_that_rests(harness: ServiceHarness) -> None:
    harness.open(an_invoice(policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    assert len(harness.tasks()) == 1
    harness.record("pause", "2027-02-24 10:00", reason="holiday", by="agent-7")
    assert [task.kind for task in harness.tasks()] == ["decision"]  # a pause without an end is looked at later
    assert any("the call is not needed" in entry.reason for entry in harness.entries("task"))


def test_the_outcome_of_a_call_closes_its_task(harness: ServiceHarness) -> None:
    harness.open(an_invoice(policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    (task,) = harness.tasks()
    harness.record("call_outcome", "2027-02-24 10:00", task_id=task.task_id, outcome="reached", by="agent-7")
    assert harness.tasks() == []
    assert harness.entries("refused") == []


def test_an_outcome_without_a_task_is_noted_all_the_same(harness: ServiceHarness) -> None:
    harness.open()
    harness.record("call_outcome", FIRST, task_id="t9", outcome="reached", by="agent-7")
    assert [entry.kind for entry in harness.entries()] == ["opened", "refused", "call"]


# Delivery reports ----------------------------------------------------------------------------------------


@pytest.fixture
def sent(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> ServiceHarness:
    """One mail, accepted by its provider."""
    harness = make_harness(by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=ONE))
    harness.carry_out("first-reminder", FIRST)
    return harness


@pytest.mark.parametrize(
    ("reports", "state", "entries"),
    [
        (["delivered"], "delivered", ["delivered"]),
        (["accepted"], "accepted", []),  # known already
        (["delivered", "delivered"], "delivered", ["delivered"]),  # webhooks repeat themselves
        (["delivered", "accepted"], "delivered", ["delivered"]),  # and come out of order
        (["delivered", "failed"], "delivered", ["delivered"]),
        (["delivered", "bounced"], "bounced", ["delivered", "bounced"]),  # taken and given back
        (["bounced", "delivered"], "bounced", ["bounced"]),
        (["bounced", "bounced"], "bounced", ["bounced"]),
        (["failed", "bounced"], "bounced", ["failed", "bounced"]),
        (["failed", "delivered"], "failed", ["failed"]),
    ],
)
def test_the_reports_of_one_message(sent: ServiceHarness, reports: list[str], state: str, entries: list[str]) -> None:
    for status in reports:
        sent.report(sent.messages()[0], status, "2027-03-02 09:05")
    assert sent.messages()[0].state == state
    assert [entry.kind for entry in sent.entries() if entry.kind in {"delivered", "bounced", "failed"}] == entries


@pytest.mark.parametrize(
    ("status", "arrived", "not_arrived"),
    [("delivered", True, None), ("bounced", False, "first-reminder"), ("failed", False, "first-reminder")],
)
def test_what_a_report_means_for_the_step(
    sent: ServiceHarness, status: str, arrived: bool, not_arrived: str | None
) -> None:
    answer = sent.report(sent.messages()[0], status, "2027-03-02 09:05", "code")
    assert (answer.arrived, answer.not_arrived) == (arrived, not_arrived)
    again = sent.report(sent.messages()[0], status, "2027-03-02 09:06", "code")
    assert (again.arrived, again.not_arrived) == (False, None)


def test_a_report_about_somebody_elses_message_is_refused(sent: ServiceHarness) -> None:
    other = ServiceHarness(sent.deps)
    other.open(an_invoice(invoice_id="inv-2", customer=another_customer("c2")))
    other.carry_out("first-reminder", FIRST)
    sent.report(other.messages()[0], "bounced", "2027-03-02 09:05")
    assert other.messages()[0].state == "accepted"
    assert "this case sent no such message" in sent.entries("refused")[0].reason


def test_a_bounce_after_a_step_done_again_reaches_further_for_that_step(harness: ServiceHarness) -> None:
    harness.open()
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when)
    harness.pay("2027-03-23 09:00")
    harness.record("payment_reversed", "2027-03-23 09:30", payment_id="p1", reason="chargeback")
    harness.carry_out("second-reminder", "2027-03-23 10:00")
    harness.carry_out("restrict", "2027-03-31 10:00")
    lost = harness.messages("restrict.again1")[0]
    answer = harness.report(lost, "bounced", "2027-03-31 10:05")
    assert answer.not_arrived == "restrict"
    reached = harness.carry_out("restrict", "2027-03-31 10:06")
    assert reached.outcome is not None
    assert reached.outcome.status == "done"


# Time ----------------------------------------------------------------------------------------------------


def test_the_debtors_offset_is_noted_for_the_days_people_name(harness: ServiceHarness) -> None:
    harness.open()
    assert harness.pay(FIRST, "1.00").utc_offset_minutes == 60
    assert harness.pay("2027-04-02 09:00", "1.00", "p2").utc_offset_minutes == 120

"""One of case and database was restored from an older copy: whichever is behind catches up, nothing is sent twice."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from dunwell.client.customers import Changed, Customers
from dunwell.domain.channels import Channel
from dunwell.domain.events import parse_event
from dunwell.domain.links import LinkKind
from dunwell.domain.standstill import decision
from dunwell.domain.terms import MessageState
from dunwell.domain.timeline import Entry
from dunwell.gateways.events import ProviderEvent
from dunwell.services import standstill
from dunwell.services.alignment import LOST_TEXT
from dunwell.services.event_inbox import Inbox
from dunwell.services.failures import ProviderFailed
from dunwell.services.links import Links
from dunwell.store import addresses, cases, contacts, customer_pauses, payments, timeline
from dunwell.store import links as link_store
from dunwell.store.database import Database
from dunwell.store.tables import AccessChangeRow, ContactRow, MessageInvoiceRow, MessageRow, PaymentRow, TimelineRow
from tests import backups
from tests.builders import a_contact, a_customer, an_invoice, at, sample_deps
from tests.gateways.fakes import Answer, FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid

FIRST, SECOND, RESTRICT = "2027-03-02 09:00", "2027-03-16 09:00", "2027-03-23 10:00"

Restore = Callable[[], None]


@pytest.fixture
def backed_up(file_database: Database, tmp_path: Path) -> Callable[[], Restore]:
    """Take a copy of the database file; what it returns puts that copy back."""

    def back_up() -> Restore:
        file, copy = tmp_path / "dunwell.sqlite", tmp_path / "copy.sqlite"
        backups.back_up(file, copy)

        def restore() -> None:
            file_database.close()
            backups.put_back(copy, file)

        return restore

    return back_up


def agree(harness: ServiceHarness) -> None:
    """Ledger, stored case and the workflow's case say the same."""
    with harness.deps.database.reading() as session:
        stored, booked = cases.get(session, "inv-1"), payments.paid(session, "inv-1")
    assert stored is not None
    assert (stored.money.paid, stored.money.payments) == (booked, harness.case.money.payments)
    assert harness.case.money.paid == booked
    assert stored.digest == harness.case.digest


# The database is ahead -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2, 3], ids=lambda lost: f"{lost} payments lost")
def test_a3_a_payment_told_to_a_case_that_was_reset_adds_to_those_in_the_database(
    harness: ServiceHarness, lost: int
) -> None:
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    older, written = harness.case.model_copy(deep=True), harness.written
    for number in range(lost):
        harness.pay("2027-03-03 09:00", "10.00", f"before{number}")
    harness.case, harness.written = older, written
    harness.pay("2027-03-04 09:00", "3.00", "after")
    assert harness.case.money.paid == 10 * lost + 3
    agree(harness)
    assert "older than the database" in harness.entries("restored")[0].reason


def test_a3_a_dispute_survives_a_reset(harness: ServiceHarness) -> None:
    """The older copy hears one event and seems to be as far as the newer one."""
    harness.open()
    older, written = harness.case.model_copy(deep=True), harness.written
    harness.record("dispute_opened", "2027-03-01 09:00", reason="wrong-quantity", opened_by="debtor")
    harness.case, harness.written = older, written
    harness.pay("2027-03-01 10:00", "100.00")
    assert harness.case.stage == "disputed"
    assert harness.case.money.paid == 100
    agree(harness)


def test_a3_what_settles_the_rest_after_a_reset_ends_the_case(harness: ServiceHarness) -> None:
    harness.open()
    older, written = harness.case.model_copy(deep=True), harness.written
    harness.pay("2027-03-01 09:00", "1000.00", "p1")
    harness.case, harness.written = older, written
    harness.pay("2027-03-02 09:00", "200.00", "p2")
    assert harness.case.ended == "paid"
    agree(harness)


def test_a3_a_step_after_a_reset_does_nothing_before_both_agree(harness: ServiceHarness) -> None:
    harness.open()
    older, written = harness.case.model_copy(deep=True), harness.written
    harness.record("dispute_opened", "2027-03-01 09:00", reason="wrong-quantity", opened_by="debtor")
    harness.case, harness.written = older, written
    harness.case.apply(
        parse_event("payment_received", [{"payment_id": "p1", "amount": "1.00", "currency": "EUR"}]), at(FIRST)
    )
    answer = harness.carry_out("first-reminder", FIRST)
    assert answer.apart
    assert harness.messages() == []


def test_a3_a_reversal_that_the_case_forgot_is_learned_from_the_ledger(harness: ServiceHarness) -> None:
    harness.open()
    harness.pay("2027-03-01 09:00", "100.00", "p1")
    older, written = harness.case.model_copy(deep=True), harness.written
    harness.record("payment_reversed", "2027-03-02 09:00", payment_id="p1", reason="bounced")
    harness.case, harness.written = older, written
    harness.pay("2027-03-03 09:00", "50.00", "p2")
    assert harness.case.money.paid == 50
    agree(harness)


def test_parts_that_the_case_forgot_are_learned_from_the_ledger(harness: ServiceHarness) -> None:
    harness.open()
    harness.pay("2027-03-01 09:00", "100.00", "p1")
    older, written = harness.case.model_copy(deep=True), harness.written
    part = {"payment_id": "p1", "reason": "bounced"}
    harness.record("payment_reversed", "2027-03-02 09:00", **part, amount="10.00")
    harness.record("payment_reversed", "2027-03-02 09:00", **part, amount="20.00", reversal_id="r2")
    harness.record("payment_reversed", "2027-03-02 10:00", **part)
    harness.case, harness.written = older, written
    harness.pay("2027-03-03 09:00", "50.00", "p2")
    assert [str(amount) for amount in (harness.case.money.paid, harness.case.money.taken_back("p1"))] == [
        "50.00",
        "100.00",
    ]
    agree(harness)


# The database is behind ----------------------------------------------------------------------------------


def test_a4_a_payment_that_only_the_case_knows_is_booked_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    restore = backed_up()
    harness.record(
        "payment_received",
        "2027-03-01 09:00",
        payment_id="lost1",
        amount="100.00",
        currency="EUR",
        received_at="2027-02-27T08:00:00Z",
        method="card",
    )
    harness.record("payment_received", "2027-03-01 10:00", payment_id="lost2", amount="5.00", currency="EUR")
    harness.record("payment_reversed", "2027-03-01 11:00", payment_id="lost2", reason="bounced")
    restore()
    harness.pay("2027-03-02 09:00", "50.00", "after1")
    agree(harness)
    with harness.deps.database.reading() as session:
        rows = {row.payment_id: row for row in payments.rows(session, "inv-1")}
        (reversal,) = payments.reversals(session, "inv-1")
    assert {name: row.amount for name, row in rows.items()} == {
        "lost1": Decimal("100.00"),
        "lost2": Decimal("5.00"),
        "after1": Decimal("50.00"),
    }
    assert (rows["lost1"].received_at, rows["lost1"].method) == (at("2027-02-27 08:00"), "card")
    facts = (reversal.payment_id, reversal.key, reversal.amount, reversal.at, reversal.reason)
    assert facts == ("lost2", "~rest", Decimal("5.00"), at("2027-03-01 11:00"), "bounced")
    assert "older than the case" in harness.entries("restored")[0].reason


def test_a4_a_step_that_was_under_way_does_not_hide_that_the_database_is_older(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    """The step counts the older copy's revision up to that of the case, and knows nothing of the payment."""
    harness.open()
    restore, older = backed_up(), harness.case.model_copy(deep=True)
    paid = harness.pay("2027-03-01 09:00", "100.00", "lost1")
    restore()
    late = harness.carry_out("first-reminder", FIRST, older)
    assert late.written is not None and paid.written is not None
    assert late.written.revision == paid.written.revision
    assert harness.pay("2027-03-03 09:00", "50.00", "after1").apart
    agree(harness)


def test_a4_a_message_that_only_the_case_knows_is_not_sent_again_and_proves_nothing(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, backed_up: Callable[[], Restore]
) -> None:
    harness = make_harness(email=by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(),))))
    restore = backed_up()
    before = harness.carry_out("first-reminder", FIRST)
    assert before.outcome is not None
    (sent,) = harness.messages()
    restore()
    assert harness.messages() == []
    apart = harness.carry_out("second-reminder", SECOND)
    assert apart.apart, "no step is carried out before both agree"
    harness.record(
        "delivery_report", SECOND, message_id=sent.message_id, status="delivered", at="2027-03-16T09:00:00Z"
    )
    (row,) = harness.messages()
    assert (row.message_id, row.contact_id, row.channel, row.claimed_at) == (
        sent.message_id,
        sent.contact_id,
        sent.channel,
        sent.claimed_at,
    )
    assert row.address == sent.address
    assert len(sendgrid.mails) == 1
    harness.carry_out("first-reminder", SECOND)
    assert len(sendgrid.mails) == 1, "it counts for G3"
    harness.carry_out("second-reminder", SECOND)
    harness.report(harness.messages("second-reminder")[0], "delivered", SECOND)
    harness.carry_out("restrict", RESTRICT)
    assert harness.access() == "full", "one warning is proven, and two are needed"


def test_a4_a_message_that_the_older_database_has_as_refused_is_not_sent_again(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, backed_up: Callable[[], Restore]
) -> None:
    """The copy was made between two tries, so its row is there, with a text that never left."""
    harness = make_harness(email=by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(),))))
    sendgrid.next(Answer(503))
    with pytest.raises(ProviderFailed):
        harness.carry_out("first-reminder", FIRST)
    restore = backed_up()
    harness.carry_out("first-reminder", FIRST)
    (sent,) = harness.messages()
    restore()
    (older,) = harness.messages()
    assert (older.message_id, older.call) == (sent.message_id, "refused")
    assert harness.carry_out("second-reminder", SECOND).apart, "no step is carried out before both agree"
    harness.pay(SECOND, "1.00")
    (row,) = harness.messages()
    assert (row.message_id, row.state, row.reason, row.body) == (
        sent.message_id,
        MessageState.UNKNOWN,
        LOST_TEXT,
        "",
    )
    harness.carry_out("first-reminder", SECOND)
    assert len(sendgrid.mails) == 1


def test_a4_a_report_of_a_mail_that_was_lost_waits_until_the_case_has_written_it_again(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, backed_up: Callable[[], Restore]
) -> None:
    """A bounce that came at once would be forgotten otherwise, and its address be written to again."""
    harness = make_harness(email=by_sendgrid(sendgrid))
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(),))))
    restore = backed_up()
    harness.carry_out("first-reminder", FIRST)
    (sent,) = harness.messages()
    restore()
    inbox = Inbox(harness.deps.database)
    bounced = ProviderEvent(
        event_id="e1",
        kind="bounce",
        channel=Channel.EMAIL,
        message_id=sent.message_id,
        state=MessageState.BOUNCED,
        address=sent.address,
    )
    inbox.take("sendgrid", [bounced], at(FIRST))
    assert inbox.waiting(at(FIRST)) == []
    harness.pay("2027-03-03 09:00", "1.00")
    (told,) = inbox.waiting(at("2027-03-03 09:00"))
    (report,) = told.events
    assert (report.name, report.invoices) == ("delivery_report", ("inv-1",))
    assert report.content["message_id"] == sent.message_id
    assert [row.state for row in harness.messages()] == [MessageState.BOUNCED]
    with harness.deps.database.reading() as session:
        assert addresses.why_closed(session, Channel.EMAIL, sent.address) == "bounced"


def test_a4_a_message_without_its_text_counts_in_the_caps(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(),))))
    restore = backed_up()
    harness.carry_out("first-reminder", FIRST)
    restore()
    harness.pay("2027-03-02 10:00", "1.00")
    (row,) = harness.messages()
    assert (row.state, row.reason, row.body) == (MessageState.UNKNOWN, LOST_TEXT, "")
    answer = harness.carry_out(harness.case.outstanding.owed[0], "2027-03-02 10:01")
    assert answer.outcome is not None
    answer = harness.carry_out("second-reminder", "2027-03-02 10:02")
    assert answer.outcome is not None
    assert answer.outcome.status != "done"


def test_a4_a_hold_that_only_the_case_knows_is_placed_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    harness.carry_out("second-reminder", SECOND)
    restore = backed_up()
    harness.carry_out("restrict", RESTRICT)
    assert harness.access() == "restricted"
    restore()
    assert harness.access() == "full"
    harness.pay("2027-03-24 09:00", "1.00")
    assert harness.access() == "restricted"
    harness.pay("2027-03-25 09:00", "1199.00", "p2")
    assert harness.access() == "full"


def test_a4_a_hold_that_the_case_knows_to_be_released_is_released_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    harness.carry_out("second-reminder", SECOND)
    harness.carry_out("restrict", RESTRICT)
    restore = backed_up()
    harness.pay("2027-03-24 09:00", "1200.00", "p1")
    restore()
    assert harness.access() == "restricted"
    harness.pay("2027-03-25 09:00", "1.00", "p2")
    assert harness.access() == "full"
    agree(harness)


def test_a_customers_pause_that_only_the_case_knows_is_in_force_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    restore = backed_up()
    harness.record("pause", "2027-03-02 10:00", reason="hardship", by="ada", until="2027-05-01", scope="customer")
    restore()
    harness.pay("2027-03-03 09:00", "1.00")
    with harness.deps.database.reading() as session:
        row = customer_pauses.get(session, "acme")
    assert row is not None
    assert (row.reason, row.by, f"{row.until}", row.since) == (
        "hardship",
        "ada",
        "2027-05-01",
        at("2027-03-02 10:00"),
    )


def test_a_customers_pause_that_the_case_knows_to_have_ended_is_ended_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    with harness.deps.database.writing() as session:
        customer_pauses.put(session, "acme", reason="hardship", by="ada", until=None, now=at("2027-03-02 10:00"))
    harness.record("pause", "2027-03-02 10:00", reason="hardship", by="ada", scope="customer")
    restore = backed_up()
    harness.record("resume", "2027-03-02 11:00", by="ada", scope="customer")
    restore()
    harness.pay("2027-03-03 09:00", "1.00")
    with harness.deps.database.reading() as session:
        assert customer_pauses.get(session, "acme") is None


def test_whoever_rests_again_without_an_end_is_asked_about_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    """The question about the pause was lost with it; without one nobody would ever look at the case."""
    harness.open()
    restore = backed_up()
    harness.record("pause", "2027-03-02 10:00", reason="hardship", by="ada", scope="customer")
    restore()
    harness.pay("2027-03-03 09:00", "1.00")
    (task,) = [one for one in harness.tasks() if "rests" in one.task_id]
    assert "customer acme rests as a whole since 2027-03-02 (hardship, by ada)" in task.reason


def test_a_customers_pause_that_was_renewed_has_its_new_end_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    with harness.deps.database.writing() as session:
        customer_pauses.put(session, "acme", reason="hardship", by="ada", until=None, now=at("2027-03-02 10:00"))
    harness.record("pause", "2027-03-02 10:00", reason="hardship", by="ada", scope="customer")
    restore = backed_up()
    harness.record("pause", "2027-03-02 11:00", reason="hardship", by="ada", until="2027-05-01", scope="customer")
    restore()
    harness.pay("2027-03-03 09:00", "1.00")
    with harness.deps.database.reading() as session:
        row = customer_pauses.get(session, "acme")
    assert row is not None and f"{row.until}" == "2027-05-01"


def test_whoever_goes_on_again_is_not_asked_about(harness: ServiceHarness, backed_up: Callable[[], Restore]) -> None:
    harness.open()
    customers = Customers(harness.deps)
    customers.pause("acme", "hardship", "ada")
    harness.record("pause", "2027-03-02 10:00", reason="hardship", by="ada", scope="customer")
    restore = backed_up()
    customers.resume("acme", "ada")
    harness.record("resume", "2027-03-02 11:00", by="ada", scope="customer")
    restore()
    (task,) = [one for one in harness.tasks() if "rests" in one.task_id]
    assert "rests as a whole" in task.reason
    harness.pay("2027-03-03 09:00", "1.00")
    assert harness.tasks() == []


def test_a4_nothing_is_restored_where_nothing_was_lost(harness: ServiceHarness) -> None:
    harness.open()
    for step, when in (("first-reminder", FIRST), ("second-reminder", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when)
    harness.pay("2027-03-24 09:00", "100.00")
    harness.record("promise_to_pay", "2027-03-24 10:00", date="2027-03-29", promised_by="debtor")
    harness.pay("2027-03-25 09:00", "1100.00", "p2")
    assert harness.entries("restored") == []
    agree(harness)


def test_a4_a_report_that_came_between_backup_and_restore_is_missed_by_the_next_write_and_by_the_next_step(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    """The case itself did not change meanwhile: it is only its timeline that tells."""
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    restore = backed_up()
    with harness.deps.database.writing() as session:
        line = Entry(key="m1.delivered", at=at(FIRST), kind="delivered", reason="by email")
        timeline.write(session, "inv-1", [line])
    seen = len(harness.entries())
    restore()
    assert harness.carry_out("second-reminder", SECOND, seen=seen).apart
    assert harness.messages("second-reminder") == []
    request = harness.request("pause", SECOND, {"reason": "hardship", "by": "agent-7"}, [])
    answer = harness.write(request.model_copy(update={"seen": seen}), SECOND)
    assert answer.apart
    assert "older than the case" in harness.entries("restored")[0].reason


def test_a4_a_case_hears_that_the_database_was_older_although_the_first_answer_was_lost(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    """The worker died after the first attempt had written, or it took longer than it may."""
    harness.open()
    restore = backed_up()
    harness.pay("2027-03-01 09:00", "100.00", "lost")
    restore()
    request = harness.request("pause", "2027-03-02 09:00", {"reason": "hardship", "by": "agent-7"}, [])
    assert harness.write(request, "2027-03-02 09:00").apart
    harness.attempt = 2
    assert harness.write(request, "2027-03-02 09:01").apart
    harness.attempt = 1
    assert not harness.write(request, "2027-03-02 09:02").apart


def test_a4_a_second_standstill_is_told_beside_the_one_that_was_lost(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    """The older copy gives the second one the number of the first; the case knows both lines by their keys."""
    harness.open()
    restore, ops = backed_up(), decision("ops", "restore")
    standstill.begin(harness.deps.database, ops, at("2027-03-01 09:00"))
    (lost,) = harness.entries("standstill")
    restore()
    standstill.begin(harness.deps.database, ops, at("2027-03-01 09:05"))
    (said,) = harness.entries("standstill")
    assert said.key != lost.key


def test_a4_the_product_hears_of_no_change_under_an_id_that_it_knows(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    harness.carry_out("second-reminder", SECOND)
    restore = backed_up()
    harness.carry_out("restrict", RESTRICT)
    harness.pay("2027-03-24 09:00", "1.00")
    known = changes(harness)
    restore()
    harness.pay("2027-03-25 09:00", "1199.00", "p2")
    assert harness.access() == "full"
    assert known and not known & changes(harness)


def changes(harness: ServiceHarness) -> set[str]:
    with harness.deps.database.reading() as session:
        return set(session.scalars(select(AccessChangeRow.change_id)))


def test_a4_rows_that_are_gone_are_written_again(database: Database) -> None:
    """The same on every kind of database, for rows that were lost without a backup."""
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    harness.pay("2027-03-03 09:00", "100.00", "lost")
    sent = {row.message_id for row in harness.messages()}
    with database.writing("acme") as session:
        for table in (MessageInvoiceRow, MessageRow, PaymentRow, TimelineRow):
            session.execute(delete(table))
    harness.pay("2027-03-04 09:00", "10.00", "after")
    agree(harness)
    assert {row.message_id for row in harness.messages()} == sent
    assert {row.reason for row in harness.messages()} == {LOST_TEXT}
    with database.reading() as session:
        assert payments.paid(session, "inv-1") == 110


# Contacts -------------------------------------------------------------------------------------------------

ADA = a_contact(name="Ada Lind", email="ada@acme.example", phone="+4915112345678")
BOB = a_contact(number=2, name="Bob Moss", email="bob@acme.example")


def with_people(harness: ServiceHarness) -> None:
    harness.open(an_invoice(customer=a_customer(contacts=(ADA, BOB))))


def told(harness: ServiceHarness, changed: Changed, when: str) -> None:
    """The case of inv-1 is told as `starter.py` and the API tell it."""
    assert changed.invoices == ("inv-1",)
    harness.record(changed.event, when, **changed.content_for("inv-1"))


def heard(harness: ServiceHarness, item: ProviderEvent, when: str) -> None:
    """A webhook or link, and what the dispatcher tells the case of it."""
    inbox = Inbox(harness.deps.database)
    inbox.take("test", [item], at(when))
    for pending in inbox.waiting(at(when)):
        for event in pending.events:
            harness.record(event.name, when, **event.content)
        inbox.done(pending.provider, pending.event_id, at(when))


def stop(address: str, channel: Channel = Channel.EMAIL, *, back: bool = False) -> ProviderEvent:
    closes = None if back else "stopped"
    return ProviderEvent(
        event_id=f"{address}.{back}", kind="stop", channel=channel, address=address, closes=closes, reopens=back
    )


def standing(harness: ServiceHarness) -> tuple[list[str], list[str | None]]:
    """Who may be written to about inv-1, and why which of Ada's addresses are closed."""
    with harness.deps.database.reading() as session:
        open_now = [one.contact_id for one in contacts.for_invoice(session, "inv-1")]
        mail = addresses.why_closed(session, Channel.EMAIL, "ada@acme.example")
        texts = addresses.why_closed(session, Channel.SMS, "+4915112345678")
    return open_now, [mail, texts]


def test_who_left_since_the_copy_is_closed_again(harness: ServiceHarness, backed_up: Callable[[], Restore]) -> None:
    with_people(harness)
    links = Links("https://dunning.example", ["secret"])
    with harness.deps.database.writing("acme") as session:
        links.issue(session, LinkKind.PAGE, "acme", at("2027-02-28 09:00"), contact_id=ADA.contact_id)
    restore = backed_up()
    told(harness, Customers(harness.deps).close_contact(ADA.contact_id, "left", "agent-7"), "2027-03-01 09:00")
    restore()
    assert standing(harness)[0] == [ADA.contact_id, BOB.contact_id]
    harness.pay("2027-03-02 10:00", "1.00")
    assert standing(harness)[0] == [BOB.contact_id]
    with harness.deps.database.reading() as session:
        row = session.get_one(ContactRow, ADA.contact_id)
        (link,) = link_store.of_customer(session, "acme", ADA.contact_id)
    assert (link.revoked_by, link.revoked_why) == ("system", "contact closed"), "their links open nothing"
    assert (row.closed_by, row.closed_why, row.closed_at) == ("agent-7", "left", at("2027-03-01 09:00"))
    assert [line.reason for line in harness.entries("contacts")] == [
        "the database had forgotten: acme.accounts_payable.1 closed (left) on 2027-03-01 by agent-7"
    ]
    assert harness.tasks() == [], "nobody has to ask what is known"


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_an_opt_out_that_dunwell_alone_was_told_of_is_in_force_again(
    harness: ServiceHarness, backed_up: Callable[[], Restore], channel: Channel
) -> None:
    with_people(harness)
    restore = backed_up()
    heard(harness, stop(str(ADA.address(channel)), channel), "2027-03-01 09:00")
    before = standing(harness)
    restore()
    assert standing(harness)[1] == [None, None]
    harness.pay("2027-03-02 10:00", "1.00")
    assert standing(harness) == before
    with harness.deps.database.reading() as session:
        whatsapp = addresses.why_closed(session, Channel.WHATSAPP, "+4915112345678")
    assert whatsapp == ("stopped" if channel is Channel.SMS else None)


def test_what_was_opened_again_before_the_restore_is_open_after_it(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    with_people(harness)
    told(harness, Customers(harness.deps).close_contact(BOB.contact_id, "left", "agent-7"), "2027-03-01 09:00")
    heard(harness, stop("+4915112345678", Channel.SMS), "2027-03-01 09:00")
    restore = backed_up()
    told(harness, Customers(harness.deps).open_contact(BOB.contact_id, "agent-7"), "2027-03-01 10:00")
    heard(harness, stop("+4915112345678", Channel.SMS, back=True), "2027-03-01 10:00")
    restore()
    assert standing(harness) == ([ADA.contact_id], [None, "stopped"])
    harness.pay("2027-03-02 10:00", "1.00")
    assert standing(harness) == ([ADA.contact_id, BOB.contact_id], [None, None])


def test_what_only_people_know_is_asked_once_for_the_customer(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    """The new address is in no history: of corrections and new contacts only people know the words."""
    with_people(harness)
    second = ServiceHarness(harness.deps)
    second.open(an_invoice(invoice_id="inv-2", customer=a_customer(contacts=(ADA, BOB))))
    restore = backed_up()
    people = Customers(harness.deps)
    for changed in (
        people.set_contact(ADA.contact_id, {"email": "new@acme.example"}, "agent-7"),
        people.add_contact("acme", "user", {"name": "Uma", "email": "uma@acme.example"}, "agent-7"),
        people.set_customer("acme", {"language": "es"}, "agent-7"),
    ):
        assert "acme.example" not in str(changed.content)
        for one in (harness, second):
            one.record(changed.event, "2027-03-01 09:00", **changed.content_for(one.case.invoice_id))
    restore()
    harness.pay("2027-03-02 10:00", "1.00")
    second.pay("2027-03-02 10:01", "1.00", "p2")
    (task,) = harness.tasks()
    assert second.tasks() == []
    assert "since 2027-03-01 was lost: e-mail of acme.accounts_payable.1 corrected on 2027-03-01" in task.reason
    assert "acme.user.1 added on 2027-03-01 by agent-7; language of the customer corrected" in task.reason
    harness.pay("2027-03-02 11:00", "1199.00", "rest")
    assert [one.task_id for one in harness.tasks()] == [task.task_id], "it is about the customer, not the invoice"


def test_what_the_copy_knows_is_not_asked(harness: ServiceHarness, backed_up: Callable[[], Restore]) -> None:
    with_people(harness)
    changed = Customers(harness.deps).set_contact(ADA.contact_id, {"email": "new@acme.example"}, "agent-7")
    told(harness, changed, "2027-03-01 09:00")
    restore = backed_up()
    harness.pay("2027-03-01 10:00", "1.00")
    restore()
    changed = Customers(harness.deps).set_contact(ADA.contact_id, {"email": "newer@acme.example"}, "agent-7")
    told(harness, changed, "2027-03-02 09:00")  # after the restore: the database has it
    assert harness.tasks() == []
    assert [line.reason for line in harness.entries("contacts") if "forgotten" in line.reason] == []
    agree(harness)


def test_a_number_that_a_call_found_wrong_stays_closed(
    harness: ServiceHarness, backed_up: Callable[[], Restore]
) -> None:
    harness.open(an_invoice(customer=a_customer(contacts=(ADA, BOB)), policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    restore = backed_up()
    task = next(one for one in harness.tasks() if one.contact_id == ADA.contact_id)
    harness.record("call_outcome", "2027-02-24 10:00", task_id=task.task_id, outcome="wrong_number", by="agent-7")
    agree(harness)
    restore()
    harness.pay("2027-03-02 10:00", "1.00")
    assert standing(harness)[1] == [None, "is a wrong number"]

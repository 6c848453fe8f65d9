"""What webhook subscribers are told, and how it reaches them."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.domain.invoice import for_rehearsal
from dunwell.domain.notifications import PATIENCE, TOPICS, DeliveryState, Topic
from dunwell.domain.principals import Principal, PrincipalKind, Role
from dunwell.domain.reconciliation_report import Kind
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Level
from dunwell.gateways.signed_post import SignedPost, verify
from dunwell.services import person_tasks, webhook_delivery
from dunwell.services.overdue_work import OverdueWork
from dunwell.services.webhook_delivery import WebhookDelivery, body_of
from dunwell.services.webhook_subscriptions import find, resend, subscribe, unsubscribe
from dunwell.store import accounts, audit, notifications
from dunwell.store.database import Database
from dunwell.store.tables import NotificationRow, SubscriptionRow
from dunwell.views.webhooks import deliveries, subscribed
from tests.builders import an_invoice, at, keep_customer, sample_deps
from tests.gateways.fakes import HASTY, Answer, FakeProduct
from tests.services.conftest import MakeHarness, ServiceHarness

ADMIN = Principal(PrincipalKind.COMMAND, id="ops", name="ops", role=Role.ADMINISTRATOR)
PERSONAL = ("Ada", "ada@", "Acme", "+49", "Straße")


class Clock:
    """The time of the deliveries, which a test moves on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=1)

    def __call__(self) -> datetime:
        return self.now


def add(database: Database, url: str, *topics: str) -> SubscriptionRow:
    with database.writing() as session:
        return subscribe(session, url, topics, ADMIN, datetime.now(UTC), private=False)


def rows(database: Database) -> list[NotificationRow]:
    with database.reading() as session:
        return list(reversed(notifications.listed(session, None, None, 1000)))


def told(database: Database) -> list[tuple[str, Any]]:
    """Topic and the word that tells most, in order."""
    words = ("kind", "state", "step", "access", "stage", "paid")
    return [(row.topic.value, next(row.body[word] for word in words if word in row.body)) for row in rows(database)]


def delivery(database: Database, clock: Clock | None = None) -> WebhookDelivery:
    deps = replace(sample_deps(database), webhook_post=SignedPost(timeout=HASTY, total=HASTY, public=True))
    return WebhookDelivery(deps, clock or Clock())


@pytest.fixture
def subscriber() -> Iterator[FakeProduct]:
    with FakeProduct() as server:
        yield server


# What is told --------------------------------------------------------------------------------------------


def test_a_life_is_told_as_it_happens(harness: ServiceHarness, subscriber: FakeProduct) -> None:
    add(harness.deps.database, subscriber.url)
    harness.open()
    harness.carry_out("first-reminder", "2027-03-09 10:00")
    harness.record("promise_to_pay", "2027-03-10 10:00", date="2027-03-16", promised_by="accounts_payable")
    harness.record("promise_to_pay", "2027-03-11 10:00", date="2027-03-17", promised_by="accounts_payable")
    harness.record("dispute_opened", "2027-03-12 10:00", reason="wrong-quantity", opened_by="agent", amount="200.00")
    harness.record("dispute_resolved", "2027-03-13 10:00", outcome="rejected", by="agent")
    harness.pay("2027-03-14 10:00")
    assert told(harness.deps.database) == [
        ("case_opened", "scheduled"),
        ("step_done", "first-reminder"),
        ("promise", "open"),
        ("promise", "replaced"),
        ("promise", "open"),
        ("task_raised", "decision"),
        ("dispute", "opened"),
        ("dispute", "ended"),
        ("promise", "kept"),
        ("paid", "1200.00"),
    ]
    disputed = [row.body["disputed"] for row in rows(harness.deps.database) if row.topic is Topic.DISPUTE]
    assert disputed == ["200.00", "0.00"]
    for row in rows(harness.deps.database):
        assert not [word for word in PERSONAL if word in body_of(row).decode()], row.body


def test_access_and_tasks_are_told(harness: ServiceHarness, subscriber: FakeProduct) -> None:
    add(harness.deps.database, subscriber.url, "access_changed", "task_raised")
    harness.open()
    with harness.deps.database.writing(harness.case.customer_id) as session:
        now = at("2027-03-21 10:00")
        accounts.place_hold(session, harness.case.customer_id, "inv-1", Level.RESTRICTED, "step restrict", now)
        person_tasks.raise_task(session, harness.case, task_id="inv-1.look", step="", reason="Ada moved", now=now)
    harness.pay("2027-03-22 10:00")
    assert told(harness.deps.database) == [
        ("access_changed", "restricted"),
        ("task_raised", "decision"),
        ("access_changed", "full"),
    ]
    assert "Ada" not in json.dumps([row.body for row in rows(harness.deps.database)])


def test_only_what_is_subscribed_to_is_told_and_each_gets_the_same_event(
    harness: ServiceHarness, subscriber: FakeProduct
) -> None:
    database = harness.deps.database
    add(database, subscriber.url, "paid", "case_opened")
    add(database, subscriber.url, "paid")
    harness.open()
    harness.pay("2027-03-14 10:00")
    assert [row.topic.value for row in rows(database)] == ["case_opened", "paid", "paid"]
    first, second = rows(database)[1:]
    assert (first.event_id, first.body) == (second.event_id, second.body)
    assert first.subscription_id != second.subscription_id


def test_what_is_not_committed_is_not_told(harness: ServiceHarness, subscriber: FakeProduct) -> None:
    database = harness.deps.database
    add(database, subscriber.url)
    harness.open()
    before = len(rows(database))

    class Crash(Exception):
        pass

    with pytest.raises(Crash), database.writing("acme") as session:
        person_tasks.raise_task(session, harness.case, task_id="t", step="", reason="r", now=at("2027-03-21 10:00"))
        raise Crash
    assert len(rows(database)) == before


def test_the_same_work_twice_is_told_once(harness: ServiceHarness, subscriber: FakeProduct) -> None:
    add(harness.deps.database, subscriber.url)
    harness.open()
    before = harness.case.model_copy(deep=True)
    harness.carry_out("first-reminder", "2027-03-09 10:00")
    harness.carry_out("first-reminder", "2027-03-09 10:01", before)
    assert [topic for topic, _ in told(harness.deps.database)] == ["case_opened", "step_done"]


def test_a_rehearsal_is_told_on_this_machine_only(make_harness: MakeHarness, subscriber: FakeProduct) -> None:
    harness = make_harness()
    add(harness.deps.database, "https://subscriber.example/hook")
    here = add(harness.deps.database, subscriber.url)
    harness.open(for_rehearsal(an_invoice()), rehearsal=True)
    assert {row.subscription_id for row in rows(harness.deps.database)} == {here.subscription_id}


# Delivery ------------------------------------------------------------------------------------------------


def opened_case(database: Database) -> None:
    with database.writing() as session:
        keep_customer(session, an_invoice().customer)
    ServiceHarness(sample_deps(database)).open()


def test_it_arrives_signed_once(database: Database, subscriber: FakeProduct) -> None:
    subscription = add(database, f"{subscriber.url}/hook?token=t", "case_opened")
    opened_case(database)
    delivery(database).deliver_all()
    (request,) = subscriber.requests
    verify(request.body, request.headers["dunwell-signature"], subscription.secret, datetime.now(UTC))
    (row,) = rows(database)
    assert request.headers["idempotency-key"] == row.event_id == request.json["event_id"]
    assert (request.path, request.json["event"], request.json["invoice_id"]) == ("/hook", "case_opened", "inv-1")
    assert (row.state, row.attempts, row.answer, row.next_at) == (DeliveryState.DELIVERED, 1, "204", None)
    delivery(database).deliver_all()
    assert len(subscriber.requests) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500), "500"),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), "302"),
        (Answer(410), "410"),
        (Answer(drop=True), "no answer (ConnectionError)"),
        (Answer(delay=60, accepts=True), "no answer (ReadTimeout)"),
    ],
)
def test_what_is_not_taken_is_tried_again(
    file_database: Database, subscriber: FakeProduct, answer: Answer, said: str
) -> None:
    database, clock = file_database, Clock()
    add(database, subscriber.url, "case_opened")
    opened_case(database)
    subscriber.next(answer)
    work = delivery(database, clock)
    work.deliver_all()
    (row,) = rows(database)
    assert (row.state, row.attempts) == (DeliveryState.PENDING, 1)
    assert row.answer in {said, "no answer (TimeoutError)"} if "Timeout" in said else row.answer == said
    assert row.next_at == clock.now + timedelta(seconds=10)
    work.deliver_all()
    assert len(subscriber.requests) == 1  # it is not due yet
    clock.now += timedelta(seconds=10)
    work.deliver_all()
    (row,) = rows(database)
    assert (row.state, row.attempts, row.answer) == (DeliveryState.DELIVERED, 2, "204")
    assert len({request.headers["idempotency-key"] for request in subscriber.requests}) == 1


def test_after_three_days_it_is_given_up_found_and_sent_again_on_request(
    database: Database, closed_url: str, subscriber: FakeProduct
) -> None:
    clock = Clock()
    subscription = add(database, closed_url, "case_opened")
    opened_case(database)
    work, begun, tries = delivery(database, clock), clock.now, 0
    while (row := rows(database)[0]).state is DeliveryState.PENDING:
        clock.now = max(clock.now, row.next_at or clock.now)
        work.deliver_all()
        tries += 1
    assert (row.state, row.attempts, row.next_at) == (DeliveryState.FAILED, tries, None)
    assert 8 <= tries <= 20
    assert PATIENCE <= clock.now - begun + timedelta(seconds=2) <= PATIENCE + timedelta(minutes=1)
    (finding,) = [one for one in OverdueWork(sample_deps(database)).find(clock.now) if one.kind is Kind.WEBHOOK]
    assert (finding.invoice_id, finding.subject) == ("inv-1", subscription.subscription_id)
    assert "127.0.0.1 within three days" in finding.found
    with database.writing() as session:
        find(session, subscription.subscription_id).url = subscriber.url
        assert resend(session, subscription.subscription_id, ADMIN, clock.now) == 1
    work.deliver_all()
    assert (len(subscriber.requests), rows(database)[0].state) == (1, DeliveryState.DELIVERED)
    assert not [one for one in OverdueWork(sample_deps(database)).find(clock.now) if one.kind is Kind.WEBHOOK]


def test_an_attempt_belongs_to_one_process_and_is_made_again_after_a_crash(
    database: Database, subscriber: FakeProduct
) -> None:
    clock = Clock()
    subscription = add(database, subscriber.url, "case_opened")
    opened_case(database)
    (row,) = rows(database)
    with database.writing() as session:  # another process takes it and dies before it writes down what came of it
        assert notifications.take(session, row.delivery_id, clock.now, clock.now + timedelta(minutes=2)) is not None
    assert delivery(database, clock).attempt(subscription, row) is None
    assert subscriber.requests == []
    clock.now += timedelta(minutes=2)
    delivery(database, clock).deliver_all()
    assert len(subscriber.requests) == 1


def test_one_that_is_away_is_asked_once_in_a_round(file_database: Database, closed_url: str) -> None:
    database = file_database
    subscription = add(database, closed_url)
    with database.writing() as session:
        for _ in range(3):
            notifications.add_test(session, subscription)
    delivery(database).deliver(subscription.subscription_id)
    assert [row.attempts for row in rows(database)] == [1, 0, 0]


async def test_the_loop_serves_subscribers_beside_one_another(
    file_database: Database, subscriber: FakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "EVERY", 0.02)
    with FakeProduct() as slow:
        slow.next(Answer(delay=60))
        for url in (slow.url, subscriber.url):
            subscription = add(file_database, url)
            with file_database.writing() as session:
                notifications.add_test(session, subscription)
        post = SignedPost(timeout=30, total=30)
        work = WebhookDelivery(replace(sample_deps(file_database), webhook_post=post))
        loop = asyncio.create_task(work.run())
        async with asyncio.timeout(20):
            while {row.state for row in rows(file_database)} != {DeliveryState.PENDING, DeliveryState.DELIVERED}:
                await asyncio.sleep(0.02)
        loop.cancel()
    assert (len(slow.requests), len(subscriber.requests)) == (1, 1)


def test_a_removed_subscription_leaves_nothing(database: Database, subscriber: FakeProduct) -> None:
    subscription = add(database, subscriber.url)
    opened_case(database)
    with database.writing() as session:
        unsubscribe(session, subscription.subscription_id, ADMIN, datetime.now(UTC))
    assert rows(database) == []
    with database.reading() as session:
        assert subscribed(session) == []
        about = audit.read(session, about=f"webhook/{subscription.subscription_id}")
    assert [(row.principal, row.action) for row in about] == [("ops", "webhook_added"), ("ops", "webhook_removed")]


def test_old_deliveries_are_forgotten(database: Database, subscriber: FakeProduct) -> None:
    add(database, subscriber.url, "case_opened")
    opened_case(database)
    delivery(database).deliver_all()
    for later, left in ((0, 1), (1, 0)):
        with database.writing() as session:
            notifications.forget(session, datetime.now(UTC) + timedelta(days=later) - timedelta(hours=1))
        assert len(rows(database)) == left


def test_lists_show_no_secret_and_logs_no_address(
    file_database: Database, closed_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    subscription = add(file_database, f"{closed_url}/token-in-path", "case_opened")
    opened_case(file_database)
    delivery(file_database).deliver_all()
    with file_database.reading() as session:
        shown = [subscribed(session), deliveries(session, subscription.subscription_id, DeliveryState.PENDING)]
        (one,) = shown[1]
    assert (one["event"], one["attempts"], one["answer"]) == ("case_opened", 1, "no answer (ConnectionError)")
    assert subscription.secret not in repr(shown)
    assert "token-in-path" not in caplog.text


# Subscribing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://subscriber.example/hook",
        "https://user:pw@subscriber.example/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.8]/",
        "https://[64:ff9b::a00:8]/",
        "https://127.0.0.1.evil.example@10.0.0.1/",
        "https://subscriber.example:port/",
        "https://subscriber.example/#here",
        "https:///hook",
        "ftp://subscriber.example/",
        "https://subscriber.example/a b",
        "https://süd.example/",
        "https://subscriber.example/" + "a" * 2000,
        "",
    ],
)
def test_an_address_that_cannot_be_is_refused(file_database: Database, url: str) -> None:
    with pytest.raises(Refused) as refused:
        add(file_database, url)
    assert refused.value.field == "url"


def test_an_unknown_event_is_refused(file_database: Database) -> None:
    for name in ("paidd", "test"):
        with pytest.raises(Refused, match="events"):
            add(file_database, "https://subscriber.example/", "paid", name)
    assert add(file_database, "https://subscriber.example/").topics == [topic.value for topic in TOPICS]

"""Requests with a key: one row remembers what became of each, on either database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dunwell.domain.policy import PolicyRef
from dunwell.domain.refusal import Refused
from dunwell.services import idempotency
from dunwell.services.idempotency import Begun, Idempotency, Note, Request, StillRunning
from dunwell.store import idempotency_keys, invoices, notes
from dunwell.store.database import Database
from dunwell.store.tables import RequestRow
from tests.builders import an_invoice

REQUEST = Request.of(
    principal="command line",
    invoice_id="inv-1",
    event="pause",
    key="k",
    content={"reason": "hardship", "by": "agent-7"},
    note=Note("she is ill", "agent-7"),
)
ANSWER = {"how": "done", "status": None}


@pytest.fixture
def harness(database: Database) -> Idempotency:
    with database.writing() as session:
        invoices.put_customers(session, [an_invoice().customer])
        invoices.add_invoices(session, [(an_invoice(), PolicyRef(name="gentle-saas", version=1))])
    return Idempotency(database)


def kept(database: Database) -> list[str]:
    with database.reading() as session:
        return [note.text for note in notes.of_invoice(session, "inv-1")]


def change(database: Database, **facts: datetime) -> None:
    with database.writing("acme") as session:
        row = idempotency_keys.get(session, "command line", "inv-1", "k")
        assert row is not None
        for name, value in facts.items():
            setattr(row, name, value)


def test_a1_of_two_alike_the_second_waits_and_then_hears_the_first_answer(harness: Idempotency) -> None:
    assert harness.begin(REQUEST, "acme") == Begun()
    with pytest.raises(StillRunning, match=r"the same key"):
        harness.begin(REQUEST, "acme")
    harness.answered(REQUEST, ANSWER, "acme")
    assert harness.begin(REQUEST, "acme").answer == ANSWER


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, event="write_off"),
        replace(REQUEST, content={"reason": "audit", "by": "agent-7"}),
        replace(REQUEST, note=None),
        replace(REQUEST, note=Note("she is well", "agent-7")),
    ],
)
def test_a1_another_request_with_the_same_key_is_refused(
    harness: Idempotency, database: Database, other: Request
) -> None:
    harness.begin(REQUEST, "acme")
    harness.answered(REQUEST, ANSWER, "acme")
    with pytest.raises(Refused, match=r"another request about this invoice \(pause\)") as refused:
        harness.begin(other, "acme")
    assert refused.value.field == "request_id"
    assert kept(database) == ["she is ill"]


def test_a1_two_callers_may_choose_the_same_key(harness: Idempotency, database: Database) -> None:
    harness.begin(REQUEST, "acme")
    harness.begin(replace(REQUEST, principal="api", note=Note("by another", "agent-8")), "acme")
    assert sorted(kept(database)) == ["by another", "she is ill"]


def test_a1_what_nobody_answered_goes_on_by_its_key(harness: Idempotency) -> None:
    harness.begin(REQUEST, "acme")
    harness.unanswered(REQUEST, "acme")
    assert harness.begin(REQUEST, "acme") == Begun()


def test_a1_a_request_that_got_no_answer_is_known_by_the_key_it_was_given(harness: Idempotency) -> None:
    """Whoever chose no key is told one when no worker answers."""
    random = replace(REQUEST, key="random", kept=False)
    harness.begin(random, "acme")
    harness.unanswered(random, "acme")
    with pytest.raises(Refused):
        harness.begin(replace(random, event="cancel", kept=True), "acme")
    assert harness.begin(replace(random, kept=True), "acme") == Begun()


def test_a1_a_process_that_was_lost_blocks_its_key_for_seconds_only(harness: Idempotency, database: Database) -> None:
    harness.begin(REQUEST, "acme")
    with pytest.raises(StillRunning) as running:
        harness.begin(REQUEST, "acme")
    wait = running.value.retry_after
    assert 0 < wait <= 15 and f" in {wait} s" in str(running.value)
    change(database, leased_until=datetime.now(UTC))  # nobody renewed it, and that time is over
    assert harness.begin(REQUEST, "acme") == Begun()
    with pytest.raises(StillRunning):  # whoever took it up has it now
        harness.begin(REQUEST, "acme")


async def test_a1_a_process_that_waits_long_keeps_its_request(
    harness: Idempotency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE", timedelta(seconds=2))
    monkeypatch.setattr(idempotency, "RENEWAL", timedelta(seconds=0.1))
    harness.begin(REQUEST, "acme")
    async with harness.leased(REQUEST, "acme"):
        await asyncio.sleep(2.5)
        with pytest.raises(StillRunning):
            harness.begin(REQUEST, "acme")
        harness.answered(REQUEST, ANSWER, "acme")
        await asyncio.sleep(0.3)
    assert harness.begin(REQUEST, "acme").answer == ANSWER


async def test_a1_a_request_that_fails_is_renewed_no_more(
    harness: Idempotency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE", timedelta(seconds=0.3))
    monkeypatch.setattr(idempotency, "RENEWAL", timedelta(seconds=0.1))
    harness.begin(REQUEST, "acme")
    with pytest.raises(ZeroDivisionError):
        async with harness.leased(REQUEST, "acme"):
            raise ZeroDivisionError
    await asyncio.sleep(0.5)
    assert harness.begin(REQUEST, "acme") == Begun()


def test_a1_what_the_case_wrote_down_is_never_told_twice(harness: Idempotency, database: Database) -> None:
    harness.begin(REQUEST, "acme")
    with database.writing("acme") as session:
        idempotency_keys.mark_taken(session, REQUEST.request_id, datetime.now(UTC))
    assert harness.begin(REQUEST, "acme") == Begun(taken=True)


def test_a1_keys_are_forgotten_after_a_month(harness: Idempotency, database: Database) -> None:
    harness.begin(REQUEST, "acme")
    now = datetime.now(UTC)
    for age, left in (
        (idempotency_keys.KEPT - timedelta(hours=1), 1),
        (idempotency_keys.KEPT + timedelta(hours=1), 0),
    ):
        change(database, first_at=now - age)
        with database.writing() as session:
            idempotency_keys.forget(session, now - idempotency_keys.KEPT)
            assert session.query(RequestRow).count() == left


def test_a2_a_refusal_takes_away_what_it_brought_and_nothing_else(harness: Idempotency, database: Database) -> None:
    """Also what an earlier attempt left, which got no answer: both are one request to the case."""
    other = replace(REQUEST, key="other", note=Note("by another", "agent-8"))
    harness.begin(other, "acme")
    harness.begin(REQUEST, "acme")
    harness.unanswered(REQUEST, "acme")
    harness.begin(REQUEST, "acme")
    assert sorted(kept(database)) == ["by another", "she is ill"]
    harness.refused(REQUEST, "acme")
    assert kept(database) == ["by another"]
    assert harness.begin(REQUEST, "acme") == Begun()


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 201, "a\n"])
def test_a1_a_key_that_is_none(key: str) -> None:
    with pytest.raises(Refused, match="request_id"):
        Request.of(principal="api", invoice_id="inv-1", event="pause", key=key, content={}, note=None)

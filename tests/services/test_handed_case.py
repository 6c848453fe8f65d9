"""A case handed as what changed since the database's copy: the same comes of it as of the whole case, or nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.services.attempt import Attempt
from dunwell.services.failures import OtherCopy, OtherRun
from dunwell.services.recording import Recording
from dunwell.services.request_models import CaseRequest, RecordRequest, StepRequest
from dunwell.services.steps import Steps
from dunwell.store import cases
from dunwell.store.database import Database
from dunwell.store.tables import CaseRow
from tests import backups
from tests.builders import at, sample_deps
from tests.gateways.fakes import FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid

FIRST, SECOND = "2027-03-02 09:00", "2027-03-16 09:00"


def step(harness: ServiceHarness, **facts: Any) -> StepRequest:
    """The second reminder, handed whole."""
    planned = {"step": "second-reminder", "now": at(SECOND), "planned_at": at(SECOND)}
    return StepRequest.whole(harness.case.model_copy(deep=True), written=harness.written, **planned | facts)


def short(harness: ServiceHarness, request: CaseRequest) -> Any:
    """The request as the workflow sends it."""
    assert harness.copy is not None and request.case is not None
    return request.with_changes(harness.copy.changes_to(request.case))


@pytest.fixture
def reminded(harness: ServiceHarness) -> ServiceHarness:
    """One whose first reminder was sent."""
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    return harness


# The same as the whole case ------------------------------------------------------------------------------


def test_a_case_that_did_not_change_is_handed_without_a_fact(reminded: ServiceHarness) -> None:
    reminded.carry_out("second-reminder", SECOND)
    first, second = reminded.handed
    for request in (first, second):
        assert request.case is None
        assert request.changes is not None and request.changes.facts == {}


def test_what_an_event_changed_is_handed_and_nothing_else(reminded: ServiceHarness) -> None:
    reminded.pay("2027-03-03 09:00", "100.00")
    handed = reminded.handed[-1]
    assert handed.case is None
    assert handed.changes is not None
    assert handed.changes.facts["paid"] == "100.00"
    assert not {"rules", "messages", "steps"} & handed.changes.facts.keys()


TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "a part": ("payment_received", {"payment_id": "p1", "amount": "100.00", "currency": "EUR"}),
    "all": ("payment_received", {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}),
    "a promise": ("promise_to_pay", {"date": "2027-03-16", "promised_by": "user"}),
    "a dispute": ("dispute_opened", {"reason": "wrong-quantity", "opened_by": "user"}),
    "a pause": ("pause", {"reason": "holiday", "by": "agent-7"}),
    "a cancellation": ("cancel", {"reason": "wrong", "by": "agent-7"}),
}


@pytest.fixture
def twin(reminded: ServiceHarness, tmp_path: Path) -> Iterator[ServiceHarness]:
    """The same case with a copy of the database."""
    backups.back_up(tmp_path / "dunwell.sqlite", tmp_path / "copy.sqlite")
    backups.put_back(tmp_path / "copy.sqlite", tmp_path / "twin.sqlite")
    database = Database(f"sqlite:///{tmp_path}/twin.sqlite")
    harness = ServiceHarness(sample_deps(database), told=reminded.told, written=reminded.written)
    harness.case = reminded.case.model_copy(deep=True)
    yield harness
    database.close()


@pytest.mark.parametrize(("name", "content"), TOLD.values(), ids=TOLD.keys())
def test_answers_and_database_are_the_same_as_of_the_whole_case(
    reminded: ServiceHarness, twin: ServiceHarness, name: str, content: dict[str, Any]
) -> None:
    """Of an event, and of the step after it."""
    acts: list[Callable[[ServiceHarness], object]] = [
        lambda harness: harness.record(name, "2027-03-03 09:00", **content),
        lambda harness: harness.carry_out("second-reminder", SECOND),
    ]
    for act in acts:
        twin.copy = None
        assert act(reminded) == act(twin)
        assert reminded.handed[-1].case is None
        assert twin.handed[-1].case is not None
        assert stored(reminded) == stored(twin)
        assert reminded.entries() == twin.entries()


# Another copy --------------------------------------------------------------------------------------------


def stored(harness: ServiceHarness) -> Case | None:
    with harness.deps.database.reading() as session:
        return cases.get(session, "inv-1")


def change(harness: ServiceHarness, **columns: Any) -> None:
    with harness.deps.database.writing() as session:
        session.execute(update(CaseRow).values(**columns))


def lose(harness: ServiceHarness) -> None:
    with harness.deps.database.writing() as session:
        session.execute(delete(CaseRow))


def spoil(harness: ServiceHarness) -> None:
    change(harness, state={"invoice_id": "inv-1"})


def pay_beside(harness: ServiceHarness) -> None:
    """As the step waits for a worker, or after a reset: the database has a payment that this case has not."""
    case = harness.case.model_copy(deep=True)
    content = {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}
    case.apply(parse_event("payment_received", [content]), at(FIRST))
    request = RecordRequest.whole(
        case, now=at(FIRST), event="payment_received", content=content, written=harness.written
    )
    Recording(harness.deps).record(request, Attempt(at(FIRST)))


def rest(harness: ServiceHarness) -> None:
    """A fact that is no event: revision, turns and digest of the events stay."""
    case = harness.case.model_copy(deep=True)
    case.outstanding.blocked_why = "another"
    change(harness, state=case.model_dump(mode="json"))


@pytest.mark.parametrize("meanwhile", [lose, spoil, pay_beside, rest])
def test_another_copy_is_refused_before_anything_is_done(
    make_harness: MakeHarness, sendgrid: FakeSendGrid, meanwhile: Callable[[ServiceHarness], None]
) -> None:
    harness = make_harness(email=by_sendgrid(sendgrid))
    harness.open()
    harness.carry_out("first-reminder", FIRST)
    mails = len(sendgrid.mails)
    meanwhile(harness)
    before = harness.entries()
    with pytest.raises(OtherCopy, match="hand it whole"):
        Steps(harness.deps).carry_out(short(harness, step(harness)), Attempt(at(SECOND)))
    assert len(sendgrid.mails) == mails
    assert harness.entries() == before


def test_g1_a_step_that_was_handed_before_the_payment_asks_for_nothing(reminded: ServiceHarness) -> None:
    request = step(reminded)
    pay_beside(reminded)
    answer = Steps(reminded.deps).carry_out(request, Attempt(at(SECOND)))
    assert answer.outcome is not None and answer.outcome.status == "stale"
    assert answer.newer is not None and answer.newer.ended == "paid"
    assert reminded.messages("second-reminder") == []


def test_g13_a_copy_that_is_refused_is_no_lasting_failure_of_the_step(reminded: ServiceHarness) -> None:
    """It would be given up otherwise, on a later attempt."""
    request = short(reminded, step(reminded))
    lose(reminded)
    with pytest.raises(OtherCopy):
        Steps(reminded.deps).carry_out(request, Attempt(at(SECOND), number=9))
    assert reminded.tasks() == []


def test_a_run_of_another_clock_is_refused_first(reminded: ServiceHarness) -> None:
    request = short(reminded, step(reminded, rehearsal=True))
    rest(reminded)
    with pytest.raises(OtherRun):
        Steps(reminded.deps).carry_out(request, Attempt(at(SECOND)))


def test_a_copy_that_could_not_be_kept_is_not_promised(
    reminded: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise LookupError("no room")

    monkeypatch.setattr(cases, "put", fails)
    reminded.attempt = 9
    assert reminded.pay("2027-03-03 09:00", "100.00").copy_digest is None
    assert reminded.copy is None

"""G13: whatever happens and whatever is missing, a running case has an action to come, a person's task, or an end."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from dunwell.domain import next_action
from dunwell.domain.refusal import Refused
from dunwell.services import message_facts
from dunwell.services.attempt import TRIES
from dunwell.store import policies
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.store.tables import CustomerRow, PolicyRow
from tests.builders import an_invoice, at, sample_deps, the_ladders
from tests.services.conftest import ServiceHarness

LIVES = max(int(os.environ.get("LAWS", "300")) // 12, 10)

_DAY = st.integers(0, 20)

_MOVES = st.one_of(
    st.tuples(st.just("act"), st.just(0)),
    st.tuples(st.just("act"), st.just(0)),
    st.tuples(st.sampled_from(["pay", "promise", "plan", "dispute", "resolve", "pause", "resume"]), _DAY),
    st.tuples(st.sampled_from(["amend", "bounce", "reverse", "reverse-part"]), _DAY),
    st.tuples(st.sampled_from(["lose-ladder", "lose-place", "lose-words", "mend"]), st.just(0)),
)


@dataclass
class Life:
    """A case whose activities run one by one, each for the last time it is tried as a whole."""

    harness: ServiceHarness
    now: datetime
    wordless: bool = False
    paid: int = 0
    answers: list[str] = field(default_factory=list)

    def do(self, move: str, days: int) -> None:
        day = (self.now + timedelta(days=days)).date()
        self.now += timedelta(hours=1)
        match move:
            case "act":
                self._act()
            case "lose-ladder":
                self._change(delete(PolicyRow))
            case "lose-place":
                self._change(update(CustomerRow).values(time_zone="Nowhere/Lost"))
            case "lose-words":
                self.wordless = True
            case "mend":
                self._mend()
            case "bounce":
                for row in self.harness.messages()[-1:]:
                    self._tell(
                        "delivery_report", message_id=row.message_id, status="bounced", at=self.now.isoformat()
                    )
            case _:
                self._tell(*self._said(move, day))

    def _said(self, move: str, day: date) -> tuple[str, dict[str, Any]]:
        half = {"amount": str(self.harness.case.open_amount / 2)}
        later = (day + timedelta(days=30)).isoformat()
        self.paid += move == "pay"
        payment = f"p{self.paid}"
        choices: dict[str, tuple[str, dict[str, Any]]] = {
            "pay": ("payment_received", {"payment_id": payment, "amount": "100.00", "currency": "EUR"}),
            "reverse": ("payment_reversed", {"payment_id": payment, "reason": "R01"}),
            "reverse-part": ("payment_reversed", {"payment_id": payment, "reason": "R01", "amount": "30.00"}),
            "promise": ("promise_to_pay", {"date": day.isoformat(), "promised_by": "user"}),
            "plan": (
                "payment_plan_agreed",
                {"instalments": [{"date": day.isoformat()} | half, {"date": later} | half], "by": "agent-7"},
            ),
            "dispute": ("dispute_opened", {"reason": "quality", "opened_by": "user"}),
            "resolve": ("dispute_resolved", {"outcome": "rejected", "by": "agent-7"}),
            "pause": ("pause", {"reason": "audit", "by": "agent-7", "until": day.isoformat()}),
            "resume": ("resume", {"by": "agent-7"}),
            "amend": ("invoice_amended", {"due_on": day.isoformat(), "by": "billing"}),
        }
        return choices[move]

    def _tell(self, name: str, said: dict[str, Any] | None = None, **content: Any) -> None:
        try:
            answer = self.harness.record(name, self._when, **(said or content))
        except Refused:
            return
        self._take_newer_case(answer)

    def _act(self) -> None:
        action = self.harness.case.next_action
        if action is None:
            return
        self.now = max(self.now, action.at)
        if action.step not in next_action.DATES:
            self._take_newer_case(self.harness.carry_out(action.step, self._when))
        else:
            case = self.harness.case
            due: Callable[[datetime], object] = {
                next_action.PROMISE_DUE: case.promise_due,
                next_action.INSTALMENT_DUE: case.instalment_due,
                next_action.PAUSE_OVER: case.pause_over,
                next_action.LOOK_AGAIN: lambda _: [],
            }.get(action.step, case.wait_over)
            due(self.now)
        self.plan()

    def plan(self) -> None:
        request = self.harness.request("pause", self._when, {}, []).model_copy(
            update={"event": None, "content": None}
        )
        self._take_newer_case(self.harness.write(request, self._when))

    def _take_newer_case(self, answer: Any) -> None:
        if answer.newer is not None:
            self.harness.case = answer.newer
        self.harness.case.next_action = answer.next_action

    def _change(self, statement: Any) -> None:
        with self.harness.deps.database.writing() as session:
            session.execute(statement)
        self.harness.deps = replace(self.harness.deps, _policies={})

    def _mend(self) -> None:
        self.wordless = False
        self._change(update(CustomerRow).values(time_zone="Europe/Berlin"))
        with self.harness.deps.database.writing() as session:
            policies.register(session, the_ladders()["gentle-saas"])

    @property
    def _when(self) -> str:
        return f"{self.now:%Y-%m-%d %H:%M}"

    def law(self, move: str) -> None:
        case = self.harness.case
        stands = case.next_action is None and not self.harness.tasks() and not case.ended
        assert not stands, f"G13: after {move} nothing is to come, nobody is asked, and the case is {case.stage}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("standing") / "empty.sqlite"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    return file


@contextmanager
def begun(template: Path) -> Iterator[Life]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        database = Database(f"sqlite:///{shutil.copy(template, folder)}")
        harness = ServiceHarness(sample_deps(database))
        harness.open(an_invoice())
        harness.attempt = TRIES
        life, gather = Life(harness, at("2027-03-02 09:00")), message_facts.gather

        def gather_if_there(*given: Any, **named: Any) -> Any:
            if life.wordless:
                raise KeyError("a fact is missing")
            return gather(*given, **named)

        patch.setattr(message_facts, "gather", gather_if_there)
        yield life
        database.close()


@settings(max_examples=LIVES, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(_MOVES, min_size=1, max_size=14))
def test_t3_a_case_never_stands_still_unseen_and_no_activity_fails_for_want_of_a_fact(
    template: Path, moves: list[tuple[str, int]]
) -> None:
    with begun(template) as life:
        for move, days in moves:
            life.do(move, days)
            life.law(move)
        life.do("mend", 0)
        for _ in range(3):
            life.do("act", 0)
            life.law("mend")


def test_t3_the_law_notices_a_case_that_stands_still(template: Path) -> None:
    with begun(template) as life:
        life.harness.case.next_action = None
        with pytest.raises(AssertionError, match="G13"):
            life.law("nothing")

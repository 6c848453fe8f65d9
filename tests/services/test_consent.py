"""Steps that wait for our manager's yes, and messages that a customer gets only once."""

import pytest

from dunwell.domain.events import parse_event
from dunwell.domain.refusal import Refused
from dunwell.store.database import Database
from tests.builders import a_ladder, an_invoice, sample_deps
from tests.services.conftest import ServiceHarness

LADDER = a_ladder("""
name = "asking"
version = 1

[[step]]
id = "welcome"
when = "issued + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "welcome-memo"
once = "customer"

[[step]]
id = "first"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"

[[step]]
id = "second"
when = "first + 7 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "final-warning"
announces = ["restrict"]

[[step]]
id = "restrict"
when = "second + 4 business days at 10:00"
needs = "2 delivered warnings, 3 days apart"
access = "restricted"
to = ["accounts_payable"]
by = ["email"]
message = "restricted"
approval = true
late = "shift"

[[step]]
id = "last"
when = "restrict + 7 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-second"

[[step]]
id = "let-go"
when = "last + 30 days at 10:00"
ends = "written_off"
late = "shift"
""")
OPENED, WELCOME = "2027-02-01 12:00", "2027-02-02 09:00"
FIRST, SECOND, RESTRICT, NEXT_DAY = "2027-03-02 09:00", "2027-03-09 09:00", "2027-03-15 09:00", "2027-03-16 10:00"
TASK = "inv-1.restrict.approve"


@pytest.fixture
def asking(harness: ServiceHarness) -> ServiceHarness:
    """The restriction's turn has come, and our manager is asked."""
    harness.open(ladder=LADDER)
    for step, when in (("welcome", FIRST), ("first", FIRST), ("second", SECOND), ("restrict", RESTRICT)):
        harness.carry_out(step, when)
    return harness


def decide(harness: ServiceHarness, outcome: str, when: str = NEXT_DAY, task: str = TASK) -> str:
    """What comes next once that was recorded, and when."""
    coming = harness.record("call_outcome", when, task_id=task, outcome=outcome, by="head-of-sales").next_action
    return f"{coming.step} {coming.at:%Y-%m-%d %H:%M}" if coming else "nothing"


def test_the_step_waits_and_a_task_asks(asking: ServiceHarness) -> None:
    assert [(task.task_id, task.kind) for task in asking.tasks()] == [(TASK, "approval")]
    assert asking.access() == "full" and not asking.messages("restrict")
    (blocked,) = asking.entries("blocked")
    assert blocked.reason.startswith(f"restricted waits for our manager's yes (task {TASK}) (until 2027-04-12")


def test_it_asks_once_however_often_the_step_is_looked_at(asking: ServiceHarness) -> None:
    asking.carry_out("restrict", "2027-03-22 09:00")
    assert len(asking.entries("task")) == 1 and len(asking.tasks()) == 1


def test_a_yes_lets_it_happen(asking: ServiceHarness) -> None:
    assert decide(asking, "approved") == f"restrict {NEXT_DAY}"  # at its next open hour
    answer = asking.carry_out("restrict", NEXT_DAY)
    assert answer.outcome is not None and answer.outcome.status == "done"
    assert asking.access() == "restricted" and not asking.tasks()
    assert "restrict: yes, by head-of-sales" in [entry.reason for entry in asking.entries("approved")]


def test_a_no_leaves_it_out_and_the_ladder_goes_on(asking: ServiceHarness) -> None:
    assert decide(asking, "declined") == "last 2027-03-23 09:00"
    assert asking.access() == "full" and not asking.tasks()
    assert [entry.reason for entry in asking.entries("declined")] == [
        "restrict: declined by head-of-sales; left out, the ladder goes on"
    ]


def test_a_yes_is_no_proof(asking: ServiceHarness) -> None:
    """G2 is judged when the step happens: a warning that came back meanwhile blocks it."""
    decide(asking, "approved")
    asking.report(asking.messages("second")[0], "bounced", NEXT_DAY)
    answer = asking.carry_out("restrict", NEXT_DAY)
    assert answer.outcome is not None and answer.outcome.status == "blocked"
    assert asking.access() == "full"


@pytest.mark.parametrize(
    ("outcome", "task", "field"),
    [
        pytest.param("approved", "inv-1.first.approve", "task_id", id="nobody asked about that step"),
        pytest.param("declined", "inv-1.restrict.proof", "task_id", id="another task"),
        pytest.param("reached", TASK, "outcome", id="a call's outcome is no decision"),
    ],
)
def test_what_is_no_decision_is_refused(asking: ServiceHarness, outcome: str, task: str, field: str) -> None:
    event = parse_event("call_outcome", [{"task_id": task, "outcome": outcome, "by": "agent"}])
    before = asking.case.model_dump()
    with pytest.raises(Refused) as refused:
        asking.case.apply(event, asking.case.progress.steps[-1].at)
    assert refused.value.field == field and asking.case.model_dump() == before


def test_nobody_has_to_decide_about_a_paid_invoice(asking: ServiceHarness) -> None:
    asking.pay(NEXT_DAY)
    assert not asking.tasks()
    with pytest.raises(Refused, match="has ended"):
        decide(asking, "approved")


def test_after_a_reversal_the_question_is_asked_anew(asking: ServiceHarness) -> None:
    decide(asking, "approved")
    asking.carry_out("restrict", NEXT_DAY)
    asking.pay("2027-03-17 09:00")
    asking.record("payment_reversed", "2027-03-18 09:00", payment_id="p1", reason="returned")
    asking.carry_out("second", "2027-03-18 09:30")
    asking.carry_out("restrict", "2027-03-24 09:30")
    assert [task.task_id for task in asking.tasks()] == ["inv-1.restrict.approve1"]
    assert asking.access() == "full"
    decide(asking, "approved", "2027-03-25 10:00", "inv-1.restrict.approve1")
    asking.carry_out("restrict", "2027-03-25 10:00")
    assert asking.access() == "restricted"


def test_what_the_ladder_writes_off_holds_nothing_any_more(asking: ServiceHarness) -> None:
    """G7: the case ends in a step of its ladder, and no event comes after it."""
    decide(asking, "approved")
    asking.carry_out("restrict", NEXT_DAY)
    asking.carry_out("last", "2027-03-23 09:00")
    asking.carry_out("let-go", "2027-04-22 09:00")
    assert (asking.case.stage.value, asking.access()) == ("written_off", "full")


def test_a_customer_is_welcomed_once(file_database: Database) -> None:
    one, two = ServiceHarness(sample_deps(file_database)), ServiceHarness(sample_deps(file_database))
    one.open(ladder=LADDER)
    assert one.carry_out("welcome", WELCOME).outcome.status == "done"  # type: ignore[union-attr]
    two.open(an_invoice(invoice_id="inv-2", number="2027-002"), ladder=LADDER)
    assert two.carry_out("welcome", "2027-02-03 09:00").outcome.status == "skipped"  # type: ignore[union-attr]
    assert not two.messages()
    assert [entry.reason for entry in two.entries("skipped")] == ["this customer was told on 2027-02-02 already"]
    assert one.carry_out("welcome", WELCOME).outcome.status == "stale"  # type: ignore[union-attr]


def test_a_welcome_that_came_back_was_none(file_database: Database) -> None:
    one, two = ServiceHarness(sample_deps(file_database)), ServiceHarness(sample_deps(file_database))
    one.open(ladder=LADDER)
    one.carry_out("welcome", WELCOME)
    one.report(one.messages()[0], "bounced", "2027-02-02 11:00")
    two.open(an_invoice(invoice_id="inv-2", number="2027-002"), ladder=LADDER)
    assert two.carry_out("welcome", "2027-02-03 09:00").outcome.status == "done"  # type: ignore[union-attr]

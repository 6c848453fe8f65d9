"""What a call, visit or meeting leads to: the next task, a closed number, a rest, a deadline, a manager."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dunwell.client.customers import Customers
from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import NO_CALLS
from dunwell.domain.contact import Contact
from dunwell.domain.links import LinkKind
from dunwell.domain.next_action import PAYMENT_WAIT_OVER, WRITTEN_PROMISE_DUE
from dunwell.domain.payment_reference import grouped, reference_for
from dunwell.domain.principals import SYSTEM
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import MessageState, ProviderCall, Role, TaskKind
from dunwell.services.links import Links
from dunwell.services.task_escalation import escalate
from dunwell.store import addresses, outbox, tasks
from dunwell.store import links as link_store
from dunwell.store.tables import MessageRow, TaskRow
from dunwell.views.facts import Facts
from dunwell.views.task_queue import queued_tasks
from dunwell.views.work_list import before_due, open_work
from tests.builders import a_contact, an_invoice, at, the_ladders
from tests.services.conftest import MakeHarness, ServiceHarness
from tests.services.test_steps import with_contacts

AP, MANAGER = Role.ACCOUNTS_PAYABLE, Role.MANAGER
CALLED = "2027-03-03 10:00"  # the promise call of gradual-pressure: Wednesday 11:00 in Berlin
TASK = "inv-1.promise-call.accounts_payable"
PHONE = "+34600123456"


def called(harness: ServiceHarness, *contacts: Contact) -> ServiceHarness:
    """A case that has had its letter and now a call; by the ladder with a rest of one day after a conversation."""
    people = contacts or (a_contact(AP, phone=PHONE), a_contact(MANAGER))
    harness.open(with_contacts(*people, policy="gradual-pressure"))
    for step, when in (("early-call", "2027-02-24 09:00"), ("due-call", "2027-03-01 11:00")):
        harness.carry_out(step, when)
    harness.carry_out("letter", "2027-03-02 09:00")
    harness.carry_out("promise-call", CALLED)
    return harness


def tell(harness: ServiceHarness, outcome: str, when: str, task: str = TASK, **facts: Any) -> str:
    """What came of the call, and what the case waits for then: "step at day hour"."""
    answer = harness.record("call_outcome", when, task_id=task, outcome=outcome, by="agent-7", **facts)
    if answer.next_action is None:
        return "nothing"
    return f"{answer.next_action.step} {answer.next_action.at:%m-%d %H:%M}"


def still_to_do(harness: ServiceHarness) -> list[str]:
    return [f"{task.task_id.partition('.')[2]} {task.due_at:%m-%d %H:%M}" for task in harness.tasks()]


LADDER = "demand-call 03-04 10:00"  # what comes next if the call changes nothing


@pytest.mark.parametrize(
    ("outcome", "facts", "next_step", "left"),
    [
        pytest.param("reached", {}, LADDER, [], id="reached: noted"),
        # two business days for the money, to the end of Friday
        pytest.param("paid", {}, f"{PAYMENT_WAIT_OVER} 03-05 23:00", [], id="paid: chasing waits"),
        pytest.param(
            "written_promise_owed", {}, f"{WRITTEN_PROMISE_DUE} 03-04 23:00", [], id="a date in writing is owed"
        ),
        pytest.param(
            "promise", {"promise": {"date": "2027-03-08"}}, "promise-confirmed~1 03-03 10:30", [], id="promise"
        ),
        pytest.param(
            "dispute",
            {"reason_code": "quality"},
            "dispute-received~1 03-03 10:30",
            ["dispute.202703031030 03-17 08:00"],  # whoever looks after it, by the ladder's days
            id="dispute",
        ),
        # two hours later, as this ladder has it
        pytest.param(
            "no_answer", {}, LADDER, ["promise-call.accounts_payable~2 03-03 12:30"], id="no answer: tried again"
        ),
        # a gap of a day after the call, and no longer
        pytest.param("refused", {"reason_code": "never"}, LADDER, [], id="refused: the next step in a hurry"),
        # the ladder goes on in writing, and the number is closed for calls
        pytest.param("no_calls", {}, LADDER, [], id="they want no more calls"),
        # at once: another channel or contact
        pytest.param("wrong_number", {}, "promise-call 03-03 10:30", [], id="wrong number: reaches further"),
        pytest.param(
            "call_back",
            {"call_back_at": "2027-03-05T14:00:00+01:00"},
            LADDER,
            ["promise-call.accounts_payable~2 03-05 13:00"],
            id="called back when they like",
        ),
        # 20:30 in Berlin on Friday is closed: Monday at nine
        pytest.param(
            "call_back",
            {"call_back_at": "2027-03-05T20:30:00+01:00"},
            LADDER,
            ["promise-call.accounts_payable~2 03-08 08:00"],
            id="called back inside the window",
        ),
        pytest.param(
            "call_back", {}, LADDER, ["promise-call.accounts_payable~2 03-03 12:30"], id="called back, no hour said"
        ),
    ],
)
def test_what_an_outcome_leads_to(
    harness: ServiceHarness, outcome: str, facts: dict[str, Any], next_step: str, left: list[str]
) -> None:
    called(harness)
    assert tell(harness, outcome, "2027-03-03 10:30", **facts) == next_step
    assert still_to_do(harness) == left


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"outcome": "call_back", "call_back_at": "2027-03-03T10:29:00Z"}, "lies in the past"),
        ({"outcome": "call_back", "call_back_at": "2027-03-18T10:00:00Z"}, "at most 14 days"),
        ({"outcome": "reached", "call_back_at": "2027-03-04T10:00:00Z"}, "only goes with the outcome call_back"),
    ],
    ids=["past", "too far", "not asked for"],
)
def test_a_call_back_that_cannot_be_meant_is_refused(
    harness: ServiceHarness, facts: dict[str, Any], reason: str
) -> None:
    called(harness)
    with pytest.raises(Refused, match=reason):
        tell(harness, when="2027-03-03 10:30", **facts)
    assert [task.task_id for task in harness.tasks()] == [TASK]


def test_nobody_answers_three_times_and_the_ladder_goes_on(harness: ServiceHarness) -> None:
    called(harness)
    assert tell(harness, "no_answer", "2027-03-03 10:10") == LADDER
    assert tell(harness, "no_answer", "2027-03-03 12:20", f"{TASK}~2") == LADDER
    assert tell(harness, "no_answer", "2027-03-03 14:30", f"{TASK}~3") == LADDER
    assert harness.tasks() == []
    said = [entry.reason for entry in harness.entries("call")]
    assert "nobody answered in 3 calls for promise-call; the ladder goes on" in said


def test_the_next_step_ends_the_tries_of_the_one_before(harness: ServiceHarness) -> None:
    called(harness)
    tell(harness, "no_answer", "2027-03-03 15:00")
    assert still_to_do(harness) == ["promise-call.accounts_payable~2 03-04 08:00"]
    harness.carry_out("demand-call", "2027-03-04 10:00")
    assert [task.step for task in harness.tasks()] == ["demand-call", "demand-call"]


def test_the_same_outcome_heard_twice_leads_to_one_more_call(harness: ServiceHarness) -> None:
    called(harness)
    for _ in range(2):
        tell(harness, "no_answer", "2027-03-03 10:30")
    assert len(harness.tasks()) == 1
    tell(harness, "reached", "2027-03-03 10:40")  # and another one for a task that is done is noted only
    assert "this task was done before" in harness.entries("task")[-1].reason


def test_a_wrong_number_is_called_and_written_to_no_more(harness: ServiceHarness) -> None:
    called(harness)
    tell(harness, "wrong_number", "2027-03-03 10:30")
    harness.carry_out("promise-call", "2027-03-03 10:30")
    assert [task.contact_id for task in harness.tasks()] == ["acme.manager.1"]
    with harness.deps.database.reading() as session:
        for channel in (Channel.CALL, Channel.SMS):
            assert addresses.why_closed(session, channel, PHONE) == "is a wrong number"
    harness.carry_out("demand-call", "2027-03-04 10:00")
    assert {task.contact_id for task in harness.tasks()} == {"acme.manager.1"}


@pytest.mark.parametrize(("channel", "why"), [(Channel.SMS, "wrong number"), (Channel.EMAIL, None)])
def test_a_wrong_number_ends_the_links_that_went_there(
    harness: ServiceHarness, channel: Channel, why: str | None
) -> None:
    called(harness)
    contact_id, now = "acme.accounts_payable.1", at("2027-03-02 10:00")
    sent = MessageRow(
        message_id="m1",
        customer_id="acme",
        step="first",
        message="reminder-first",
        channel=channel,
        contact_id=contact_id,
        address=PHONE,
        subject="",
        body="",
        asks=True,
        amount=Decimal(0),
        state=MessageState.DELIVERED,
        call=ProviderCall.ANSWERED,
        planned_at=now,
        claimed_at=now,
    )
    with harness.deps.database.writing() as session:
        outbox.add(session, sent)
        links = Links("https://due.example", ["the secret of our customers' links"])
        links.issue(session, LinkKind.PAGE, "acme", now, contact_id=contact_id, message_id="m1")
    tell(harness, "wrong_number", "2027-03-03 10:30")
    with harness.deps.database.reading() as session:
        (row,) = link_store.of_customer(session, "acme", contact_id)
    assert row.revoked_why == why


def test_a_wrong_number_of_the_last_one_asks_a_person(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP, phone=PHONE))
    tell(harness, "wrong_number", "2027-03-03 10:30")
    harness.carry_out("promise-call", "2027-03-03 10:30")
    (task,) = harness.tasks()
    assert (task.kind, task.contact_id) == ("call", "acme.accounts_payable.1")
    assert "promise-call is a call, and nobody of theirs has a number that may be called: find one" in task.reason
    (shown,) = listed(harness)
    assert shown["to_do"].startswith("Do not call: the number on file is a wrong number. Find another way")


def listed(harness: ServiceHarness) -> list[Facts]:
    """The calls as the work list shows them."""
    with harness.deps.database.reading() as session:
        return open_work(session, "inv-1", "call")


# Nobody can be called, or wants to be ---------------------------------------------------------------------


def test_whoever_has_no_number_is_looked_for_and_not_called(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP))
    (shown,) = listed(harness)
    assert (shown["to_find"], shown["script"], shown["agent_script"]) == ("phone", "", None)
    assert shown["to_do"].startswith("No phone number of theirs is known.")
    assert shown["outcome_command"] == "starter.py contact set acme.accounts_payable.1 --phone NUMBER"
    with harness.deps.database.reading() as session:
        (queued,) = queued_tasks(session, at(CALLED), TaskKind.CALL)
    assert queued.to_find


def test_a_number_that_was_found_makes_it_a_call(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP))
    Customers(harness.deps, SYSTEM).set_contact("acme.accounts_payable.1", {"phone": PHONE}, "agent-7")
    (shown,) = listed(harness)
    assert (shown["to_find"], shown["to_do"], shown["phone"]) == (None, None, PHONE)
    assert shown["script"] and "call-outcome" in shown["outcome_command"]
    with harness.deps.database.reading() as session:
        (queued,) = queued_tasks(session, at(CALLED), TaskKind.CALL)
    assert not queued.to_find


def test_whoever_wants_no_more_calls_is_not_called_and_still_written_to(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP, phone=PHONE), a_contact(MANAGER, phone="+34600123457"))
    tell(harness, "no_calls", "2027-03-03 10:30")
    with harness.deps.database.reading() as session:
        assert addresses.why_closed(session, Channel.CALL, PHONE) == NO_CALLS
        assert addresses.why_closed(session, Channel.SMS, PHONE) is None
    assert [one.change.reason for one in harness.case.contact_changes] == [NO_CALLS]
    harness.carry_out("demand-call", "2027-03-04 10:00")
    assert {task.contact_id for task in harness.tasks()} == {"acme.manager.1"}


def test_where_nobody_wants_calls_the_ladder_goes_on_in_writing(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP, phone=PHONE))
    tell(harness, "no_calls", "2027-03-03 10:30")
    harness.carry_out("demand-call", "2027-03-04 10:00")
    assert harness.tasks() == []
    said = [one.reason for one in harness.entries("withheld") if one.step == "demand-call"][-1]
    assert said == "demand-call is a call, and they want no more calls: the ladder goes on in writing"


def test_another_call_to_whoever_wants_no_more_goes_to_somebody_else(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP, phone=PHONE), a_contact(MANAGER, phone="+34600123457"))
    tell(harness, "call_back", "2027-03-03 10:10", call_back_at="2027-03-05T14:00:00+01:00")
    (requested,) = harness.tasks()
    harness.carry_out("demand-call", "2027-03-04 10:00")
    open_before = {task.contact_id for task in harness.tasks()}
    tell(harness, "no_calls", "2027-03-05 13:05", task=requested.task_id)
    assert open_before >= {"acme.accounts_payable.1"}
    assert "acme.accounts_payable.1" not in {task.contact_id for task in harness.tasks()}


def test_what_they_say_of_calls_is_written_down_without_a_call_as_well(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP, phone=PHONE))
    customers, contact_id = Customers(harness.deps, SYSTEM), "acme.accounts_payable.1"
    assert customers.stop_calls(contact_id, "agent-7").said == (f"{contact_id} is not called any more",)
    assert customers.stop_calls(contact_id, "agent-7").said == (f"{contact_id} had asked for no more calls before",)
    assert "wants no more calls" in customers.open_contact(contact_id, "agent-7").said[0]  # as STOP stays STOP
    with harness.deps.database.reading() as session:
        assert addresses.why_closed(session, Channel.CALL, PHONE) == NO_CALLS
    assert customers.allow_calls(contact_id, "agent-7").said == (f"{contact_id} may be called again",)
    assert customers.allow_calls(contact_id, "agent-7").said == (f"{contact_id} never asked for no more calls",)
    with harness.deps.database.reading() as session:
        assert addresses.why_closed(session, Channel.CALL, PHONE) is None


def test_of_somebody_without_a_number_calls_cannot_be_ended(harness: ServiceHarness) -> None:
    called(harness, a_contact(AP))
    with pytest.raises(Refused, match="has no phone number"):
        Customers(harness.deps, SYSTEM).stop_calls("acme.accounts_payable.1", "agent-7")


# Promised things that do not come ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "step"),
    [
        ("promise_to_pay", {"date": "2027-03-08", "promised_by": "user"}, "promise-confirmed~1"),
        ("payment_received", {"payment_id": "p1", "amount": "300.00", "currency": "EUR"}, "part-received~1"),
        ("payment_received", {"payment_id": "p1", "amount": "1200.00", "currency": "EUR"}, "thank-you~1"),
        ("dispute_opened", {"reason": "price", "opened_by": "user"}, "dispute-received~1"),
    ],
    ids=["a promise", "a part", "all of it", "a dispute"],
)
@pytest.mark.parametrize("outcome", ["written_promise_owed", "paid"])
def test_what_was_awaited_comes(
    harness: ServiceHarness, outcome: str, name: str, content: dict[str, Any], step: str
) -> None:
    called(harness)
    tell(harness, outcome, "2027-03-03 10:30")
    answer = harness.record(name, "2027-03-04 09:00", **content)
    assert (answer.next_action and answer.next_action.step) == step
    assert harness.case.agreements.awaited is None


def test_they_say_paid_a_third_time_and_nobody_waits(harness: ServiceHarness) -> None:
    called(harness)
    for number, when in ((1, "2027-03-03 10:30"), (2, "2027-03-08 10:30")):
        assert PAYMENT_WAIT_OVER in tell(harness, "paid", when)
        missing = harness.case.wait_over(at(when) + timedelta(days=3))
        assert [said.kind for said in missing] == ["payment_missing"], number
    assert PAYMENT_WAIT_OVER not in tell(harness, "paid", "2027-03-15 10:30")


def test_a_refusal_before_the_due_date_hurries_nothing_that_speaks_of_it(harness: ServiceHarness) -> None:
    harness.open(with_contacts(a_contact(AP, phone=PHONE), policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    assert tell(harness, "refused", "2027-02-24 09:10", "inv-1.early-call.accounts_payable") == "due-call 03-01 11:00"
    said = next(one.reason for one in harness.entries("hurried"))
    assert (
        said
        == "they refuse: up to the due date, 2027-03-01, every step keeps its day; the one after it comes at once"
    )


def test_a_refusal_before_the_due_date_hurries_the_first_step_after_it(harness: ServiceHarness) -> None:
    harness.open(with_contacts(a_contact(AP, phone=PHONE), policy="b2b-net30"))
    tell(harness, "refused", "2027-02-20 13:00", "inv-1.some-call")
    harness.carry_out("welcome", "2027-02-22 09:00")
    answer = harness.carry_out("before-due", "2027-02-23 09:00")  # both speak of a due date to come
    assert answer.next_action is not None
    planned = f"{answer.next_action.step} {answer.next_action.at:%m-%d %H:%M}"
    assert (planned, answer.next_action.why) == ("first-reminder 03-02 08:00", "at once, because they refused to pay")
    harness.carry_out("first-reminder", "2027-03-02 08:00")
    assert not harness.case.progress.hurry


def test_a_call_before_the_due_date_reminds_and_asks_for_nothing_yet(harness: ServiceHarness) -> None:
    harness.open(with_contacts(a_contact(AP, phone=PHONE), policy="gradual-pressure"))
    harness.carry_out("early-call", "2027-02-24 09:00")
    (task,) = listed(harness)
    days = ("2027-02-24 09:00", "2027-03-01 22:59", "2027-03-01 23:01")  # in Berlin the next day begins then
    assert [before_due(task, at(day)) for day in days] == [True, True, False]


def test_a_refusal_brings_no_consequence_sooner(harness: ServiceHarness) -> None:
    called(harness)
    harness.carry_out("demand-call", "2027-03-04 10:00")
    assert tell(harness, "refused", "2027-03-04 10:05", "inv-1.demand-call.manager") == "complaint 03-05 10:00"
    harness.carry_out("complaint", "2027-03-05 10:00")
    hand_over = "hand-over 03-19 09:00"  # ten business days after the complaint that announced it
    assert tell(harness, "refused", "2027-03-05 10:05", "inv-1.demand-call.accounts_payable") == hand_over


# How often ------------------------------------------------------------------------------------------------


def with_rest(harness: ServiceHarness, days: int, **changes: Any) -> None:
    """The ladder of this case, with another rest after a conversation."""
    policy = the_ladders()["gradual-pressure"]
    rules = policy.calls.model_copy(update={"rest_after_conversation_days": days})
    changed = policy.model_copy(update={"calls": rules} | changes)
    harness.deps._policies[harness.case.policy] = changed


@pytest.mark.parametrize(
    ("outcome", "days", "status", "until"),
    [
        pytest.param("reached", 7, "delayed", "2027-03-10 10:30", id="a week after a conversation"),
        pytest.param("refused", 7, "delayed", "2027-03-10 10:30", id="a refusal is one, too"),
        pytest.param("reached", 0, "done", None, id="no rest on this ladder"),
        pytest.param("no_answer", 7, "done", None, id="nobody was talked with"),
        pytest.param("wrong_number", 7, "done", None, id="somebody else was"),
    ],
)
def test_the_rest_after_a_conversation(
    harness: ServiceHarness, outcome: str, days: int, status: str, until: str | None
) -> None:
    called(harness)
    with_rest(harness, days)
    tell(harness, outcome, "2027-03-03 10:30")
    answer = harness.carry_out("demand-call", "2027-03-04 11:30")
    assert answer.outcome is not None
    assert (answer.outcome.status, answer.outcome.until) == (status, at(until) if until else None)


def test_what_they_asked_for_needs_no_rest(harness: ServiceHarness) -> None:
    called(harness)
    with_rest(harness, 7)
    tell(harness, "call_back", "2027-03-03 10:30", call_back_at="2027-03-04T09:00:00Z")
    assert still_to_do(harness) == ["promise-call.accounts_payable~2 03-04 09:00"]
    harness.record("promise_to_pay", "2027-03-03 11:00", date="2027-03-08", promised_by="user")
    assert len(harness.tasks()) == 1  # nobody takes back the hour that was agreed
    harness.pay("2027-03-04 08:00")
    assert harness.tasks() == []


def test_a_try_too_many_in_a_week_waits_for_the_week_to_pass(harness: ServiceHarness) -> None:
    called(harness)
    with_rest(harness, 0, calls_per_week=1)  # this call; those that were replaced were not made
    tell(harness, "no_answer", "2027-03-03 10:30")
    assert still_to_do(harness) == ["promise-call.accounts_payable~2 03-10 10:00"]


# What to say ----------------------------------------------------------------------------------------------


def test_a_script_in_the_debtors_language_and_in_ours(make_harness: MakeHarness) -> None:
    harness = make_harness()
    spanish = with_contacts(a_contact(AP), policy="gradual-pressure")
    harness.open(spanish.model_copy(update={"customer": spanish.customer.model_copy(update={"language": "es"})}))
    harness.carry_out("early-call", "2027-02-24 09:00")
    (task,) = harness.tasks()
    assert task.agent_script is not None
    assert ("Buenos" in task.script or "Buenas" in task.script, "Good day" in task.agent_script) == (True, True)
    assert (task.amount, task.currency) == (Decimal("1200.00"), "EUR")


def test_one_script_where_both_speak_the_same(harness: ServiceHarness) -> None:
    assert called(harness).tasks()[0].agent_script is None


def test_a_script_never_asks_for_what_came_in(harness: ServiceHarness) -> None:
    called(harness)
    harness.pay("2027-03-03 10:20", "200.00")
    (task,) = harness.tasks()
    assert task.amount == Decimal("1000.00")
    assert "1,000.00" in task.script


def test_a_call_asks_what_the_trade_asks_and_knows_the_answers(harness: ServiceHarness) -> None:
    script = called(harness).tasks()[0].script
    facts = ("2027-001", "1,200.00", "Accounts_Payable Person", "March 1, 2027")
    for said in (*facts, "What is the reason", "on which day, which amount", "in writing"):
        assert said in script, said
    answers = script.split("IF THEY SAY")[1].split("CLOSE")[0]
    assert answers.count("\n- ") >= 11


def test_a_script_names_the_reference_that_the_messages_ask_for(harness: ServiceHarness) -> None:
    script = called(harness).tasks()[0].script
    assert f"reference {grouped(reference_for(['inv-1']))}" in script


@pytest.mark.parametrize("kind", [Channel.VISIT, Channel.MEETING])
def test_visits_and_meetings_are_tasks_of_their_own(harness: ServiceHarness, kind: Channel) -> None:
    harness.open(with_contacts(a_contact(AP), policy="gradual-pressure"))
    policy = the_ladders()["gradual-pressure"]
    steps = (policy.steps[0].model_copy(update={"by": (kind,)}), *policy.steps[1:])
    harness.deps._policies[harness.case.policy] = policy.model_copy(update={"steps": steps})
    harness.carry_out("early-call", "2027-02-24 09:00")
    (task,) = harness.tasks()
    assert (task.kind, task.task_id) == (kind.value, f"inv-1.early-call.accounts_payable.{kind.value}")
    assert task.script
    assert harness.messages() == []


def test_a_call_that_money_made_needless_is_not_asked_for(harness: ServiceHarness) -> None:
    case = harness.open(with_contacts(a_contact(AP), policy="gradual-pressure")).model_copy(deep=True)
    harness.carry_out("early-call", "2027-02-24 09:00")
    before = harness.case.model_copy(deep=True)
    harness.pay("2027-03-01 10:59")
    harness.carry_out("due-call", "2027-03-01 11:00", before)
    assert case.money.paid == 0
    assert harness.tasks() == []


# Late ones ------------------------------------------------------------------------------------------------


def watch(harness: ServiceHarness, when: str) -> None:
    escalate(harness.deps, harness.attempt_at(when))


@pytest.mark.parametrize(
    ("when", "escalated"),
    [
        ("2027-03-03 13:59", False),  # not yet four open hours
        ("2027-03-03 14:01", True),
    ],
)
def test_a_late_call_goes_to_a_manager(harness: ServiceHarness, when: str, escalated: bool) -> None:
    called(harness)
    watch(harness, when)
    watch(harness, when)
    assert [task.escalated_at for task in harness.tasks()] == [at(when) if escalated else None]
    said = [entry.reason for entry in harness.entries("escalated")]
    assert said == (
        ["escalated: call acme.accounts_payable.1 for promise-call, due 2027-03-03 10:00 UTC, is 4 open hours late"]
        if escalated
        else []
    )


def test_nights_and_weekends_are_no_lateness(harness: ServiceHarness) -> None:
    called(harness)
    tell(harness, "call_back", "2027-03-03 10:30", call_back_at="2027-03-05T15:00:00Z")
    watch(harness, "2027-03-08 10:59")  # one hour on Friday before closing, three on Monday
    assert harness.tasks()[0].escalated_at is None
    watch(harness, "2027-03-08 11:01")
    assert harness.tasks()[0].escalated_at is not None


def test_a_rehearsal_has_no_manager_to_tell(harness: ServiceHarness) -> None:
    harness.open(an_invoice(policy="gradual-pressure"), rehearsal=True)
    harness.carry_out("early-call", "2027-02-24 09:00", rehearsal=True)
    watch(harness, "2027-02-26 09:00")
    assert [task.escalated_at for task in harness.tasks()] == [None]


def test_the_store_knows_the_last_conversation_of_a_contact(harness: ServiceHarness) -> None:
    called(harness)
    tell(harness, "reached", "2027-03-03 10:30")
    with harness.deps.database.reading() as session:
        row = session.get(TaskRow, TASK)
        assert row is not None
        assert (row.result, row.state) == ("reached", "done")
        found = tasks.last_conversation(
            session, ["acme.accounts_payable.1"], at("2027-03-01 00:00"), at("2027-04-01 00:00")
        )
    assert found == at("2027-03-03 10:30")

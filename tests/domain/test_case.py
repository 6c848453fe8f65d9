"""What each event makes of a case, in every stage; and the laws no sequence of events may break."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.plausibility import admit
from dunwell.domain.policy import GraceRules, PolicyRef, PromiseRules, Reactions, Rules
from dunwell.domain.promises import last_day
from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import Access, Level, Stage
from tests.builders import at
from tests.domain import stages

NOW = at("2027-03-10 09:00")
REACTIONS = Reactions(
    paid="thank-you",
    part_paid="part-received",
    promise_made="promise-confirmed",
    promise_broken="promise-broken",
    dispute_opened="dispute-received",
    dispute_closed="dispute-closed",
    plan_agreed="plan-agreed",
    instalment_missed="instalment-missed",
    restored="restored",
    grace_granted="grace-confirmed",
)


def a_case(**changes: Any) -> Case:
    facts: dict[str, Any] = {
        "invoice_id": "inv-1",
        "customer_id": "acme",
        "policy": PolicyRef(name="gentle-saas", version=1),
        "rules": Rules(
            promises=PromiseRules(limit=2, max_days=14, grace_days=1),
            reactions=REACTIONS,
            grace=GraceRules(days=3, times=1),
        ),
        "currency": "EUR",
        "digits": 2,
        "issued_on": date(2027, 2, 1),
        "due_on": date(2027, 3, 1),
        "amount": Decimal("1200.00"),
    }
    return Case(**facts | changes)


def tell(case: Case, name: str, /, *, days: int = 0, **content: Any) -> list[str]:
    """Apply an event `days` after NOW; the kinds of the decisions."""
    return [said.kind for said in case.apply(parse_event(name, [content]), NOW + timedelta(days=days))]


def pay(case: Case, amount: str, payment_id: str = "p1", *, days: int = 0) -> list[str]:
    return tell(case, "payment_received", days=days, payment_id=payment_id, amount=amount, currency="EUR")


def done(case: Case, step: str, **facts: Any) -> None:
    case.take(StepOutcome(step=step, status="done", at=NOW, **facts))


def answered(case: Case) -> list[str]:
    """The message keys of the answers owed, without their numbers."""
    return [owed.partition("~")[0] for owed in case.outstanding.owed]


# The table -----------------------------------------------------------------------------------------------


def _chasing(**changes: Any) -> Case:
    """200.00 of 1200.00 were paid before, the first letter has left."""
    case = a_case(**changes)
    pay(case, "200.00", "p0")
    done(case, "first-reminder")
    return case


def _after(name: str, **content: Any) -> Callable[[], Case]:
    def build() -> Case:
        case = _chasing()
        tell(case, name, **content)
        return case

    return build


def _scheduled() -> Case:
    case = a_case()
    pay(case, "200.00", "p0")
    return case


def _restricted() -> Case:
    case = _chasing()
    done(case, "restrict", placed_hold=True, threat=True)
    case.holds, case.access = [Level.RESTRICTED], Access.RESTRICTED
    return case


def _lifted() -> Case:
    case = _restricted()
    tell(case, "grace_granted", until="2027-03-12", by="agent-7")
    return case


def _legal() -> Case:
    case = _chasing()
    done(case, "last-letter", legal=True)
    return case


def _asking() -> Case:
    """A restriction waits for our manager's word."""
    case = _chasing()
    case.take(StepOutcome(step="restrict", status="blocked", at=NOW, until=NOW + timedelta(days=28), undecided=True))
    return case


def _handed_over() -> Case:
    case = _chasing()
    done(case, "hand-over", ends=Stage.HANDED_OVER)
    return case


def _paid_late() -> Case:
    case = _handed_over()
    pay(case, "1000.00")
    return case


PLAN = [{"date": "2027-03-20", "amount": "400.00"}, {"date": "2027-04-20", "amount": "600.00"}]

STANDINGS: dict[str, Callable[[], Case]] = {
    "scheduled": _scheduled,
    "chasing": _chasing,
    "promised": _after("promise_to_pay", date="2027-03-15", promised_by="accounts_payable"),
    "plan": _after("payment_plan_agreed", instalments=PLAN, by="agent-7"),
    "disputed": _after("dispute_opened", reason="quality", opened_by="user"),
    "partly": _after("dispute_opened", reason="quality", opened_by="user", amount="500.00"),
    "waiting": _after("call_outcome", task_id="t0", outcome="written_promise_owed", by="agent-7"),
    "asking": _asking,
    "calling": _after("call_requested", by="agent-7"),
    "restricted": _restricted,
    "lifted": _lifted,
    "replied": _after("reply_received", reply_id="r0", channel="email", at="2027-03-10T08:00:00Z"),
    "paused": _after("pause", reason="hardship", by="agent-7"),
    "legal": _legal,
    "paid": _after("payment_received", payment_id="p1", amount="1000.00", currency="EUR"),
    "paid_late": _paid_late,
    "handed_over": _handed_over,
    "written_off": _after("write_off", reason="small", by="agent-7"),
    "cancelled": _after("cancel", reason="credit-note", by="agent-7"),
}

CREDIT = {"credit_id": "c9", "from_invoice": "inv-0", "currency": "EUR", "by": "agent-7"}

EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "paid_in_full": ("payment_received", {"payment_id": "p9", "amount": "1000.00", "currency": "EUR"}),
    "paid_in_part": ("payment_received", {"payment_id": "p9", "amount": "100.00", "currency": "EUR"}),
    "credit": ("credit_applied", CREDIT | {"amount": "1000.00"}),
    "other_currency": ("payment_received", {"payment_id": "p9", "amount": "100.00", "currency": "USD"}),
    "reversed": ("payment_reversed", {"payment_id": "p0", "reason": "chargeback"}),
    "promise": ("promise_to_pay", {"date": "2027-03-17", "promised_by": "user"}),
    "dispute": ("dispute_opened", {"reason": "price", "opened_by": "user"}),
    "rejected": ("dispute_resolved", {"outcome": "rejected", "by": "agent-7"}),
    "upheld": ("dispute_resolved", {"outcome": "upheld", "by": "agent-7"}),
    "agreed": ("payment_plan_agreed", {"instalments": PLAN, "by": "agent-7"}),
    "pause": ("pause", {"reason": "holiday", "by": "agent-7", "until": "2027-04-01"}),
    "resume": ("resume", {"by": "agent-7"}),
    "call": ("call_outcome", {"task_id": "t1", "outcome": "no_answer", "by": "agent-7"}),
    "call_with_date": (
        "call_outcome",
        {"task_id": "t1", "outcome": "promise", "by": "agent-7", "promise": {"date": "2027-03-18"}},
    ),
    "call_disputes": ("call_outcome", {"task_id": "t1", "outcome": "dispute", "by": "agent-7"}),
    "call_paid": ("call_outcome", {"task_id": "t1", "outcome": "paid", "by": "agent-7"}),
    "call_writes": ("call_outcome", {"task_id": "t1", "outcome": "written_promise_owed", "by": "agent-7"}),
    "call_refuses": ("call_outcome", {"task_id": "t1", "outcome": "refused", "by": "agent-7"}),
    "call_back": (
        "call_outcome",
        {"task_id": "t1", "outcome": "call_back", "by": "agent-7", "call_back_at": "2027-03-12T09:00:00Z"},
    ),
    "call_back_past": (
        "call_outcome",
        {"task_id": "t1", "outcome": "call_back", "by": "agent-7", "call_back_at": "2027-03-10T08:59:00Z"},
    ),
    "yes": ("call_outcome", {"task_id": "inv-1.restrict.approve", "outcome": "approved", "by": "manager.1"}),
    "no": ("call_outcome", {"task_id": "inv-1.restrict.approve", "outcome": "declined", "by": "manager.1"}),
    "reply": ("reply_received", {"reply_id": "r1", "channel": "sms", "at": "2027-03-10T09:00:00Z"}),
    "handled": ("reply_handled", {"reply_id": "r0", "by": "agent-7"}),
    "announced": ("payment_announced", {"by": "link of acme.user.1", "paid_on": "2027-03-09"}),
    "announced_ahead": ("payment_announced", {"by": "link of acme.user.1", "paid_on": "2027-03-11"}),
    "ask_call": ("call_requested", {"by": "link of acme.user.1", "at": "2027-03-11T09:00:00Z"}),
    "ask_call_past": ("call_requested", {"by": "link of acme.user.1", "at": "2027-03-10T08:59:00Z"}),
    "grace": ("grace_granted", {"until": "2027-03-13", "by": "agent-7"}),
    "grace_too_long": ("grace_granted", {"until": "2027-03-14", "by": "agent-7"}),
    "amended": ("invoice_amended", {"amount": "1300.00", "by": "billing"}),
    "shrunk": ("invoice_amended", {"amount": "150.00", "by": "billing"}),
    "write_off": ("write_off", {"reason": "small", "by": "agent-7"}),
    "cancel": ("cancel", {"reason": "wrong", "by": "agent-7"}),
    "moved": (  # without having looked at what would change
        "policy_moved",
        {
            "name": "gentle-saas",
            "to_version": 2,
            "fingerprint": "0" * 16,
            "by": "agent-7",
            "digest": "0123456789abcdef",
            "steps": ["first-reminder"],
            "promises": {},
            "reactions": {},
        },
    ),
    "report": (
        "delivery_report",
        {"message_id": "m1", "status": "delivered", "at": "2027-03-10T09:00:00Z"},
    ),
    "contacts": ("contacts_changed", {"by": "billing"}),
}

PASSING = {
    "day_promise": "promise_due",
    "day_instalment": "instalment_due",
    "day_pause": "pause_over",
    "day_wait": "wait_over",
    "day_call": "call_over",
    "day_reply": "reply_due",
}
"""What time does to a case: row of the table and the method of that name."""


@pytest.mark.parametrize(
    ("event", "standing", "expected"), [pytest.param(*cell, id=f"{cell[0]}-in-{cell[1]}") for cell in stages.cells()]
)
def test_every_event_in_every_stage(event: str, standing: str, expected: str) -> None:
    case = STANDINGS[standing]()
    before, stage = case.model_dump(), case.stage
    if event in PASSING:
        getattr(case, PASSING[event])(NOW + timedelta(days=30))
    elif expected.startswith(stages.REFUSED):
        name, content = EVENTS[event]
        with pytest.raises(Refused) as refused:
            tell(case, name, **content)
        assert refused.value.field == expected.removeprefix(stages.REFUSED).strip()
        assert case.model_dump() == before
        return
    else:
        name, content = EVENTS[event]
        tell(case, name, **content)
    assert case.stage == (stage if expected == stages.STAYS else expected)


def test_the_page_tells_every_event_in_every_stage() -> None:
    from dunwell.domain.events import EVENTS as known

    rows = [event for event, standing, _ in stages.cells() if standing == "scheduled"]
    columns = [standing for event, standing, _ in stages.cells() if event == rows[0]]
    assert columns == stages.explained(0) == list(STANDINGS)
    assert rows == stages.explained(1)
    assert sorted(rows) == sorted([*EVENTS, *PASSING])
    assert {name for name, _ in EVENTS.values()} == set(known)
    assert {build().stage for build in STANDINGS.values()} == set(Stage)


@pytest.mark.parametrize(
    ("standing", "outcome", "awaited", "hurry"),
    [
        pytest.param("chasing", "paid", "payment", False, id="they say that it is paid"),
        pytest.param("chasing", "written_promise_owed", "written_promise", False, id="they will write"),
        pytest.param("chasing", "refused", None, True, id="they refuse"),
        pytest.param("waiting", "refused", None, True, id="they refuse to write as well"),
        pytest.param("waiting", "paid", "payment", False, id="they need not write: it has left"),
        # what is agreed already counts for more than what is said
        *[
            pytest.param(standing, outcome, None, False, id=f"{outcome} while {standing}")
            for standing in ("promised", "plan", "disputed", "paused", "paid", "handed_over")
            for outcome in ("paid", "written_promise_owed", "refused")
        ],
    ],
)
def test_what_is_said_in_a_talk(standing: str, outcome: str, awaited: str | None, hurry: bool) -> None:
    case = STANDINGS[standing]()
    tell(case, "call_outcome", task_id="t1", outcome=outcome, by="agent-7")
    assert (case.agreements.awaited and case.agreements.awaited.what, case.progress.hurry) == (awaited, hurry)
    assert case.resting == (awaited is not None or standing not in {"chasing", "waiting"})


@pytest.mark.parametrize(
    ("outcome", "kind", "hurry", "shift"),
    [
        # five days without chasing: the money may be slow, and nobody is blamed for the wait
        ("paid", "payment_missing", False, 5 * 86_400),
        # a word not kept is given no time
        ("written_promise_owed", "promise_missing", True, 0),
    ],
)
def test_what_was_announced_does_not_come(outcome: str, kind: str, hurry: bool, shift: int) -> None:
    case = _chasing()
    tell(case, "call_outcome", task_id="t1", outcome=outcome, by="agent-7")
    case = _through_json(case)
    (said,) = case.wait_over(NOW + timedelta(days=5))
    assert (said.kind, case.progress.hurry, case.progress.shift, case.agreements.awaited) == (
        kind,
        hurry,
        shift,
        None,
    )
    assert case.wait_over(NOW + timedelta(days=6)) == []


@pytest.mark.parametrize("former", ["written_off", "handed_over"])
def test_a_payment_taken_back_leads_to_the_former_end(former: str) -> None:
    case = STANDINGS[former]()
    for number in (1, 2):  # a second late payment that fails leads there as well
        recovered = ["recovery"] if former == "written_off" else []
        assert pay(case, "1000.00", f"r{number}") == ["payment", *recovered, "ended"]
        case = _through_json(case)
        assert tell(case, "payment_reversed", payment_id=f"r{number}", reason="chargeback") == ["reversed", "ended"]
        assert (case.stage, case.outstanding.owed, case.unpaid) == (former, [], Decimal("1000.00"))
    assert case.finished


def test_an_end_reached_after_a_reversal_is_not_confused_with_a_former_one() -> None:
    case = STANDINGS["written_off"]()
    pay(case, "1000.00", "r1")
    tell(case, "payment_reversed", payment_id="r1", reason="chargeback")
    assert case.former_end is None
    fresh = STANDINGS["paid"]()
    tell(fresh, "payment_reversed", payment_id="p1", reason="chargeback")
    assert fresh.stage == Stage.CHASING


@pytest.mark.parametrize("standing", STANDINGS)
def test_the_last_day_of_a_promise_is_the_last_that_is_accepted(standing: str) -> None:
    def refused(day: date) -> str | None:
        try:
            tell(STANDINGS[standing](), "promise_to_pay", date=str(day), promised_by="user")
        except Refused as refused:
            return refused.field
        return None

    last = last_day(STANDINGS[standing](), NOW.date())
    assert (last is not None) == (refused(NOW.date()) is None)
    if last is not None:
        assert (refused(last), refused(last + timedelta(days=1))) == (None, "date")


@pytest.mark.parametrize(
    ("standing", "events", "stage", "promises"),
    [
        # a dispute over all wins over the promise, whose day counts again afterwards
        ("promised", ["dispute"], "disputed", ["open"]),
        ("promised", ["dispute", "rejected"], "promised", ["open"]),
        # a plan takes the promise's place, which was neither kept nor broken
        ("promised", ["agreed"], "plan", ["replaced"]),
        ("promised", ["agreed", "day_instalment"], "chasing", ["replaced"]),
        # money ends the pause only when it settles all
        ("paused", ["paid_in_part"], "paused", []),
        ("paused", ["paid_in_part", "resume"], "chasing", []),
        ("paused", ["paid_in_full"], "paid", []),
        # a pause over a promise: the day is looked at when the pause is over
        ("promised", ["pause", "day_pause"], "promised", ["open"]),
        ("promised", ["pause", "day_pause", "day_promise"], "chasing", ["broken"]),
    ],
)
def test_where_two_things_meet(standing: str, events: list[str], stage: str, promises: list[str]) -> None:
    case = STANDINGS[standing]()
    for event in events:
        if event in PASSING:
            getattr(case, PASSING[event])(NOW + timedelta(days=30))
        else:
            name, content = EVENTS[event]
            tell(case, name, **content)
    assert (case.stage, [promise.state for promise in case.agreements.promises]) == (stage, promises)


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        # money that cannot be of this invoice
        ("payment_received", {"payment_id": "p0", "amount": "300.00", "currency": "EUR"}, "payment_id"),
        ("payment_received", {"payment_id": "p9", "amount": "1.001", "currency": "EUR"}, "amount"),
        ("payment_reversed", {"payment_id": "p9", "reason": "r"}, "payment_id"),
        # days that cannot be meant
        ("promise_to_pay", {"date": "2027-03-09", "promised_by": "u"}, "date"),
        ("promise_to_pay", {"date": "2027-03-25", "promised_by": "u"}, "date"),  # 15 days, 14 are allowed
        ("pause", {"reason": "r", "by": "a", "until": "2027-03-10"}, "until"),
        ("invoice_amended", {"due_on": "2027-01-31", "by": "a"}, "due_on"),
        # amounts above what is open
        ("promise_to_pay", {"date": "2027-03-12", "promised_by": "u", "amount": "1000.01"}, "amount"),
        ("dispute_opened", {"reason": "r", "opened_by": "u", "amount": "1000.01"}, "amount"),
        # plans that do not add up
        ("payment_plan_agreed", {"instalments": PLAN[:1], "by": "a"}, "instalments"),
        ("payment_plan_agreed", {"instalments": PLAN[::-1], "by": "a"}, "instalments"),
        ("payment_plan_agreed", {"instalments": [PLAN[0], PLAN[0]], "by": "a"}, "instalments"),
        (
            "payment_plan_agreed",
            {"instalments": [{"date": "2027-03-09", "amount": "1000.00"}], "by": "a"},
            "instalments.0.date",
        ),
        (
            "payment_plan_agreed",
            {"instalments": [{"date": "2027-03-19", "amount": "999.999"}], "by": "a"},
            "instalments.0.amount",
        ),
        # half a message
        ("invoice_amended", {"by": "a"}, "message"),
        ("call_outcome", {"task_id": "t", "outcome": "promise", "by": "a"}, "promise"),
    ],
)
def test_what_a_case_refuses_it_refuses_whole(name: str, content: dict[str, Any], field: str) -> None:
    case = _chasing()
    before = case.model_dump()
    with pytest.raises(Refused) as refused:
        tell(case, name, **content)
    assert refused.value.field == field
    assert case.model_dump() == before


@pytest.mark.parametrize(
    ("outcome", "disputed", "new_amount", "amount", "stage"),
    [
        ("rejected", None, None, "1200.00", "chasing"),
        ("upheld", None, None, "200.00", "paid"),  # what was paid settles the rest
        ("upheld", "300.00", None, "900.00", "chasing"),
        ("adjusted", None, "800.00", "800.00", "chasing"),
        ("adjusted", "300.00", "200.00", "200.00", "paid"),
        ("adjusted", None, "0", "0", "paid"),  # 200.00 of credit
    ],
)
def test_how_a_dispute_ends(
    outcome: str, disputed: str | None, new_amount: str | None, amount: str, stage: str
) -> None:
    case = _chasing()
    tell(case, "dispute_opened", reason="quality", opened_by="user", amount=disputed)
    tell(case, "dispute_resolved", outcome=outcome, by="agent-7", new_amount=new_amount)
    assert (case.money.amount, case.stage) == (Decimal(amount), stage)


@pytest.mark.parametrize(
    ("outcome", "new_amount"),
    [("adjusted", None), ("adjusted", "1200.01"), ("upheld", "3.00"), ("rejected", "3.00")],
)
def test_a_new_amount_goes_with_adjusted_only(outcome: str, new_amount: str | None) -> None:
    case = STANDINGS["disputed"]()
    with pytest.raises(Refused) as refused:
        tell(case, "dispute_resolved", outcome=outcome, by="agent-7", new_amount=new_amount)
    assert refused.value.field == "new_amount"


def test_an_invoice_upheld_before_any_payment_is_cancelled() -> None:
    case = a_case()
    tell(case, "dispute_opened", reason="quality", opened_by="user")
    tell(case, "dispute_resolved", outcome="upheld", by="agent-7")
    assert case.stage == Stage.CANCELLED


# Money after the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "amount", "kinds", "open_amount", "credit"),
    [
        ("cancelled", None, [], "0.00", "200.00"),
        ("cancelled", "300.00", ["payment", "credit"], "0.00", "500.00"),
        ("written_off", None, [], "0.00", "0.00"),
        ("written_off", "300.00", ["payment", "recovery"], "0.00", "0.00"),
        ("written_off", "1000.00", ["payment", "recovery", "ended"], "0.00", "0.00"),
        ("written_off", "1100.00", ["payment", "recovery", "credit", "ended"], "0.00", "100.00"),
        ("handed_over", None, [], "1000.00", "0.00"),
        ("handed_over", "300.00", ["payment"], "700.00", "0.00"),
        ("handed_over", "1100.00", ["payment", "credit", "ended"], "0.00", "100.00"),
        ("paid", "50.00", ["payment", "credit"], "0.00", "50.00"),
    ],
)
def test_a12_money_for_an_invoice_whose_case_has_ended(
    standing: str, amount: str | None, kinds: list[str], open_amount: str, credit: str
) -> None:
    case = STANDINGS[standing]()
    assert (pay(case, amount, "late") if amount else []) == kinds
    assert (str(case.open_amount), str(case.credit)) == (open_amount, credit)


def test_a12_a_payment_from_before_the_end_that_is_taken_back() -> None:
    for standing, credit in (("cancelled", "0.00"), ("written_off", "0.00")):
        case = STANDINGS[standing]()
        tell(case, "payment_reversed", payment_id="p0", reason="chargeback")
        assert (case.stage, str(case.open_amount), str(case.credit)) == (standing, "0.00", credit)


@pytest.mark.parametrize(
    ("standing", "amount", "days", "doubt"),
    [
        ("chasing", "2000.00", 0, None),
        ("chasing", "2000.01", 0, "is more than twice the 1000.00 EUR that were open"),
        ("chasing", "120000.00", 0, "is more than twice the 1000.00 EUR that were open"),
        ("paid", "1200.00", 0, None),
        ("paid", "2400.01", 0, "is more than twice the 1200.00 EUR that were due"),
        ("cancelled", "2400.01", 0, "is more than twice the 1200.00 EUR that were due"),
        ("chasing", "10.00", 3, None),
        ("chasing", "10.00", 4, "is dated 2027-03-14, which lies ahead"),
    ],
)
def test_a17_a_payment_that_a_person_should_check_counts_all_the_same(
    standing: str, amount: str, days: int, doubt: str | None
) -> None:
    case = STANDINGS[standing]()
    paid = case.money.paid
    at = (NOW + timedelta(days=days)).isoformat()
    kinds = tell(case, "payment_received", payment_id="x", amount=amount, currency="EUR", received_at=at)
    assert case.money.paid == paid + Decimal(amount)
    assert case.money.doubted.get("x") == doubt
    assert ("check" in kinds) == (doubt is not None)
    tell(case, "payment_reversed", payment_id="x", reason="R01")
    assert case.money.doubted == {}


@pytest.mark.parametrize(
    ("days", "from_provider", "refused"),
    [(-30, False, False), (3, False, False), (3.01, False, True), (1300, False, True), (1300, True, False)],
)
def test_a17_a_payment_from_the_future_is_refused_at_the_door(
    days: float, from_provider: bool, refused: bool
) -> None:
    """Unless a bank or provider says so: nobody there will correct it, and money must not be lost."""
    at = (NOW + timedelta(days=days)).isoformat()
    content = {"payment_id": "x", "amount": "10.00", "currency": "EUR", "received_at": at}
    event = parse_event("payment_received", [content | {"from_provider": from_provider}])
    if refused:
        with pytest.raises(Refused, match="more than 3 days ahead") as error:
            admit(a_case(), event, NOW)
        assert error.value.field == "received_at"
    else:
        admit(a_case(), event, NOW)


@pytest.mark.parametrize(
    ("standing", "amount", "field"),
    [
        ("chasing", "1000.00", None),
        ("handed_over", "1000.00", None),
        ("chasing", "1000.01", "amount"),
        ("paid", "1.00", "amount"),
        ("cancelled", "1.00", "amount"),
        ("written_off", "1.00", "amount"),
    ],
)
def test_a11_credit_is_applied_only_where_something_is_open(standing: str, amount: str, field: str | None) -> None:
    case, event = STANDINGS[standing](), parse_event("credit_applied", [CREDIT | {"amount": amount}])
    if field is not None:
        with pytest.raises(Refused) as refused:
            admit(case, event, NOW)
        assert refused.value.field == field
        return
    admit(case, event, NOW)
    case.apply(event, NOW)
    admit(case, event, NOW)  # the same again is no news
    assert (case.apply(event, NOW), case.stage, case.money.receipts[-1].from_invoice) == ([], Stage.PAID, "inv-0")


def test_a11_an_invoice_does_not_pay_itself() -> None:
    event = parse_event("credit_applied", [CREDIT | {"amount": "1.00", "from_invoice": "inv-1"}])
    with pytest.raises(Refused, match="from_invoice: is this invoice itself"):
        admit(_chasing(), event, NOW)


@pytest.mark.parametrize(
    ("paid", "given", "credit", "uncovered", "open_amount"),
    [
        ("1500.00", "0", "300.00", "0.00", "0.00"),
        ("1500.00", "100.00", "200.00", "0.00", "0.00"),
        ("1500.00", "300.00", "0.00", "0.00", "0.00"),
        ("1400.00", "300.00", "0.00", "100.00", "0.00"),
        ("0", "300.00", "0.00", "300.00", "1200.00"),  # never more than the invoice itself
    ],
)
def test_a11_what_is_left_of_a_credit(paid: str, given: str, credit: str, uncovered: str, open_amount: str) -> None:
    case = a_case(paid=Decimal(paid), given=Decimal(given))
    assert (str(case.credit), str(case.uncovered), str(case.open_amount)) == (credit, uncovered, open_amount)


@pytest.mark.parametrize(
    ("ended", "holds", "access"),
    [
        (Stage.PAID, [], Access.SUSPENDED),
        (Stage.WRITTEN_OFF, [], Access.SUSPENDED),
        (Stage.HANDED_OVER, [Level.RESTRICTED], Access.SUSPENDED),
        (None, [Level.RESTRICTED], Access.SUSPENDED),
    ],
)
def test_a18_an_ended_case_shows_no_hold_of_its_own(ended: Stage | None, holds: list[Level], access: Access) -> None:
    """Even while its release is still being written down. Another invoice has suspended the account."""
    case = a_case(ended=ended, holds=[Level.RESTRICTED], access=Access.SUSPENDED, access_beside=Access.SUSPENDED)
    assert (case.own_holds, case.account_access) == (holds, access)
    alone = a_case(ended=ended, holds=[Level.RESTRICTED], access=Access.RESTRICTED)
    assert alone.account_access == (Access.RESTRICTED if holds else Access.FULL)


# Answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "event", "owed"),
    [
        ("chasing", "paid_in_full", ["thank-you"]),
        ("scheduled", "paid_in_full", []),  # nobody was asked, nobody is thanked
        ("chasing", "paid_in_part", ["part-received"]),
        ("scheduled", "paid_in_part", []),
        ("paused", "paid_in_part", []),
        ("chasing", "promise", ["promise-confirmed"]),
        ("chasing", "agreed", ["plan-agreed"]),
        ("chasing", "dispute", ["dispute-received"]),
        ("chasing", "call_disputes", ["dispute-received"]),
        ("chasing", "write_off", []),
        ("written_off", "paid_in_full", ["thank-you"]),
        ("cancelled", "paid_in_full", []),
    ],
)
def test_the_answer_an_event_gets(standing: str, event: str, owed: list[str]) -> None:
    case = STANDINGS[standing]()
    name, content = EVENTS[event]
    tell(case, name, **content)
    assert answered(case) == owed


def test_payment_of_a_restricted_account_is_answered_with_the_news_that_access_is_back() -> None:
    case = _chasing()
    case.holds = [Level.RESTRICTED]
    pay(case, "1000.00")
    assert answered(case) == ["restored"]


def test_payment_takes_back_every_answer_still_owed() -> None:
    case = STANDINGS["promised"]()
    assert answered(case) == ["promise-confirmed"]
    assert pay(case, "1000.00") == ["payment", "promise_kept", "ended"]
    assert answered(case) == ["thank-you"]


def test_an_answer_is_owed_once_and_under_a_name_of_its_own() -> None:
    case = STANDINGS["promised"]()
    assert case.outstanding.owed == ["promise-confirmed~1"]
    tell(case, "promise_to_pay", date="2027-03-16", promised_by="user")
    assert case.outstanding.owed == ["promise-confirmed~2"]  # the first was replaced before it was confirmed
    done(case, "promise-confirmed~2")
    assert case.outstanding.owed == []
    assert [step.step for step in case.progress.steps] == ["first-reminder"]


# Promises and plans --------------------------------------------------------------------------------------


def test_the_same_promise_again_is_no_second_promise() -> None:
    case = STANDINGS["promised"]()
    for _ in range(5):
        assert tell(case, "promise_to_pay", date="2027-03-15", promised_by="accounts_payable") == []
    assert len(case.agreements.promises) == 1


def test_promises_are_limited_by_the_policy() -> None:
    case = STANDINGS["promised"]()
    tell(case, "promise_to_pay", date="2027-03-16", promised_by="user")
    with pytest.raises(Refused) as refused:
        tell(case, "promise_to_pay", date="2027-03-17", promised_by="user")
    assert refused.value.field == "promise"
    assert [promise.state for promise in case.agreements.promises] == ["replaced", "open"]


def test_only_money_that_came_after_a_promise_keeps_it() -> None:
    case = _chasing()  # 200.00 came before
    tell(case, "promise_to_pay", date="2027-03-15", amount="200.00", promised_by="user")
    pay(case, "150.00", "p1")
    assert case.agreements.promise is not None
    assert "promise_kept" in pay(case, "50.00", "p2")
    assert case.stage == Stage.CHASING


def test_a_broken_promise_wakes_the_case() -> None:
    case = STANDINGS["promised"]()
    shift, later = case.progress.shift, NOW + timedelta(days=7)
    assert [said.kind for said in case.promise_due(later)] == ["promise_broken"]
    assert (case.stage, case.agreements.promises[0].state, case.progress.awake_since) == (
        Stage.CHASING,
        "broken",
        later,
    )
    assert case.progress.shift == shift  # waiting for a broken word is not given as time
    assert case.promise_due(later) == []


def test_nothing_can_be_promised_while_all_is_disputed_paused_or_not() -> None:
    case = STANDINGS["disputed"]()
    tell(case, "pause", reason="holiday", by="agent-7")
    with pytest.raises(Refused) as refused:
        tell(case, "promise_to_pay", date="2027-03-15", promised_by="user")
    assert refused.value.field == "stage"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("promise_to_pay", {"date": "2027-03-15", "promised_by": "user"}),
        ("dispute_opened", {"reason": "quality", "opened_by": "user", "amount": "500.00"}),
    ],
)
def test_what_a_refusal_asks_for_first_while_all_is_disputed_can_be_done_and_leads_on(
    name: str, content: dict[str, Any]
) -> None:
    case = STANDINGS["disputed"]()
    with pytest.raises(Refused, match="resolve"):
        tell(case, name, **content)
    tell(case, "dispute_resolved", outcome="rejected", by="agent-7")
    assert tell(case, name, **content)


def test_a_plan_is_met_instalment_by_instalment() -> None:
    case = STANDINGS["plan"]()
    pay(case, "399.49", "p1")
    assert case.agreements.plan is not None
    assert case.agreements.plan.met == 0
    pay(case, "0.01", "p2")
    assert case.agreements.plan.met == 1
    assert pay(case, "600.00", "p3") == ["payment", "small_rest", "ended"]


def test_a_reversed_instalment_is_not_met_any_more() -> None:
    case = STANDINGS["plan"]()
    pay(case, "400.00", "p1")
    tell(case, "payment_reversed", payment_id="p1", reason="no-cover")
    assert case.agreements.plan is not None
    assert case.agreements.plan.met == 0


def test_a_plan_kept_in_full_ends_when_the_invoice_has_grown() -> None:
    case = STANDINGS["plan"]()
    tell(case, "invoice_amended", amount="1500.00", by="billing")
    pay(case, "1000.00", "p1")
    assert (case.stage, case.open_amount) == (Stage.CHASING, Decimal("300.00"))


def test_a_missed_instalment_ends_the_plan() -> None:
    case = STANDINGS["plan"]()
    assert [said.kind for said in case.instalment_due(NOW + timedelta(days=12))] == ["plan_broken"]
    assert case.stage == Stage.CHASING
    assert answered(case) == ["instalment-missed"]


# Rest ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (("pause", {"reason": "r", "by": "a"}), ("resume", {"by": "a"})),
        (
            ("dispute_opened", {"reason": "r", "opened_by": "u"}),
            ("dispute_resolved", {"outcome": "rejected", "by": "a"}),
        ),
        (
            ("promise_to_pay", {"date": "2027-03-20", "promised_by": "u", "amount": "100.00"}),
            ("payment_received", {"payment_id": "p9", "amount": "100.00", "currency": "EUR"}),
        ),
        (
            ("payment_received", {"payment_id": "p9", "amount": "1000.00", "currency": "EUR"}),
            ("payment_reversed", {"payment_id": "p9", "reason": "r"}),
        ),
    ],
    ids=["pause", "dispute", "promise kept", "paid and taken back"],
)
def test_rest_does_not_count_as_time(begin: tuple[str, dict[str, Any]], end: tuple[str, dict[str, Any]]) -> None:
    case = _chasing()
    tell(case, begin[0], **begin[1])
    tell(case, end[0], days=5, **end[1])
    assert case.progress.shift == 5 * 86_400
    assert case.progress.awake_since == NOW + timedelta(days=5)


def test_a_pause_over_a_dispute_is_one_rest() -> None:
    case = STANDINGS["disputed"]()
    tell(case, "pause", days=1, reason="r", by="a")
    tell(case, "dispute_resolved", days=2, outcome="rejected", by="a")
    assert (case.stage, case.progress.shift) == (Stage.PAUSED, 0)
    tell(case, "resume", days=6, by="a")
    assert (case.stage, case.progress.shift) == (Stage.CHASING, 6 * 86_400)


@pytest.mark.parametrize(
    ("offset", "seen_after", "shift"),
    [
        # NOW is 09:00 UTC on the 10th, the pause lasts until the 15th
        (0, timedelta(days=4, hours=15), timedelta(days=4, hours=15)),
        (60, timedelta(days=4, hours=14), timedelta(days=4, hours=14)),
        # nobody was there at midnight: what came later is no rest
        (0, timedelta(days=5), timedelta(days=4, hours=15)),
        (-240, timedelta(days=40), timedelta(days=4, hours=19)),
    ],
)
def test_a_pause_ends_by_itself(offset: int, seen_after: timedelta, shift: timedelta) -> None:
    case = _chasing(utc_offset_minutes=offset)
    tell(case, "pause", reason="r", by="a", until="2027-03-15")
    assert [said.kind for said in case.pause_over(NOW + seen_after)] == ["resumed"]
    assert (case.stage, timedelta(seconds=case.progress.shift)) == (Stage.CHASING, shift)
    assert case.progress.awake_since == NOW + shift


# Steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "steps", "blocked", "newer"),
    [
        ("done", ["s"], False, True),
        ("skipped", ["s"], False, True),
        ("delayed", [], True, True),
        ("blocked", [], True, True),
        ("stale", [], False, False),  # the case had changed: nothing is learnt
    ],
)
def test_what_a_step_leaves_behind(status: Any, steps: list[str], blocked: bool, newer: bool) -> None:
    case = a_case()
    until = NOW + timedelta(days=1) if blocked else None
    case.take(StepOutcome(step="s", status=status, at=NOW, until=until))
    assert [done.step for done in case.progress.steps] == steps
    assert (case.outstanding.blocked_until, case.revision > 0) == (until, newer)


def test_a_step_taken_twice_counts_once() -> None:
    case = a_case()
    done(case, "s", shift=60)
    done(case, "s", shift=60)
    assert (len(case.progress.steps), case.progress.shift) == (1, 60)


def test_after_a_reversal_only_consequences_are_due_again_however_often() -> None:
    case = _chasing()
    done(case, "restrict", placed_hold=True)
    for round_number in (1, 2):  # the second reversal comes before the step was done again
        pay(case, "1000.00", f"r{round_number}")
        tell(case, "payment_reversed", payment_id=f"r{round_number}", reason="chargeback")
        assert [step.step for step in case.progress.steps] == ["first-reminder"]
        assert (case.progress.redo, case.reopened) == (["restrict"], round_number)


def test_a_message_that_did_not_arrive_is_followed_up_once() -> None:
    case = _chasing()
    case.reach_further("first-reminder")
    case.reach_further("first-reminder")
    assert case.outstanding.again == ["first-reminder"]
    done(case, "first-reminder")
    assert (case.outstanding.again, len(case.progress.steps)) == ([], 1)


# Amounts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "digits", "stored", "written"),
    [("JPY", 0, "1200.00", "1200"), ("EUR", 2, "1200.00", "1200.00"), ("KWD", 3, "1200.50", "1200.500")],
)
def test_an_amount_is_written_as_its_currency_does(currency: str, digits: int, stored: str, written: str) -> None:
    case = a_case(currency=currency, digits=digits, amount=Decimal(stored))
    assert str(case.open_amount) == written
    case.apply(parse_event("promise_to_pay", [{"date": "2027-03-15", "promised_by": "u"}]), NOW)
    assert case.agreements.promises[0].amount == Decimal(stored)


_cents = st.integers(1, 200_000).map(lambda cents: f"{cents // 100}.{cents % 100:02}")
_ids = st.sampled_from(["a", "b", "c", "d"])
_days = st.integers(-2, 20).map(lambda days: (NOW.date() + timedelta(days=days)).isoformat())
_some = st.none() | _cents


def _event(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(fields))


_by = st.just("agent-7")
_moves = st.one_of(
    _event("payment_received", payment_id=_ids, amount=_cents, currency=st.sampled_from(["EUR", "EUR", "USD"])),
    _event(
        "payment_received", payment_id=_ids, amount=st.sampled_from(["600.00", "1200.00"]), currency=st.just("EUR")
    ),
    _event("payment_reversed", payment_id=_ids, reason=st.just("r")),
    _event("payment_reversed", payment_id=_ids, reason=st.just("r"), amount=_cents, reversal_id=_ids),
    _event("invoice_amended", amount=_some, due_on=st.none() | _days, by=_by),
    _event("promise_to_pay", date=_days, amount=_some, promised_by=_by),
    _event("dispute_opened", reason=st.just("r"), opened_by=_by, amount=_some),
    _event("dispute_resolved", outcome=st.sampled_from(["upheld", "rejected", "adjusted"]), new_amount=_some, by=_by),
    _event("pause", reason=st.just("r"), by=_by, until=st.none() | _days),
    _event("resume", by=_by),
    _event("write_off", reason=st.just("r"), by=_by),
    _event(
        "payment_plan_agreed",
        instalments=st.just([{"date": "2027-03-12", "amount": "600.00"}, {"date": "2027-03-20", "amount": "600.00"}]),
        by=_by,
    ),
    st.tuples(st.sampled_from(["@promise", "@instalment", "@pause", "step"]), st.just({})),
)


def _move(case: Case, name: str, content: dict[str, Any], day: int) -> None:
    now = NOW + timedelta(days=day)
    if name == "step":
        case.take(StepOutcome(step=f"s{len(case.progress.steps)}", status="done", at=now))
    elif name.startswith("@"):
        {"@promise": case.promise_due, "@instalment": case.instalment_due, "@pause": case.pause_over}[name](now)
    else:
        case.apply(parse_event(name, [content]), now)


@settings(max_examples=150, deadline=None)
@given(st.lists(_moves, max_size=14))
def test_whatever_happens_the_amounts_stay_true(moves: list[tuple[str, dict[str, Any]]]) -> None:
    case, live, gone, last = a_case(), dict[str, Decimal](), set[str](), 0
    for day, (name, content) in enumerate(moves):
        before = case.model_dump()
        try:
            _move(case, name, content, day)
        except Refused:
            assert case.model_dump() == before
        else:
            if name == "payment_received":
                live.setdefault(content["payment_id"], Decimal(content["amount"]))
            elif name == "payment_reversed" and content["payment_id"] in live and case.model_dump() != before:
                live[content["payment_id"]] -= Decimal(content.get("amount") or live[content["payment_id"]])
                if not live[content["payment_id"]]:
                    gone.add(content["payment_id"])
                    del live[content["payment_id"]]
        assert case.money.paid == sum(live.values())
        assert not gone & set(case.money.payments)
        assert case.open_amount >= 0
        assert case.credit >= 0
        assert not (case.open_amount and case.credit)
        assert 0 <= case.asked <= case.open_amount
        assert case.stage != Stage.PAID or case.open_amount == 0
        assert case.agreements.plan is None or case.agreements.plan.met < len(case.agreements.plan.instalments)
        assert case.progress.shift >= 0
        assert case.revision >= last
        last = case.revision
        case = _through_json(case)


def _through_json(case: Case) -> Case:
    """A run's memory and the database's copy are JSON: nothing may be lost on the way, at any point."""
    copy = Case.model_validate(json.loads(case.model_dump_json()))
    assert copy == case
    assert copy.model_dump() == case.model_dump()
    return copy


def test_an_answer_overtaken_by_the_end_is_no_step_of_the_ladder() -> None:
    """The money came while the answer left. Nobody was asked, so nobody is thanked for hurrying."""
    case = a_case()
    tell(case, "promise_to_pay", date="2027-03-19", promised_by="user")
    pay(case, "1200.00")
    done(case, "promise-confirmed~1")
    assert (case.progress.steps, case.outstanding.owed, case.stage) == ([], [], Stage.PAID)


def test_a_promise_that_a_plan_replaced_is_not_confirmed_any_more() -> None:
    case = _chasing()
    case.outstanding.owed.clear()
    tell(case, "promise_to_pay", date="2027-03-12", promised_by="user")
    assert answered(case) == ["promise-confirmed"]
    instalments = [{"date": "2027-03-20", "amount": str(case.open_amount)}]
    tell(case, "payment_plan_agreed", instalments=instalments, by="agent-7")
    assert answered(case) == ["plan-agreed"]


# A rest too small to ask for -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "digits", "amount", "paid", "ends"),
    [
        ("EUR", 2, "1200.00", "1199.99", "paid"),
        ("EUR", 2, "1200.00", "1199.50", "paid"),
        ("EUR", 2, "1200.00", "1199.49", None),
        ("JPY", 0, "1200", "1150", "paid"),
        ("JPY", 0, "1200", "1149", None),
        ("KWD", 3, "1200.000", "1199.950", "paid"),
        ("KWD", 3, "1200.000", "1199.949", None),
    ],
)
def test_a13_a_rest_within_the_tolerance_counts_as_paid(
    currency: str, digits: int, amount: str, paid: str, ends: str | None
) -> None:
    case = a_case(currency=currency, digits=digits, amount=Decimal(amount))
    kinds = tell(case, "payment_received", payment_id="p1", amount=paid, currency=currency)
    assert (case.ended, "small_rest" in kinds) == (ends, ends is not None)
    assert (case.open_amount == 0) == (ends is not None)


def test_a13_what_comes_after_the_small_rest_is_no_credit_until_the_invoice_is_covered() -> None:
    case = a_case()
    pay(case, "1199.90")
    pay(case, "0.10", "p2")
    assert {case.credit, case.waived, case.open_amount} == {Decimal(0)}
    pay(case, "0.10", "p3")
    assert case.credit == Decimal("0.10")


def test_a13_a_reversal_asks_for_the_small_rest_again() -> None:
    case = a_case()
    pay(case, "200.00")
    pay(case, "999.90", "p2")
    assert case.stage == "paid"
    tell(case, "payment_reversed", payment_id="p2", reason="bounced")
    assert (case.stage, case.open_amount) == ("scheduled", Decimal("1000.00"))


def test_a13_no_tolerance_where_the_ladder_has_none() -> None:
    case = a_case(rules=Rules(promises=PromiseRules(), reactions=REACTIONS, tolerance=0))
    pay(case, "1199.99")
    assert (case.ended, case.open_amount) == (None, Decimal("0.01"))


def test_a13_a_promise_is_kept_but_for_a_few_cents() -> None:
    case = a_case()
    tell(case, "promise_to_pay", date="2027-03-12", amount="600.00", promised_by="ap")
    assert pay(case, "599.80") == ["payment", "promise_kept"]


def test_a13_instalments_are_met_but_for_a_few_cents() -> None:
    case = a_case()
    parts = [{"date": "2027-03-12", "amount": "600.00"}, {"date": "2027-04-12", "amount": "600.00"}]
    tell(case, "payment_plan_agreed", instalments=parts, by="agent")
    pay(case, "599.80")
    assert case.agreements.plan is not None and case.agreements.plan.met == 1
    assert pay(case, "599.90", "p2")[-1] == "ended"
    assert (case.ended, case.waived) == (Stage.PAID, Decimal("0.30"))


def test_a13_a_credit_note_may_leave_a_small_rest() -> None:
    case = a_case()
    pay(case, "1000.00")
    assert tell(case, "invoice_amended", amount="1000.20", by="billing") == ["amended", "small_rest", "ended"]


# Two ways to take the same sum off ------------------------------------------------------------------------


def _disputed_and_lowered() -> Case:
    case = a_case()
    tell(case, "dispute_opened", reason="quality", opened_by="ap", amount="300.00")
    tell(case, "invoice_amended", amount="900.00", by="billing")
    return case


def test_a16_upheld_after_a_credit_note_is_asked_about() -> None:
    case = _disputed_and_lowered()
    with pytest.raises(
        Refused, match=r"lowered by 300\.00 EUR already \(amended by billing on 2027-03-10\)"
    ) as asked:
        tell(case, "dispute_resolved", outcome="upheld", by="agent")
    assert asked.value.field == "confirm"
    assert "takes off another 300.00, which leaves 600.00" in asked.value.reason
    assert (case.money.amount, case.agreements.dispute is None) == (Decimal("900.00"), False)


def test_a16_who_means_it_says_so() -> None:
    case = _disputed_and_lowered()
    tell(case, "dispute_resolved", outcome="upheld", by="agent", confirm=True)
    assert case.money.amount == Decimal("600.00")


def test_a16_a_resolved_dispute_leaves_nothing_to_ask_about() -> None:
    case = _disputed_and_lowered()
    tell(case, "dispute_resolved", outcome="adjusted", new_amount="900.00", by="agent")
    tell(case, "dispute_opened", reason="late", opened_by="ap", amount="100.00")
    tell(case, "dispute_resolved", outcome="upheld", by="agent")
    assert case.money.amount == Decimal("800.00")


# The last word is the true one -----------------------------------------------------------------------------

TOLD = Rules(
    promises=PromiseRules(), reactions=REACTIONS.model_copy(update={"nothing_to_pay": "nothing-to-pay"}), tolerance=0
)


def _owed(case: Case) -> list[str]:
    return [step.partition("~")[0] for step in case.outstanding.owed]


@pytest.mark.parametrize(
    ("outcome", "paid", "says"),
    [
        ({"outcome": "rejected"}, None, "dispute-closed"),
        ({"outcome": "adjusted", "new_amount": "900.00"}, None, "dispute-closed"),
        ({"outcome": "upheld"}, None, "nothing-to-pay"),
        ({"outcome": "upheld"}, "200.00", "nothing-to-pay"),
        ({"outcome": "adjusted", "new_amount": "200.00"}, "200.00", "nothing-to-pay"),
    ],
)
def test_c4_a_disputes_result_is_told_and_nothing_older(outcome: dict[str, str], paid: str | None, says: str) -> None:
    case = a_case(rules=TOLD)
    done(case, "first-reminder")
    if paid:
        pay(case, paid)
        case.outstanding.owed.clear()
    tell(case, "dispute_opened", reason="quality", opened_by="ap")
    tell(case, "dispute_resolved", days=1, by="agent", **outcome)  # before the office opens again
    assert _owed(case) == [says]


@pytest.mark.parametrize(
    ("reason", "threat", "owed"),
    [
        ("credit-note-881", True, ["nothing-to-pay"]),
        ("credit-note-881", False, []),
        ("insolvency", True, []),
        ("customer-deceased", True, []),
        ("Duplicate-of-INV-7", True, []),
    ],
)
def test_c4_a_cancelled_threat_is_taken_back_in_writing(reason: str, threat: bool, owed: list[str]) -> None:
    case = a_case(rules=TOLD)
    done(case, "second-reminder", threat=threat)
    tell(case, "cancel", reason=reason, by="agent")
    assert _owed(case) == owed


def test_c4_a_write_off_would_read_as_a_waiver() -> None:
    case = a_case(rules=TOLD)
    done(case, "second-reminder", threat=True)
    tell(case, "write_off", reason="small", by="agent")
    assert case.outstanding.owed == []

"""The guarantees as laws: no ladder and no sequence of events may break one. `make laws` tries many more."""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Head
from tests.laws.ladders import ladders
from tests.laws.life import FATES, Delivery, Happening, Life, a_case_for

SEQUENCES = int(os.environ.get("LAWS", "300"))

BEGIN = datetime(2027, 2, 8, 8, tzinfo=UTC)
_ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns", "Asia/Riyadh"]
_CURRENCIES = st.sampled_from([("EUR", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3)])
_WEEKENDS = st.sampled_from([frozenset({5, 6}), frozenset({4, 5}), frozenset({6})])
_HOLIDAYS = st.dictionaries(st.integers(0, 150), st.just("a holiday"), max_size=12)
_WAITS = st.one_of(st.integers(0, 8), st.integers(0, 240), st.integers(200, 1500))
_FATES = st.sampled_from(FATES)
_DELIVERIES: st.SearchStrategy[list[Delivery]] = st.lists(st.tuples(_FATES, st.integers(0, 96)), max_size=8)


def _total(digits: int) -> Decimal:
    return Decimal("1200").quantize(Decimal(1).scaleb(-digits))


def _amounts(digits: int) -> st.SearchStrategy[str]:
    cents = st.one_of(st.integers(1, 1300), st.sampled_from([100, 300, 600, 900, 1000, 1200]))
    return cents.map(lambda count: str(Decimal(count).quantize(Decimal(1).scaleb(-digits))))


@st.composite
def _said(draw: st.DrawFn, currency: str, digits: int, day: date) -> tuple[str, dict[str, Any]]:
    """One thing somebody says on about that day, most often sensible."""
    amount = draw(_amounts(digits))
    soon = (day + timedelta(days=draw(st.integers(-1, 20)))).isoformat()
    some = draw(st.sampled_from([None, None, amount]))
    payment, some_id = draw(st.sampled_from("abc")), draw(st.sampled_from("xy"))
    head = draw(st.sampled_from([None, *Head]))
    half = str(_total(digits) / 2)
    instalments = [{"date": soon, "amount": half}, {"date": (day + timedelta(days=30)).isoformat(), "amount": half}]
    choices: list[tuple[str, dict[str, Any]]] = [
        ("payment_received", {"payment_id": payment, "amount": str(_total(digits)), "currency": currency}),
        ("payment_received", {"payment_id": payment, "amount": amount, "currency": currency}),
        ("payment_received", {"payment_id": payment, "amount": amount, "currency": currency, "designation": head}),
        ("payment_reversed", {"payment_id": payment, "reason": "chargeback"}),
        ("payment_reversed", {"payment_id": payment, "reason": "chargeback", "amount": amount}),
        ("payment_reversed", {"payment_id": payment, "reason": "refund", "amount": amount, "reversal_id": some_id}),
        ("promise_to_pay", {"date": soon, "amount": some, "promised_by": "user"}),
        ("dispute_opened", {"reason": "quality", "opened_by": "user", "amount": some}),
        ("dispute_resolved", {"outcome": "rejected", "by": "a"}),
        ("dispute_resolved", {"outcome": "upheld", "by": "a"}),
        ("dispute_resolved", {"outcome": "adjusted", "new_amount": amount, "by": "a"}),
        ("payment_plan_agreed", {"instalments": instalments, "by": "a"}),
        ("pause", {"reason": "holiday", "by": "a", "until": draw(st.sampled_from([None, soon, soon]))}),
        ("resume", {"by": "a"}),
        ("call_outcome", {"task_id": "t", "outcome": "promise", "by": "a", "promise": {"date": soon}}),
        ("call_outcome", {"task_id": "t", "outcome": "dispute", "by": "a"}),
        ("invoice_amended", {"amount": amount, "by": "a"}),
        ("invoice_amended", {"due_on": soon, "by": "a"}),
        ("outage", {"hours": draw(st.integers(1, 24 * 30))}),
        ("outage", {"hours": draw(st.integers(1, 24 * 5))}),
        ("write_off", {"reason": "small", "by": "a"}),
        ("cancel", {"reason": "credit-note", "by": "a"}),
    ]
    said: tuple[str, dict[str, Any]] = draw(st.sampled_from(choices))
    return said


@st.composite
def _happenings(draw: st.DrawFn, currency: str, digits: int) -> list[Happening]:
    made, passed = [], 0
    for _ in range(draw(st.integers(0, 14))):
        wait = draw(_WAITS)
        passed += wait
        name, content = draw(_said(currency, digits, (BEGIN + timedelta(hours=passed)).date()))
        passed += content.get("hours", 0)
        in_flight = name != "outage" and draw(st.integers(0, 4)) == 4
        made.append(Happening(wait, name, content, in_flight))
    return made


@st.composite
def lives(draw: st.DrawFn) -> tuple[Life, list[Happening]]:
    policy: Policy = draw(ladders())
    currency, digits = draw(_CURRENCIES)
    due = date(2027, 3, 1) + timedelta(days=draw(st.integers(0, 7)))
    holidays = {BEGIN.date() + timedelta(days=passed): name for passed, name in draw(_HOLIDAYS).items()}
    calendar = BusinessCalendar(
        ZoneInfo(draw(st.sampled_from(_ZONES))),
        holidays=holidays,
        weekend=draw(_WEEKENDS),
        opens=policy.window[0],
        closes=policy.window[1],
    )
    case = a_case_for(
        policy, currency=currency, digits=digits, issued_on=date(2027, 2, 1), due_on=due, amount=_total(digits)
    )
    return Life(policy, calendar, case, BEGIN, draw(_DELIVERIES)), draw(_happenings(currency, digits))


@settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    database=None,
    print_blob=False,
)
@given(lives())
def test_no_sequence_of_events_breaks_a_guarantee(drawn: tuple[Life, list[Happening]]) -> None:
    life, happenings = drawn
    life.live_through(happenings)

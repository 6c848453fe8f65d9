"""The guarantees as laws: no ladder and no sequence of events may break one. `make laws` tries many more."""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.claim_history import AmountFrom, ContractTerms, InterestTerms
from dunwell.domain.policy import Policy
from dunwell.domain.rate_series import RateStep
from dunwell.domain.terms import DebtorKind, Head
from dunwell.services.laws import files
from tests.laws.ladders import ladders
from tests.laws.life import FATES, Delivery, Happening, Life, a_case_for
from tests.laws.owed import Owed

SEQUENCES = int(os.environ.get("LAWS", "300"))

BEGIN = datetime(2027, 2, 8, 8, tzinfo=UTC)
_ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns", "Asia/Riyadh"]
_CURRENCIES = st.sampled_from([("EUR", 2), ("EUR", 2), ("EUR", 2), ("GBP", 2), ("GBP", 2), ("JPY", 0), ("KWD", 3)])
_KINDS = st.sampled_from([*[DebtorKind.BUSINESS] * 3, DebtorKind.CONSUMER, None])
_TERMS = st.one_of(
    st.builds(
        ContractTerms, interest=st.just(InterestTerms.STATUTORY), lump_sum=st.sampled_from([True, True, False])
    ),
    st.builds(ContractTerms, interest=st.just(InterestTerms.CONTRACT), contract_rate=st.just(Decimal("8.5"))),
)
_BASES = st.lists(st.tuples(st.integers(0, 900), st.integers(-100, 900)), max_size=4)
"""Base rates yet to come: after how many days, in hundredths of a per cent."""
_WEEKENDS = st.sampled_from([frozenset({5, 6}), frozenset({4, 5}), frozenset({6})])
_HOLIDAYS = st.dictionaries(st.integers(0, 150), st.just("a holiday"), max_size=12)
_WAITS = st.one_of(st.integers(0, 8), st.integers(0, 240), st.integers(200, 1500))
_FATES = st.sampled_from(FATES)
_DELIVERIES: st.SearchStrategy[list[Delivery]] = st.lists(st.tuples(_FATES, st.integers(0, 96)), max_size=8)


def _total(digits: int) -> Decimal:
    return Decimal("1200").quantize(Decimal(1).scaleb(-digits))


def _amounts(digits: int) -> st.SearchStrategy[str]:
    whole = st.one_of(st.integers(1, 1300), st.sampled_from([100, 300, 600, 900, 1000, 1200]))
    fine = st.integers(1, 1300 * 10**digits).map(lambda units: Decimal(units).scaleb(-digits))
    return st.one_of(whole, whole, fine).map(lambda amount: str(round(Decimal(amount), digits)))


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
        ("payment_reversed", {"payment_id": payment, "reason": "wrongly-matched"}),
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
        ("reply_received", {"reply_id": some_id, "channel": "email", "at": f"{day}T09:00:00Z"}),
        ("reply_handled", {"reply_id": some_id, "by": "a", "answer": draw(st.sampled_from([None, "a1", "a2"]))}),
        ("payment_announced", {"by": "user", "amount": some}),
        ("call_requested", {"by": "user", "at": draw(st.sampled_from([None, f"{soon}T09:00:00Z"]))}),
        ("call_outcome", {"task_id": "inv-1.call-asked.1", "outcome": "reached", "by": "a"}),
        ("grace_granted", {"until": (day + timedelta(days=draw(st.integers(0, 4)))).isoformat(), "by": "user"}),
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
def _parts(draw: st.DrawFn, currency: str, digits: int) -> list[Happening]:
    """A part is paid after the due date, for a head or for none, and some of it goes back."""
    paid, back = sorted(draw(st.tuples(*[st.integers(1, 1300 * 10**digits)] * 2)), reverse=True)
    money = {"payment_id": "part", "amount": str(Decimal(paid).scaleb(-digits)), "currency": currency}
    gone = {"payment_id": "part", "reason": "R01", "amount": str(Decimal(back).scaleb(-digits))}
    head = draw(st.sampled_from([None, *Head]))
    return [
        Happening(draw(st.integers(600, 1500)), "payment_received", money | {"designation": head}),
        Happening(draw(_WAITS), "payment_reversed", gone),
    ]


@st.composite
def _grace(draw: st.DrawFn, currency: str, digits: int) -> list[Happening]:
    """Long after the due date, when most ladders restrict, grace is asked for; then up to three things are said."""
    asked = {"ahead": draw(st.integers(1, 3)), "by": "user"}
    made = [Happening(draw(st.integers(0, 400)), "grace_granted", asked) for _ in range(draw(st.integers(1, 4)))]
    made.insert(0, Happening(draw(st.integers(800, 1600)), "resume", {"by": "a"}))
    place = draw(st.integers(2, len(made)))
    later = [_said(currency, digits, (BEGIN + timedelta(hours=2000)).date()) for _ in range(draw(st.integers(0, 3)))]
    made[place:place] = [Happening(draw(st.integers(0, 60)), *draw(one)) for one in later]
    return made


@st.composite
def _owed(draw: st.DrawFn, case: Case, zone: ZoneInfo) -> Owed:
    """German law, or for pounds British law, with base rates that change while the case is open."""
    law = files()["GB" if case.currency == "GBP" else "DE"]
    name = "boe-bank-rate" if case.currency == "GBP" else "de-base"
    coming = {BEGIN.date() + timedelta(days=days): Decimal(rate).scaleb(-2) for days, rate in draw(_BASES)}
    steps = [RateStep(valid_from=day, rate=rate) for day, rate in sorted(coming.items())]
    series = law.series[name].model_copy(update={"rates": (*law.series[name].rates, *steps)})
    return Owed(
        law=law.model_copy(update={"series": {name: series}}),
        kind=draw(_KINDS),
        terms=draw(_TERMS),
        zone=zone,
        currency=case.currency,
        digits=case.money.digits,
        issued_on=case.issued_on,
        due_on=case.due_on,
        tolerance=case.tolerance,
        amounts=[AmountFrom(on=case.issued_on, amount=case.money.amount)],
    )


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
    life = Life(policy, calendar, case, BEGIN, draw(_DELIVERIES), owed=draw(_owed(case, calendar.zone)))
    happenings = draw(_happenings(currency, digits))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(happenings)))
        happenings[place:place] = draw(_parts(currency, digits))
    if draw(st.integers(0, 3)) == 0:
        happenings = [*happenings[: draw(st.integers(0, 2))], *draw(_grace(currency, digits))]
    return life, happenings


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

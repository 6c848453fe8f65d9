"""When is what due: tables for single moments, laws for whole ladders under outages."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.channels import Channel
from dunwell.domain.ladder import (
    Judgement,
    Standing,
    StepDone,
    Verdict,
    advanced,
    judge,
    next_action,
    preview,
)
from dunwell.domain.policy import Policy, Step, When
from dunwell.domain.terms import Late, Role, Stage

MADRID = ZoneInfo("Europe/Madrid")
SANTIAGO = ZoneInfo("America/Santiago")
HOLIDAYS = {
    date(2025, 12, 24): "Christmas Eve",
    date(2025, 12, 25): "Christmas Day",
    date(2025, 12, 26): "Boxing Day",
    date(2026, 1, 1): "New Year's Day",
    date(2026, 1, 6): "Epiphany",
}
CALENDAR = BusinessCalendar(zone=MADRID, holidays=HOLIDAYS)
DAY = 86_400


def at(text: str, zone: ZoneInfo = MADRID) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def contact(name: str, when: str, after_due: int | None, late: Late = Late.SEND) -> Step:
    return Step(
        id=name,
        when=When.read(when),
        to=(Role.ACCOUNTS_PAYABLE,),
        by=(Channel.EMAIL,),
        message="reminder-first",
        asks=True,
        late=late,
        days_after_due=after_due,
    )


def policy(*steps: Step, gap_days: int = 1, floor: str | None = None) -> Policy:
    amount = Decimal(floor) if floor else None
    return Policy(name="trial", version=1, title="Trial", steps=steps, gap_days=gap_days, floor=amount)


def standing(
    *done: StepDone, due: str = "2026-01-12", shift: int = 0, awake: datetime | None = None, amount: str = "100"
) -> Standing:
    return Standing(
        issued_on=date(2025, 12, 15),
        due_on=date.fromisoformat(due),
        done=done,
        shift=shift,
        awake_since=awake,
        open_amount=Decimal(amount),
    )


def done(step: str, moment: str, *, shift: int = 0) -> StepDone:
    return StepDone(step=step, at=at(moment), outcome="done", shift=shift)


def skipped(step: str, moment: str) -> StepDone:
    return StepDone(step=step, at=at(moment), outcome="skipped", shift=0)


LONG_AGO = at("2025-12-15T08:00")


# Each row: when, the due date, the local moment, and why.
@pytest.mark.parametrize(
    ("when", "after_due", "due", "moment", "why"),
    [
        pytest.param(
            "due + 1 business day at 10:00", 1, "2026-01-12", "2026-01-13T10:00",
            "due + 1 business day at 10:00", id="the next business day",
        ),
        pytest.param(
            "due + 1 business day", 1, "2026-01-09", "2026-01-12T09:00",
            "due + 1 business day", id="over a weekend, at the opening when no hour is given",
        ),
        pytest.param(
            "due + 1 day at 10:00", 1, "2026-01-02", "2026-01-05T10:00",
            "due + 1 day at 10:00, moved from Sat 3 Jan (weekend)", id="a weekend moves the step",
        ),
        pytest.param(
            "due + 4 days at 10:00", 4, "2026-01-02", "2026-01-07T10:00",
            "due + 4 days at 10:00, moved from Tue 6 Jan (Epiphany)", id="a holiday moves the step",
        ),
        pytest.param(
            "due - 3 business days at 10:00", -5, "2026-01-08", "2026-01-02T10:00",
            "due - 3 business days at 10:00", id="counted back over a holiday and a weekend",
        ),
        pytest.param("due at 12:00", 0, "2026-01-12", "2026-01-12T12:00", "due at 12:00", id="the due date, at noon"),
        pytest.param(
            "due at 12:00", 0, "2026-01-10", "2026-01-12T12:00",
            "due at 12:00, moved from Sat 10 Jan (weekend)", id="never before a due date on a weekend",
        ),
        pytest.param("issued at 10:00", None, "2026-01-12", "2025-12-15T10:00", "issued at 10:00", id="at issue"),
    ],
)  # fmt: skip
def test_plans_the_first_step(when: str, after_due: int | None, due: str, moment: str, why: str) -> None:
    action = next_action(policy(contact("one", when, after_due)), standing(due=due), CALENDAR, LONG_AGO)
    assert action is not None
    assert (action.at, action.why) == (at(moment), why)
    assert action.at.tzinfo is UTC


TWO = policy(
    contact("one", "due + 1 business day at 10:00", 1),
    contact("two", "one + 14 days at 10:00", 15),
)


@pytest.mark.parametrize(
    ("before", "now", "moment", "note"),
    [
        pytest.param(
            standing(done("one", "2026-01-13T10:00")), "2026-01-13T10:01", "2026-01-27T10:00", "one + 14 days",
            id="counted from the day the step above was done",
        ),
        pytest.param(
            standing(done("one", "2026-01-20T15:00")), "2026-01-20T15:01", "2026-02-03T10:00", "one + 14 days",
            id="also when that was late",
        ),
        pytest.param(
            standing(skipped("one", "2026-01-13T10:00")), "2026-01-20T15:01", "2026-01-27T10:00", "one + 14 days",
            id="from the planned moment when it was skipped",
        ),
        pytest.param(
            standing(done("one", "2026-01-13T10:00"), shift=10 * DAY), "2026-01-26T09:00", "2026-02-06T10:00",
            "10 days later for the time it rested", id="later by the rest since then",
        ),
        pytest.param(
            standing(done("one", "2026-01-23T10:00", shift=10 * DAY), shift=10 * DAY), "2026-01-26T09:00",
            "2026-02-06T10:00", "one + 14 days", id="a rest before it counts once",
        ),
        pytest.param(
            standing(done("one", "2026-01-13T10:00"), shift=3 * 3600), "2026-01-14T09:00", "2026-01-27T10:00",
            "one + 14 days", id="a rest of hours keeps the day and the hour",
        ),
        pytest.param(
            standing(done("one", "2026-01-13T10:00"), due="2026-02-10"), "2026-01-14T09:00", "2026-02-11T10:00",
            "not before the due date Tue 10 Feb has passed", id="not before an amended due date",
        ),
        pytest.param(
            standing(done("one", "2026-01-13T10:00")), "2026-01-27T12:30", "2026-01-27T12:30", "one + 14 days",
            id="two hours behind: now",
        ),
        pytest.param(
            standing(done("one", "2026-01-13T10:00")), "2026-01-27T20:00", "2026-01-28T09:00", "one + 14 days",
            id="behind, in the evening: the next opening",
        ),
        pytest.param(
            standing(done("one", "2026-01-13T10:00")), "2026-03-07T12:00", "2026-03-09T09:00",
            "planned for Tue 27 Jan: sent late", id="weeks behind, on a Saturday: Monday",
        ),
    ],
)  # fmt: skip
def test_plans_the_step_after(before: Standing, now: str, moment: str, note: str) -> None:
    action = next_action(TWO, before, CALENDAR, at(now))
    assert action is not None
    assert (action.step, action.at) == ("two", at(moment))
    assert note in action.why


@pytest.mark.parametrize(
    ("gap", "moment"),
    [
        pytest.param(1, "2026-01-16T10:00", id="a day: its own moment"),
        pytest.param(2, "2026-01-16T10:00", id="two days: just its own moment"),
        pytest.param(3, "2026-01-19T10:00", id="three days: Saturday, so Monday at its hour"),
        pytest.param(7, "2026-01-21T10:00", id="a week"),
    ],
)
def test_keeps_the_gap_between_contacts(gap: int, moment: str) -> None:
    ladder = policy(contact("one", "due + 1 day", 1), contact("two", "due + 4 days at 10:00", 4), gap_days=gap)
    action = next_action(ladder, standing(done("one", "2026-01-14T16:00")), CALENDAR, at("2026-01-14T16:01"))
    assert action is not None
    assert action.at == at(moment)


# A round for a due date on Thursday 15 January begins on Monday, after a letter of the earlier round.
@pytest.mark.parametrize(
    ("before", "gap", "do", "moment"),
    [
        pytest.param("2026-01-12T10:00", 1, "send", "2026-01-13T10:00", id="a letter on the same day: a day later"),
        pytest.param("2026-01-09T10:00", 1, "send", "2026-01-12T10:00", id="a letter on Friday: its own moment"),
        pytest.param("2026-01-12T10:00", 3, "send", "2026-01-15T10:00", id="three days: the due date itself"),
        pytest.param(
            "2026-01-12T10:00", 4, "skip", "2026-01-12T10:00", id="four days: it would speak of the day before"
        ),
    ],
)
def test_keeps_the_gap_after_the_contacts_of_an_earlier_round(before: str, gap: int, do: str, moment: str) -> None:
    ladder = policy(contact("early", "due - 3 business days at 10:00", -5, Late.SKIP), gap_days=gap)
    anew = standing(due="2026-01-15").model_copy(update={"earlier": (done("letter", before),)})
    judged = judge(ladder, anew, CALENDAR, at("2026-01-12T10:00"))
    action = next_action(ladder, anew, CALENDAR, at("2026-01-12T10:00"))
    assert judged is not None and action is not None
    assert (judged.do, judged.at, action.at) == (Late(do), at(moment), at(moment))
    assert (f"{gap} day" in judged.why) is (before == "2026-01-12T10:00")


def test_a_gap_that_lasts_over_the_due_date_leaves_out_what_speaks_of_that_day() -> None:
    """The first call comes late, on the due date: the next one would ask on the day after to pay "today"."""
    ladder = policy(
        contact("early", "due - 3 business days at 10:00", -5, Late.SEND),
        contact("today", "due at 12:00", 0, Late.SKIP),
        contact("letter", "due + 1 business day at 10:00", 1),
    )
    lines = preview(ladder, standing(), CALENDAR, at("2026-01-12T09:30"))
    assert [(line.step, line.do, line.at) for line in lines] == [
        ("early", Late.SEND, at("2026-01-12T09:30")),
        ("today", Late.SKIP, at("2026-01-12T12:00")),
        ("letter", Late.SEND, at("2026-01-13T10:00")),
    ]


def test_a_step_counted_from_one_before_the_due_date_is_late_when_it_comes_after_it() -> None:
    """Three days after Friday the 9th is Monday the 12th; a day later it would still say that the 12th is to come."""
    ladder = policy(
        contact("early", "due - 1 business day at 10:00", -3, Late.SEND),
        contact("again", "early + 3 days at 10:00", 0, Late.SKIP),
    )
    on_the_day = preview(ladder, standing(), CALENDAR, at("2026-01-09T10:00"))
    a_day_after = judge(ladder, standing(done("early", "2026-01-10T10:00")), CALENDAR, at("2026-01-10T10:00"))
    assert [(line.step, line.do) for line in on_the_day] == [("early", Late.SEND), ("again", Late.SEND)]
    assert a_day_after is not None
    assert (a_day_after.step, a_day_after.do) == ("again", Late.SKIP)


def test_a_step_nobody_hears_of_needs_no_gap_but_keeps_its_place() -> None:
    close = Step(id="close", when=When.read("due + 2 days"), ends=Stage.WRITTEN_OFF, days_after_due=2)
    action = next_action(
        policy(contact("one", "due + 1 day", 1), close),
        standing(done("one", "2026-01-14T16:00")),
        CALENDAR,
        at("2026-01-14T16:00"),
    )
    assert action is not None
    assert action.at == at("2026-01-14T16:00")
    assert "not before one" in action.why


def test_hours_count_from_the_exact_moment() -> None:
    ladder = policy(contact("one", "due + 1 day", 1), contact("two", "one + 26 hours", 2))
    inside = next_action(ladder, standing(done("one", "2026-01-13T10:30")), CALENDAR, at("2026-01-13T11:00"))
    outside = next_action(ladder, standing(done("one", "2026-01-15T16:30")), CALENDAR, at("2026-01-15T17:00"))
    assert inside is not None and outside is not None
    assert inside.at == at("2026-01-14T12:30")
    assert outside.at == at("2026-01-19T09:00")
    assert "moved from Fri 16 Jan (outside 09:00-17:00)" in outside.why


# Planned for Tuesday 13 January at 10:00 local; one business day of grace.
@pytest.mark.parametrize(
    ("late", "now", "verdict", "do", "moment", "shift"),
    [
        pytest.param(Late.SKIP, "2026-01-13T10:00", "on_time", "send", "2026-01-13T10:00", 0, id="to the minute"),
        pytest.param(Late.SKIP, "2026-01-14T10:00", "on_time", "send", "2026-01-14T10:00", 0, id="in the grace"),
        pytest.param(Late.SEND, "2026-01-14T10:01", "late", "send", "2026-01-14T10:01", 0, id="late: send now"),
        pytest.param(Late.SEND, "2026-01-17T10:00", "late", "send", "2026-01-19T09:00", 0, id="send on Monday"),
        pytest.param(Late.SKIP, "2026-01-17T10:00", "late", "skip", "2026-01-13T10:00", 0, id="skip"),
        pytest.param(
            Late.SHIFT, "2026-01-17T10:00", "late", "shift", "2026-01-19T09:00", 6 * DAY, id="shift by six days"
        ),
        pytest.param(
            Late.SHIFT, "2026-04-13T11:00", "late", "shift", "2026-04-13T11:00", 90 * DAY, id="shift into summer time"
        ),
    ],
)
def test_judges_by_the_steps_own_rule(late: Late, now: str, verdict: str, do: str, moment: str, shift: int) -> None:
    ladder = policy(contact("one", "due + 1 business day at 10:00", 1, late))
    judged = judge(ladder, standing(), CALENDAR, at(now))
    assert judged is not None
    assert (judged.verdict, judged.do, judged.at, judged.shift) == (Verdict(verdict), Late(do), at(moment), shift)
    assert judged.planned == at("2026-01-13T10:00")


def test_the_grace_of_a_business_day_lasts_over_holidays() -> None:
    ladder = policy(contact("one", "due + 1 business day at 10:00", 1, Late.SKIP))
    before = standing(due="2025-12-22")  # planned for the 23rd; the 24th to the 28th are closed
    on_time = judge(ladder, before, CALENDAR, at("2025-12-29T10:00"))
    late = judge(ladder, before, CALENDAR, at("2025-12-29T10:01"))
    assert on_time is not None and late is not None
    assert (on_time.verdict, late.verdict) == (Verdict.ON_TIME, Verdict.LATE)


def test_a_rest_is_no_lateness() -> None:
    ladder = policy(contact("one", "due + 1 business day at 10:00", 1, Late.SKIP))
    rested = standing(awake=at("2026-02-02T12:00"))
    judged = judge(ladder, rested, CALENDAR, at("2026-02-02T12:00"))
    assert judged is not None
    assert (judged.verdict, judged.at) == (Verdict.ON_TIME, at("2026-02-02T12:00"))


@pytest.mark.parametrize(
    ("when", "after_due", "now", "do"),
    [
        pytest.param("due at 12:00", 0, "2026-01-12T16:00", "send", id="still the due date"),
        pytest.param("due at 12:00", 0, "2026-01-12T17:30", "skip", id="the due date is over before it can open"),
        pytest.param("due - 3 business days", -5, "2026-01-08T09:00", "send", id="a day behind, not yet due"),
        pytest.param("due - 3 business days", -5, "2026-01-09T09:00", "skip", id="two days behind"),
    ],
)
def test_what_speaks_of_a_day_to_come_is_late_once_it_is_over(when: str, after_due: int, now: str, do: str) -> None:
    rested = standing(shift=20 * DAY, awake=at(now))  # a rest does not move the due date
    judged = judge(policy(contact("one", when, after_due, Late.SKIP)), rested, CALENDAR, at(now))
    assert judged is not None
    assert judged.do == Late(do)


def test_a_shift_moves_steps_that_count_from_the_due_date_too() -> None:
    ladder = policy(
        contact("one", "due + 1 day at 10:00", 1, Late.SHIFT),
        contact("two", "due + 8 days at 10:00", 8),
        contact("three", "two + 7 days at 10:00", 15),
    )
    lines = preview(ladder, standing(), CALENDAR, at("2026-01-27T12:00"))
    assert [line.at for line in lines] == [
        at("2026-01-27T12:00"), at("2026-02-03T10:00"), at("2026-02-10T10:00"),
    ]  # fmt: skip
    assert "14 days later for the time it rested" in lines[1].why


def test_below_the_floor_nothing_goes_to_court() -> None:
    court = Step(id="court", when=When.read("one + 7 days"), stage=Stage.LEGAL, days_after_due=8)
    close = Step(id="close", when=When.read("court + 7 days"), ends=Stage.WRITTEN_OFF, days_after_due=15)
    ladder = policy(contact("one", "due + 1 day at 10:00", 1), court, close, floor="50")
    small = preview(ladder, standing(amount="49.99"), CALENDAR, LONG_AGO)
    large = preview(ladder, standing(amount="50.00"), CALENDAR, LONG_AGO)
    assert [line.step for line in small] == ["one", "close"]
    assert [line.step for line in large] == ["one", "court", "close"]
    assert small[-1].at == large[-1].at == at("2026-01-27T09:00")


def test_at_the_end_there_is_nothing_to_do() -> None:
    ended = standing(done("one", "2026-01-13T10:00"), done("two", "2026-01-27T10:00"))
    assert next_action(TWO, ended, CALENDAR, LONG_AGO) is None
    assert judge(TWO, ended, CALENDAR, LONG_AGO) is None
    assert preview(TWO, ended, CALENDAR, LONG_AGO) == ()


def test_steps_of_an_earlier_policy_stay_contacts() -> None:
    moved = standing(done("old-letter", "2026-01-13T15:00"))
    action = next_action(TWO, moved, CALENDAR, at("2026-01-13T15:01"))
    assert action is not None
    assert (action.step, action.at) == ("one", at("2026-01-14T10:00"))


def test_the_preview_names_the_days_it_passed_over() -> None:
    ladder = policy(
        contact("one", "due - 3 business days at 10:00", -5, Late.SKIP),
        contact("two", "due + 1 day at 10:00", 1),
        contact("three", "two + 1 business day at 10:00", 2),
    )
    lines = preview(ladder, standing(due="2026-01-02"), CALENDAR, LONG_AGO)
    assert [(line.step, line.at, line.closed) for line in lines] == [
        ("one", at("2025-12-29T10:00"), ("Thu 1 Jan: New Year's Day",)),
        ("two", at("2026-01-05T10:00"), ("Sat 3 Jan: weekend", "Sun 4 Jan: weekend")),
        ("three", at("2026-01-07T10:00"), ("Tue 6 Jan: Epiphany",)),
    ]
    assert {line.do for line in lines} == {Late.SEND}


def test_the_preview_says_what_is_left_out() -> None:
    ladder = policy(contact("early", "due - 3 business days", -5, Late.SKIP), contact("one", "due + 1 day", 1))
    early, one = preview(ladder, standing(), CALENDAR, at("2026-02-02T10:00"))
    assert (early.do, early.at, one.do, one.at) == (
        Late.SKIP, at("2026-01-07T09:00"), Late.SEND, at("2026-02-02T10:00"),
    )  # fmt: skip
    assert early.why == "due - 3 business days, planned for Wed 7 Jan: too late, left out"


@pytest.mark.parametrize(
    ("zone", "weekend", "due", "moments"),
    [
        pytest.param(SANTIAGO, {5, 6}, "2026-04-01", ["2026-04-02T10:00", "2026-04-16T10:00"], id="southern autumn"),
        pytest.param(SANTIAGO, {5, 6}, "2026-09-01", ["2026-09-02T10:00", "2026-09-16T10:00"], id="southern spring"),
        pytest.param(MADRID, {5, 6}, "2026-03-19", ["2026-03-20T10:00", "2026-04-03T10:00"], id="northern spring"),
        pytest.param(
            ZoneInfo("Asia/Kuwait"), {4, 5}, "2026-02-05", ["2026-02-08T10:00", "2026-02-22T10:00"], id="Sunday works"
        ),
    ],
)
def test_the_hour_is_the_debtors(zone: ZoneInfo, weekend: set[int], due: str, moments: list[str]) -> None:
    days = BusinessCalendar(zone=zone, weekend=frozenset(weekend))
    lines = preview(TWO, standing(due=due), days, at(f"{due}T00:00"))
    assert [line.at for line in lines] == [at(moment, zone) for moment in moments]


# --- laws ---------------------------------------------------------------------------------------------------

_calendars = st.builds(
    BusinessCalendar,
    zone=st.sampled_from([MADRID, SANTIAGO, ZoneInfo("Asia/Kuwait"), ZoneInfo("Pacific/Chatham"), ZoneInfo("UTC")]),
    holidays=st.sets(st.dates(date(2025, 12, 1), date(2026, 4, 30)), max_size=15).map(
        lambda days: dict.fromkeys(sorted(days), "a holiday")
    ),
    weekend=st.sampled_from([frozenset({5, 6}), frozenset({4, 5}), frozenset({6}), frozenset[int]()]),
    opens=st.sampled_from([time(8), time(9)]),
    closes=st.sampled_from([time(12), time(17), time(21)]),
)


@st.composite
def _ladders(draw: st.DrawFn) -> Policy:
    """Ladders of up to six steps, each counted from the due date or from a step above, in order."""
    steps: list[Step] = []
    after = 0
    for position in range(draw(st.integers(1, 6))):
        apart = draw(st.integers(0, 9))
        unit = draw(st.sampled_from(["days", "business days", "hours"])) if steps else "days"
        clock = draw(st.sampled_from(["", " at 10:00", " at 11:30"])) if unit != "hours" else ""
        anchor = draw(st.sampled_from(["due", steps[-1].id])) if steps and unit != "hours" else "due"
        anchor = steps[-1].id if unit == "hours" else anchor
        after += 1 + apart
        offset = after if anchor == "due" else 1 + apart
        late = draw(st.sampled_from(Late))
        steps.append(contact(f"step-{position}", f"{anchor} + {offset} {unit}{clock}", after, late))
    return policy(*steps, gap_days=draw(st.integers(1, 5)))


@st.composite
def _standings(draw: st.DrawFn) -> Standing:
    due = draw(st.dates(date(2025, 12, 1), date(2026, 3, 31)))
    return standing(due=due.isoformat(), shift=draw(st.integers(0, 30 * DAY)))


_outages = st.lists(st.timedeltas(timedelta(0), timedelta(days=40)) | st.just(timedelta(0)), min_size=6, max_size=6)


def climb(
    ladder: Policy, before: Standing, days: BusinessCalendar, outages: list[timedelta]
) -> list[tuple[Judgement, Standing]]:
    """Run the ladder to its end, every step woken late by its outage."""
    now, taken = LONG_AGO, list[tuple[Judgement, Standing]]()
    for outage in outages:
        action = next_action(ladder, before, days, now)
        if action is None:
            break
        assert action.at >= now
        assert days.is_open(action.at)
        now = action.at + outage
        judged = judge(ladder, before, days, now)
        assert judged is not None and judged.step == action.step
        before = advanced(before, judged)
        now = max(now, judged.at)
        taken.append((judged, before))
    assert next_action(ladder, before, days, now) is None
    return taken


@given(_ladders(), _standings(), _calendars, _outages)
def test_no_step_is_lost_repeated_or_out_of_order(
    ladder: Policy, before: Standing, days: BusinessCalendar, outages: list[timedelta]
) -> None:
    taken = climb(ladder, before, days, outages)
    assert [judged.step for judged, _ in taken] == [step.id for step in ladder.steps]
    moments = [judged.at for judged, _ in taken if judged.do is not Late.SKIP]
    assert moments == sorted(moments)


@given(_ladders(), _standings(), _calendars, _outages)
def test_contacts_are_made_in_open_hours_with_a_gap_and_after_the_due_date(
    ladder: Policy, before: Standing, days: BusinessCalendar, outages: list[timedelta]
) -> None:
    contacts = [judged.at for judged, _ in climb(ladder, before, days, outages) if judged.do is not Late.SKIP]
    assert all(days.is_open(moment) for moment in contacts)
    dates = [days.local_date(moment) for moment in contacts]
    assert all(day > before.due_on for day in dates)
    assert all((later - day).days >= ladder.gap_days for day, later in pairwise(dates))


@given(_ladders(), _standings(), _calendars, _outages)
def test_only_what_is_late_and_says_so_is_left_out_or_moves_the_rest(
    ladder: Policy, before: Standing, days: BusinessCalendar, outages: list[timedelta]
) -> None:
    for judged, _ in climb(ladder, before, days, outages):
        late = judged.verdict is Verdict.LATE
        assert judged.do is (ladder.step(judged.step).late if late else Late.SEND)
        assert (judged.shift > 0) is (judged.do is Late.SHIFT)


@given(_ladders(), _standings(), _calendars)
def test_without_outages_nothing_is_late_and_the_preview_is_what_happens(
    ladder: Policy, before: Standing, days: BusinessCalendar
) -> None:
    taken = [judged for judged, _ in climb(ladder, before, days, [timedelta(0)] * 6)]
    lines = preview(ladder, before, days, LONG_AGO)
    assert [(line.step, line.at, line.do) for line in lines] == [(one.step, one.at, one.do) for one in taken]
    if before.due_on > days.local_date(LONG_AGO):
        assert all(one.verdict is Verdict.ON_TIME for one in taken)


@given(
    _ladders().filter(lambda ladder: all("business" not in str(one.when) for one in ladder.steps)),
    st.dates(date(2026, 1, 1), date(2026, 3, 31)),
    st.integers(2, 60),
)
def test_a_shift_keeps_all_distances(ladder: Policy, due: date, behind: int) -> None:
    always = BusinessCalendar(zone=ZoneInfo("UTC"), weekend=frozenset())
    first = ladder.steps[0].model_copy(update={"late": Late.SHIFT})
    ladder = ladder.model_copy(update={"steps": (first, *ladder.steps[1:])})
    before = standing(due=due.isoformat())
    usual = preview(ladder, before, always, LONG_AGO)
    later = preview(ladder, before, always, usual[0].at + timedelta(days=behind))
    assert [line.at - usual[0].at for line in usual] == [line.at - later[0].at for line in later]


# Spread ---------------------------------------------------------------------------------------------------


def _of(customer_id: str) -> Standing:
    return standing().model_copy(update={"customer_id": customer_id})


@pytest.mark.parametrize(
    ("when", "now", "first", "last"),
    [
        pytest.param("due + 1 day at 10:00", "2025-12-15T08:00", "10:00", "10:29", id="from the step's own hour"),
        pytest.param("due + 1 day at 16:50", "2025-12-15T08:00", "16:50", "16:59", id="never after closing"),
        pytest.param("due + 1 day at 10:00", "2026-01-13T20:00", "09:00", "09:29", id="after a night's outage"),
    ],
)
def test_customers_are_spread_over_the_ladder_s_minutes(when: str, now: str, first: str, last: str) -> None:
    ladder = policy(contact("one", when, 1)).model_copy(update={"spread_minutes": 30})
    actions = [next_action(ladder, _of(f"customer-{number}"), CALENDAR, at(now)) for number in range(300)]
    moments = [f"{action.at.astimezone(MADRID):%H:%M}" for action in actions if action is not None]
    assert len(moments) == 300
    assert first <= min(moments) <= max(moments) <= last
    assert len(set(moments)) > 8


def test_a_customer_s_place_is_always_the_same() -> None:
    """Whichever invoice or step asks: what one letter can carry stays together. The preview shows the very moment."""
    ladder = policy(contact("one", "due + 1 day at 10:00", 1)).model_copy(update={"spread_minutes": 30})
    before = _of("acme")
    later = before.model_copy(update={"due_on": date(2026, 1, 13)})
    here, there = (next_action(ladder, one, CALENDAR, LONG_AGO) for one in (before, later))
    assert here is not None
    assert there is not None
    assert there.at - here.at == timedelta(days=1)
    assert preview(ladder, before, CALENDAR, LONG_AGO)[0].at == here.at
    judged = judge(ladder, before, CALENDAR, here.at)
    assert judged is not None
    assert (judged.at, judged.verdict) == (here.at, Verdict.ON_TIME)

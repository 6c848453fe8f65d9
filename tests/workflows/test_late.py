"""G4 and G5: what was not done in time. Whatever was missed, no step is lost, none is jumped, no hour is indecent.

The cases live by the server's own clock, set to a Monday in February 2038: a rehearsal's clock would wait for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from temporalio.testing import WorkflowEnvironment

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.invoice import Invoice
from dunwell.domain.policy import Policy
from dunwell.domain.terms import Role
from dunwell.gateways.holidays import HolidayLibrary
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from tests.builders import a_contact, a_customer, an_invoice, the_ladders
from tests.workflows.harness import LATER, CaseHarness, harness_on

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TODAY = LATER.date()
MONDAY = date(2038, 3, 1)
PEOPLE = (
    a_contact(phone="+4930123456"),
    a_contact(Role.USER),
    a_contact(Role.MANAGER),
    a_contact(Role.EXECUTIVE),
    a_contact(Role.ACCOUNT_MANAGER),
)


@pytest.fixture
async def late(harness: CaseHarness) -> CaseHarness:
    """A harness whose server shows the morning of LATER."""
    await harness.turn_server_clock(LATER)
    return harness


def bill(due_on: date = MONDAY, policy: str = "gentle-saas", **customer: Any) -> Invoice:
    people = {"contacts": PEOPLE} | customer
    return an_invoice(
        policy=policy, issued_on=due_on - timedelta(days=30), due_on=due_on, customer=a_customer(**people)
    )


def ladder_of(invoice: Invoice) -> Policy:
    assert invoice.policy is not None
    return the_ladders()[invoice.policy]


def calendar_of(invoice: Invoice) -> BusinessCalendar:
    who, window = invoice.customer, ladder_of(invoice).window
    hours = (f"{window[0]:%H:%M}", f"{window[1]:%H:%M}")
    return HolidayLibrary().calendar(who.country, who.time_zone, hours, date(2036, 1, 1), date(2040, 1, 1))


@dataclass(frozen=True)
class Contacted:
    step: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.at:%m-%d %H:%M} {self.step}"


def contacts(harness: CaseHarness, invoice: Invoice) -> list[Contacted]:
    """Every letter and call, once a step, in order, in the debtor's time."""
    zone, first = ZoneInfo(invoice.customer.time_zone), dict[str, datetime]()
    with harness.deps.database.reading() as session:
        rows = session.scalars(select(TaskRow).where(TaskRow.kind == "call"))
        calls = [(row.step, row.due_at) for row in rows]
    letters = [(message["step"], message["at"]) for message in harness.messages()]
    for step, moment in sorted([*letters, *calls], key=lambda one: one[1]):
        first.setdefault(step, moment.astimezone(zone))
    return [Contacted(step, moment) for step, moment in first.items()]


def shown(harness: CaseHarness, invoice: Invoice) -> str:
    return ", ".join(map(str, contacts(harness, invoice)))


def left_out(harness: CaseHarness) -> int:
    return sum(kind == "skipped" for kind, _ in harness.timeline())


def check_laws(harness: CaseHarness, invoice: Invoice) -> None:
    """What holds however late everything is."""
    calendar, told = calendar_of(invoice), contacts(harness, invoice)
    steps = [step.id for step in ladder_of(invoice).steps]
    order = [steps.index(one.step) for one in told if one.step in steps]
    assert all(calendar.is_open(one.at) for one in told), shown(harness, invoice)
    assert order == sorted(order)
    days = [one.at.date() for one in told]
    assert all(earlier < later for earlier, later in pairwise(days)), shown(harness, invoice)
    _check_warnings(invoice, [one for one in told if one.step in steps])


def _check_warnings(invoice: Invoice, told: Sequence[Contacted]) -> None:
    """No consequence without the steps that announce it and the proof it needs, long enough before."""
    policy = ladder_of(invoice)
    when = {one.step: one.at for one in told}
    for step in policy.steps:
        if step.id not in when or not step.consequence:
            continue
        before = [
            when[one.id] for one in policy.steps if one.warning and one.id in when and when[one.id] < when[step.id]
        ]
        announced = [one.id for one in policy.steps if step.id in one.announces]
        assert set(announced) <= set(when)
        if step.needs:
            assert len(before) >= step.needs.delivered_warnings
            assert max(before) + timedelta(days=step.needs.days) <= when[step.id]


# Nobody works --------------------------------------------------------------------------------------------


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2038-{text}+00:00")


async def live_until(harness: CaseHarness, invoice: Invoice, moment: datetime) -> None:
    """From LATER on all is well."""
    await harness.start(invoice, real_time=True)
    await harness.sleep(moment - await harness.now())


async def be_gone_until(harness: CaseHarness, moment: datetime) -> None:
    """Nobody works before `moment`; then all is well again for the rest of the ladder."""
    await harness.outage(seconds=(moment - await harness.now()).total_seconds())
    await harness.pass_time(days=75)


@pytest.mark.parametrize(
    ("policy", "due", "gone", "back", "told", "skipped"),
    [
        # a weekend: back within a business day, it is on time
        (
            "gentle-saas",
            "02-26",
            "02-26 17:00",
            "03-01 13:00",
            "03-01 14:00 first-reminder, 03-15 10:00 second-reminder, 03-19 10:00 restrict, "
            "04-02 10:00 last-letter, 04-16 10:00 hand-over",
            0,
        ),
        # back on a Saturday, a week late: sent on Monday, and two weeks stay two weeks; Easter is on 25 April
        (
            "gentle-saas",
            "02-26",
            "02-26 17:00",
            "03-06 12:00",
            "03-08 09:00 first-reminder, 03-22 10:00 second-reminder, 03-26 10:00 restrict, "
            "04-09 10:00 last-letter, 04-27 10:00 hand-over",
            0,
        ),
        # over Easter: the first open hour for it was on Tuesday morning
        (
            "gentle-saas",
            "04-22",
            "04-22 17:00",
            "04-27 12:00",
            "04-27 14:00 first-reminder, 05-11 10:00 second-reminder, 05-17 10:00 restrict, "
            "05-31 10:00 last-letter, 06-15 10:00 hand-over",
            0,
        ),
        # a month, and the warning was to leave in it: the restriction keeps its distance
        (
            "gentle-saas",
            "03-01",
            "03-10 12:00",
            "04-09 12:00",
            "03-02 10:00 first-reminder, 04-09 14:00 second-reminder, 04-15 10:00 restrict, "
            "04-29 10:00 last-letter, 05-13 10:00 hand-over",
            0,
        ),
        # a month, and the restriction was to come in it
        (
            "gentle-saas",
            "03-01",
            "03-17 12:00",
            "04-16 12:00",
            "03-02 10:00 first-reminder, 03-16 10:00 second-reminder, 04-16 14:00 restrict, "
            "04-30 10:00 last-letter, 05-14 10:00 hand-over",
            0,
        ),
        # the call before the due date is left out, the one on the day is made
        (
            "gradual-pressure",
            "03-01",
            "02-23 12:00",
            "02-27 12:00",
            "03-01 12:00 due-call, 03-02 10:00 letter, 03-03 11:00 promise-call, 03-04 11:00 demand-call, "
            "03-10 10:00 complaint, 03-24 10:00 hand-over",
            1,
        ),
        # both calls are left out, the letter is sent, and then a step a day at most
        (
            "gradual-pressure",
            "03-01",
            "02-23 12:00",
            "03-25 12:00",
            "03-25 13:00 letter, 03-26 11:00 promise-call, 03-29 11:00 demand-call, 04-02 10:00 complaint, "
            "04-16 10:00 hand-over",
            2,
        ),
        # in the middle of the calls
        (
            "gradual-pressure",
            "03-01",
            "03-03 09:30",
            "04-02 12:00",
            "02-24 10:00 early-call, 03-01 12:00 due-call, 03-02 10:00 letter, 04-02 14:00 promise-call, "
            "04-05 11:00 demand-call, 04-09 10:00 complaint, 04-27 10:00 hand-over",
            0,
        ),
        (
            "freelance-milestones",
            "03-01",
            "02-23 12:00",
            "03-25 12:00",
            "02-22 09:00 invoice, 03-25 13:00 reminder, 03-30 11:00 call, 04-06 10:00 complaint, "
            "04-20 10:00 hand-over",
            0,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 25 else "",
)
async def test_each_step_follows_its_own_rule_after_an_outage(
    late: CaseHarness, policy: str, due: str, gone: str, back: str, told: str, skipped: int
) -> None:
    invoice = bill(date.fromisoformat(f"2038-{due}"), policy)
    await live_until(late, invoice, utc(gone))
    await be_gone_until(late, utc(back))
    assert shown(late, invoice) == told
    assert left_out(late) == skipped
    check_laws(late, invoice)


BEGINNINGS = {
    "gentle-saas": "first-reminder, 03-08 10:00 second-reminder, 03-12 10:00 restrict, 03-26 10:00 last-letter, "
    "04-09 10:00 hand-over",
    "gradual-pressure": "letter, 02-23 11:00 promise-call, 02-24 11:00 demand-call, 03-02 10:00 complaint, "
    "03-16 10:00 hand-over",
    "freelance-milestones": "invoice, 02-23 10:00 reminder, 02-26 11:00 call, 03-05 10:00 complaint, "
    "03-19 10:00 hand-over",
}


@pytest.mark.parametrize("policy", BEGINNINGS)
@pytest.mark.parametrize("overdue", [3, 30, 90, 400])
async def test_an_old_invoice_begins_at_the_first_letter(late: CaseHarness, policy: str, overdue: int) -> None:
    """However old the debt, the whole ladder is walked; only calls about a due date to come are left out."""
    invoice = bill(TODAY - timedelta(days=overdue), policy)
    await late.start(invoice, real_time=True)
    await late.pass_time(days=75)
    first, told = shown(late, invoice).split(" ", 2)[1:]
    # Three days after a Friday is a Monday: that reminder is not even late, and keeps its hour.
    assert first == ("10:00" if overdue == 3 and policy != "freelance-milestones" else "09:00")
    assert told == BEGINNINGS[policy]
    assert left_out(late) == (2 if policy == "gradual-pressure" else 0)
    check_laws(late, invoice)


# What was agreed runs out while nobody works -------------------------------------------------------------


TWO_PARTS = [{"date": "2038-03-10", "amount": "600.00"}, {"date": "2038-03-20", "amount": "600.00"}]


@pytest.mark.parametrize(
    ("agreed", "content", "told"),
    [
        # the broken word is named first, and the next letter keeps a day's distance
        (
            "promise_to_pay",
            {"date": "2038-03-11", "promised_by": "user"},
            "03-04 13:00 promise-confirmed~1, 04-05 09:00 promise-broken~2, 04-06 09:00 second-reminder, "
            "04-12 10:00 restrict",
        ),
        (
            "payment_plan_agreed",
            {"instalments": TWO_PARTS, "by": "agent-7"},
            "03-04 13:00 plan-agreed~1, 04-05 09:00 instalment-missed~2, 04-06 09:00 second-reminder, "
            "04-12 10:00 restrict",
        ),
        # the pause was over in March: the letter is late now, and sent at once
        (
            "pause",
            {"reason": "holiday", "by": "agent-7", "until": "2038-03-11"},
            "04-05 09:00 second-reminder, 04-09 10:00 restrict",
        ),
        # the pause is not over yet: its rest counts to its end, 47 days
        (
            "pause",
            {"reason": "holiday", "by": "agent-7", "until": "2038-04-20"},
            "05-03 10:00 second-reminder, 05-07 10:00 restrict",
        ),
    ],
    ids=["promise", "plan", "pause over", "pause goes on"],
)
async def test_what_ran_out_during_an_outage(
    late: CaseHarness, agreed: str, content: dict[str, Any], told: str
) -> None:
    invoice = bill()
    await live_until(late, invoice, utc("03-04 12:00"))
    await late.tell(agreed, **content)
    await late.pass_time(days=1)
    await be_gone_until(late, utc("04-04 12:00"))
    after = shown(late, invoice).removeprefix("03-02 10:00 first-reminder, ")
    assert after.startswith(told)
    check_laws(late, invoice)


# Clocks and weeks of other places ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "zone", "due", "days_gone", "offsets"),
    [
        # summer time begins in the north on 28 March
        ("DE", "Europe/Berlin", "03-10", 0, {"+0100", "+0200"}),
        ("DE", "Europe/Berlin", "03-10", 20, {"+0200"}),
        ("DE", "Europe/Berlin", "10-15", 0, {"+0200", "+0100"}),
        # and ends in the south on 4 April
        ("CL", "America/Santiago", "03-19", 0, {"-0300", "-0400"}),
        ("CL", "America/Santiago", "03-19", 20, {"-0400"}),
        ("CL", "America/Santiago", "08-20", 0, {"-0400", "-0300"}),
        ("AU", "Australia/Sydney", "03-19", 0, {"+1100", "+1000"}),
        ("AU", "Australia/Sydney", "09-17", 20, {"+1100"}),
    ],
)
async def test_ten_stays_ten_when_the_clocks_change(
    late: CaseHarness, country: str, zone: str, due: str, days_gone: int, offsets: set[str]
) -> None:
    invoice = bill(date.fromisoformat(f"2038-{due}"), country=country, time_zone=zone)
    dawn = utc(f"{due} 00:00")
    await late.turn_server_clock(dawn)
    await live_until(late, invoice, dawn + timedelta(hours=1))
    await be_gone_until(late, dawn + timedelta(days=days_gone, hours=2))
    told = contacts(late, invoice)
    assert len(told) == 5
    # Only what was late, or moved with it, may come at another hour.
    assert all(f"{one.at:%H:%M}" == "10:00" for one in told[bool(days_gone) :])
    assert {f"{one.at:%z}" for one in told} == offsets
    check_laws(late, invoice)


@pytest.mark.parametrize("policy", BEGINNINGS)
@pytest.mark.parametrize(
    ("country", "zone", "days_gone"), [("EG", "Africa/Cairo", 8), ("SA", "Asia/Riyadh", 0)], ids=["EG, late", "SA"]
)
async def test_friday_and_saturday_are_a_weekend_where_they_are(
    late: CaseHarness, policy: str, country: str, zone: str, days_gone: int
) -> None:
    thursday = date(2038, 3, 4)
    invoice = bill(thursday, policy, country=country, time_zone=zone)
    await live_until(late, invoice, utc("03-04 16:00"))
    await be_gone_until(late, utc("03-04 17:00") + timedelta(days=days_gone))
    told = contacts(late, invoice)
    weekdays = {f"{one.at:%a}" for one in told}
    assert len(told) >= 5
    assert not weekdays & {"Fri", "Sat"}
    assert "Sun" in weekdays
    check_laws(late, invoice)


class ZoneData:
    """The holiday library on a machine whose zone data can be renewed: the name stays, the rules change."""

    def __init__(self) -> None:
        self.rules = ZoneInfo("Etc/GMT-1")  # by the sign of this name an hour ahead of UTC

    def calendar(
        self, country: str, time_zone: str, window: tuple[str, str], first: date, last: date
    ) -> BusinessCalendar:
        return replace(HolidayLibrary().calendar(country, time_zone, window, first, last), zone=self.rules)


@pytest.mark.parametrize(
    ("renewed", "due", "first"),
    [
        # planned for 10:00 an hour ahead of UTC
        ("Etc/GMT-3", "03-01", "03-02 12:00"),  # noon now: inside of the window
        ("Etc/GMT-9", "03-01", "03-03 09:00"),  # evening now: the next morning
        ("Etc/GMT+2", "03-01", "03-02 10:00"),  # too early now: waits for its hour by the new rules
        ("Etc/GMT+12", "03-01", "03-02 10:00"),  # it is still the day before
        ("Etc/GMT+12", "02-26", "03-01 10:00"),  # it is still Sunday
        ("Etc/GMT-14", "03-04", "03-08 09:00"),  # late on Friday evening: on Monday
    ],
)
async def test_a_zone_that_changes_its_rules(
    time_skipping: WorkflowEnvironment, database: Database, renewed: str, due: str, first: str
) -> None:
    zones = ZoneData()
    async with harness_on(time_skipping, database, business_days=zones) as harness:
        await harness.turn_server_clock(LATER)
        invoice = bill(date.fromisoformat(f"2038-{due}"))
        await harness.start(invoice, real_time=True)
        await harness.pass_time(days=1)
        zones.rules = ZoneInfo(renewed)
        await harness.pass_time(days=60)
        moments = {message["step"]: message["at"].astimezone(zones.rules) for message in reversed(harness.messages())}
    assert f"{moments['first-reminder']:%m-%d %H:%M}" == first
    assert len(moments) >= 4
    assert all(moment.weekday() < 5 and 9 <= moment.hour < 17 for moment in moments.values())

"""The formulas of figures by a worked example, at their edges, and over months and days of every length."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from dunwell.domain.figures.ageing import Ageing, Bucket, bucket_of
from dunwell.domain.figures.cash import cash
from dunwell.domain.figures.collection import (
    count_back,
    days_of_sales,
    effectiveness,
    roll_forward,
    sales_by_month,
)
from dunwell.domain.figures.contact import Cash, Contact, StepName, after_contact, contact_to_cash
from dunwell.domain.figures.lateness import average_days_late, risk
from dunwell.domain.figures.period import AsOf, Period, month, month_end, months
from dunwell.domain.figures.promise import Promised, PromiseFigures
from dunwell.domain.figures.receivable import Movement, Receivable, Receivables, Standing
from dunwell.domain.terms import PromiseState, Stage
from tests.builders import at

ALWAYS = datetime.min.replace(tzinfo=UTC)
MARCH = AsOf.end_of(date(2027, 3, 31))
QUARTER = Period(date(2027, 1, 1), date(2027, 3, 31))


def owed(
    amount: str, issued: str, due: str, *paid: tuple[str, str], changes: tuple[Standing, ...] = ()
) -> Receivable:
    """An invoice, with what was paid on which days."""
    first = Standing(ALWAYS, Decimal(amount), date.fromisoformat(due), Decimal("0.50"))
    movements = [Movement(at(day), Decimal(sum_), f"p{number}") for number, (day, sum_) in enumerate(paid)]
    return Receivable(f"{issued}-{amount}", date.fromisoformat(issued), [first, *changes], movements)


def several(*values: object) -> tuple[object, ...]:
    """The values, to be compared with numbers of another kind."""
    return values


def one_place(value: Decimal | None) -> Decimal | None:
    return None if value is None else round(value, 1)


def the_example() -> Receivables:
    """Opening receivables 6,200; sales of 3,390, 3,610 and 3,890; closing 6,340, of which 3,590 are not late."""
    return Receivables(
        [
            owed("4000", "2026-12-10", "2027-01-09", ("2027-01-20 10:00", "4000")),
            owed("2200", "2026-12-20", "2027-01-19", ("2027-02-05 10:00", "1600")),
            owed("3390", "2027-01-15", "2027-02-14", ("2027-03-01 10:00", "2890")),
            owed("3610", "2027-02-10", "2027-03-12", ("2027-03-20 10:00", "1960")),
            owed("3590", "2027-03-05", "2027-04-04"),
            owed("300", "2027-03-31", "2027-03-31", ("2027-03-31 12:00", "300")),
        ]
    )


def test_the_worked_example() -> None:
    book = the_example()
    ageing = Ageing.of(book.open_items(MARCH))
    flow = roll_forward(book, QUARTER, MARCH)
    assert several(flow.opening, flow.sales, ageing.open, ageing.current) == (6200, 10890, 6340, 3590)
    assert [several(sales, days) for sales, days in sales_by_month(book, MARCH)][:3] == [
        (3890, 31),
        (3610, 28),
        (3390, 31),
    ]
    dso = days_of_sales(ageing.open, flow.sales, QUARTER.days)
    best = days_of_sales(ageing.current, flow.sales, QUARTER.days)
    assert dso is not None
    assert best is not None
    assert one_place(dso) == Decimal("52.4")
    assert one_place(count_back(ageing.open, sales_by_month(book, MARCH))) == Decimal("50.0")
    assert one_place(best) == Decimal("29.7")
    assert one_place(dso - best) == Decimal("22.7")
    assert one_place(effectiveness(flow.opening, flow.sales, ageing.open, ageing.current)) == Decimal("79.6")


# Periods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "days"),
    [
        ("2027-03-31", [31, 28, 31, 31]),
        ("2028-02-29", [29, 31, 31, 30]),
        ("2027-02-28", [28, 31, 31, 30]),
        ("2027-04-30", [30, 31, 28, 31]),
        ("2027-03-30", [30, 29, 31, 30]),  # from 1 March, 31 January, 31 December, 1 December
        ("2027-04-15", [31, 28, 31, 31]),
    ],
)
def test_months_end_on_the_same_day_or_are_calendar_months(last: str, days: list[int]) -> None:
    end = date.fromisoformat(last)
    found = [month(end, back) for back in range(4)]
    assert [one.days for one in found] == days
    for later, earlier in pairwise(found):
        assert earlier.last + timedelta(days=1) == later.first
    assert months(end, 4) == Period(found[3].first, end)
    assert month_end(end, 0) == end


@pytest.mark.parametrize("day", ["2027-03-27", "2027-03-28", "2027-10-31", "2027-12-31"])
def test_a_day_ends_at_midnight_utc_whatever_clocks_do(day: str) -> None:
    as_of = AsOf.end_of(date.fromisoformat(day))
    assert as_of.moment.date() == as_of.day
    assert (as_of.moment + timedelta(microseconds=1)).time() == datetime.min.time()
    assert AsOf.at(as_of.moment) == as_of


@pytest.mark.parametrize(
    ("late", "bucket"),
    [
        (-5, Bucket.NOT_DUE),
        (0, Bucket.NOT_DUE),
        (1, Bucket.TO_30),
        (30, Bucket.TO_30),
        (31, Bucket.TO_60),
        (60, Bucket.TO_60),
        (61, Bucket.TO_90),
        (90, Bucket.TO_90),
        (91, Bucket.OVER_90),
    ],
)
def test_days_late_have_one_bucket(late: int, bucket: Bucket) -> None:
    assert bucket_of(late) is bucket


# Edges ----------------------------------------------------------------------------------------------------


def test_nothing_at_all() -> None:
    book = Receivables([])
    assert Ageing.of(book.open_items(MARCH)).open == 0
    assert list(sales_by_month(book, MARCH)) == []
    assert set(roll_forward(book, QUARTER, MARCH)) == {0}
    assert average_days_late(book, QUARTER, MARCH) is None
    assert risk(book, QUARTER, MARCH).share is None
    assert PromiseFigures.of([], QUARTER, MARCH).kept_share is None
    assert contact_to_cash({}, []) is None


def test_without_sales_there_is_no_dso_and_without_receivables_it_is_zero() -> None:
    assert days_of_sales(Decimal(100), Decimal(0), 90) is None
    assert days_of_sales(Decimal(0), Decimal(100), 90) == 0
    assert count_back(Decimal(0), []) == 0
    assert count_back(Decimal(100), [(Decimal(60), 31)]) is None
    assert effectiveness(Decimal(0), Decimal(100), Decimal(100), Decimal(100)) is None


def test_a_month_without_sales_adds_its_days() -> None:
    assert count_back(Decimal(150), [(Decimal(100), 31), (Decimal(0), 28), (Decimal(100), 31)]) == 31 + 28 + Decimal(
        "15.5"
    )


def test_a_company_one_day_old_has_a_period_of_one_day() -> None:
    period = months(date(2027, 3, 31), 3).since(date(2027, 3, 31))
    assert period.days == 1
    assert months(date(2027, 3, 31), 3).since(date(2027, 6, 1)).days == 1


def test_an_invoice_is_owed_from_its_day_of_issue_even_if_it_was_paid_before() -> None:
    book = Receivables([owed("100", "2027-03-10", "2027-04-09", ("2027-03-01 10:00", "40"))])
    assert [one.open for one in book.open_items(AsOf.end_of(date(2027, 3, 9)))] == []
    assert [one.open for one in book.open_items(AsOf.end_of(date(2027, 3, 10)))] == [60]


def test_what_is_paid_too_much_is_credit_and_never_a_negative_receivable() -> None:
    invoice = owed("100", "2027-03-01", "2027-03-31", ("2027-03-10 10:00", "130"))
    invoice.given.append((at("2027-03-20 10:00"), Decimal(10)))
    book = Receivables([invoice])
    assert list(book.open_items(MARCH)) == []
    assert [invoice.credit(at(f"2027-03-{day} 12:00")) for day in ("09", "10", "20")] == [0, 30, 20]
    assert sum((one.amount for one in cash(book, at("2027-03-01 00:00"), MARCH.moment)), Decimal(0)) == 130


def test_a_cancelled_invoice_is_no_sale_any_more_and_what_was_paid_on_it_is_credit() -> None:
    gone = Standing(at("2027-03-15 10:00"), Decimal(100), date(2027, 3, 31), end=Stage.CANCELLED)
    invoice = owed("100", "2027-03-01", "2027-03-31", ("2027-03-10 10:00", "40"), changes=(gone,))
    book, before = Receivables([invoice]), AsOf.end_of(date(2027, 3, 14))
    assert several(book.sales(QUARTER, before), invoice.balance(before).open, invoice.credit(before.moment)) == (
        100,
        60,
        0,
    )
    assert several(book.sales(QUARTER, MARCH), invoice.balance(MARCH).open, invoice.credit(MARCH.moment)) == (
        0,
        0,
        40,
    )


def test_a_written_off_invoice_stays_a_sale_and_leaves_receivables() -> None:
    gone = Standing(at("2027-03-15 10:00"), Decimal(100), date(2027, 3, 31), end=Stage.WRITTEN_OFF)
    invoice = owed("100", "2027-03-01", "2027-03-31", ("2027-03-10 10:00", "40"), changes=(gone,))
    flow = roll_forward(Receivables([invoice]), QUARTER, MARCH)
    assert several(*flow) == (0, 100, 0, 40, 60, 0)


def test_a_small_rest_is_let_go_once_something_was_paid() -> None:
    near = owed("100", "2027-03-01", "2027-03-31", ("2027-03-10 10:00", "99.50"))
    far = owed("100", "2027-03-02", "2027-03-31", ("2027-03-10 10:00", "99.49"))
    tiny = owed("0.40", "2027-03-03", "2027-03-31")
    assert [one.balance(MARCH).open for one in (near, far, tiny)] == [0, Decimal("0.51"), Decimal("0.40")]


def test_money_taken_back_is_owed_again_from_that_moment() -> None:
    invoice = owed("100", "2027-03-01", "2027-03-31", ("2027-03-10 10:00", "100"), ("2027-03-20 10:00", "-100"))
    book = Receivables([invoice])
    opened = {day: [one.open for one in book.open_items(AsOf.end_of(date(2027, 3, day)))] for day in (9, 10, 19, 20)}
    assert opened == {9: [100], 10: [], 19: [], 20: [100]}


def test_parts_of_an_invoice_are_late_by_their_own_days() -> None:
    """60 came ten days before the due date, 30 came five days after it, 10 are open 20 days after it."""
    book = Receivables(
        [owed("100", "2027-02-01", "2027-03-11", ("2027-03-01 10:00", "60"), ("2027-03-16 10:00", "30"))]
    )
    found = average_days_late(book, QUARTER, MARCH)
    assert found == Decimal(60 * -10 + 30 * 5 + 10 * 20) / 100


def test_at_risk_is_what_is_late_by_more_than_ninety_days() -> None:
    book = Receivables(
        [
            owed("100", "2026-11-01", "2026-12-30"),
            owed("300", "2026-11-02", "2026-12-31", ("2027-01-05 10:00", "100")),
        ]
    )
    found = risk(book, Period(date(2026, 11, 1), date(2026, 11, 30)), MARCH)
    assert several(found.billed, found.open, found.at_risk, found.share) == (400, 300, 100, 25)


# Promises -------------------------------------------------------------------------------------------------


def promised(state: PromiseState, settled: str | None, *paid: tuple[str, str], day: str = "2027-03-10") -> Promised:
    movements = tuple(Movement(at(when), Decimal(amount), "p1") for when, amount in paid)
    return Promised(
        made_at=at("2027-03-01 10:00"),
        date=date.fromisoformat(day),
        amount=Decimal(100),
        state=state,
        settled_at=at(settled) if settled else None,
        earlier=frozenset({"p0"}),
        movements=(Movement(at("2027-02-20 10:00"), Decimal(55), "p0"), *movements),
    )


def test_promises_count_by_money_and_by_number() -> None:
    broken = promised(PromiseState.BROKEN, "2027-03-12 08:00", ("2027-03-09 10:00", "30"))
    kept = promised(PromiseState.KEPT, "2027-03-09 10:00", ("2027-03-09 10:00", "100"))
    late = promised(PromiseState.BROKEN, "2027-03-12 08:00", ("2027-03-15 10:00", "100"))
    replaced = promised(PromiseState.REPLACED, "2027-03-05 08:00")
    waits = promised(PromiseState.OPEN, None, day="2027-04-10")
    found = PromiseFigures.of([broken, kept, late, replaced, waits], QUARTER, MARCH)
    assert several(found.due, found.due_amount, found.kept, found.kept_amount) == (3, 300, 1, 130)
    assert several(found.open, found.open_amount) == (1, 100)
    assert one_place(found.kept_share) == Decimal("43.3")
    assert one_place(found.kept_count_share) == Decimal("33.3")


def test_a_promise_whose_money_was_taken_back_was_not_kept() -> None:
    paid = (("2027-03-09 10:00", "100"), ("2027-03-20 10:00", "-40"))
    one = promised(PromiseState.KEPT, "2027-03-09 10:00", *paid)
    before = AsOf.end_of(date(2027, 3, 19))
    assert several(one.was_kept(before), one.came(before)) == (True, 100)
    assert several(one.was_kept(MARCH), one.came(MARCH)) == (False, 60)


def test_a_promise_was_open_until_it_was_settled() -> None:
    one = promised(PromiseState.BROKEN, "2027-03-12 08:00")
    assert [one.is_open(AsOf.at(at(f"2027-03-{day} 08:00"))) for day in ("01", "02", "11", "12")] == [
        False,
        True,
        True,
        False,
    ]


# Contacts -------------------------------------------------------------------------------------------------

FIRST, SECOND = StepName("b2b", "first-reminder"), StepName("b2b", "final-notice")


def test_money_stands_beside_the_last_step_of_fourteen_days() -> None:
    contacts = {
        "a": [Contact(at("2027-03-01 09:00"), FIRST), Contact(at("2027-03-10 09:00"), SECOND)],
        "b": [Contact(at("2027-03-01 09:00"), FIRST)],
        "c": [Contact(at("2027-03-02 09:00"), FIRST)],
    }
    came = [
        Cash("a", at("2027-03-05 00:00"), Decimal(10)),
        Cash("a", at("2027-03-12 00:00"), Decimal(20)),
        Cash("b", at("2027-03-15 09:00"), Decimal(30)),  # fourteen days to the minute
        Cash("c", at("2027-03-16 09:01"), Decimal(40)),  # a minute more
        Cash("d", at("2027-03-16 09:01"), Decimal(50)),
        Cash("c", at("2027-03-02 08:59"), Decimal(60)),  # before the contact
    ]
    found = after_contact(contacts, came, QUARTER.opening.moment, MARCH.moment)
    first, second = found.by_step[FIRST], found.by_step[SECOND]
    assert several(first.reached, len(first.cases), first.payments, first.amount) == (3, 2, 2, 40)
    assert several(second.reached, len(second.cases), second.payments, second.amount) == (1, 1, 1, 20)
    assert several(found.alone.payments, found.alone.amount) == (3, 150)
    assert one_place(first.share) == Decimal("66.7")
    assert contact_to_cash(contacts, came) == Decimal(9)  # of 4, 2, 14 and 14 days

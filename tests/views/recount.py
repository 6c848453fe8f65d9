"""A town of random invoices, and its figures counted anew from the bare events: slowly, and with fractions."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from dunwell.domain.terms import PromiseState, Stage
from dunwell.store.tables import (
    Base,
    CaseRow,
    CreditUseRow,
    CustomerRow,
    InvoiceRow,
    PaymentRow,
    PromiseRow,
    ReversalRow,
    StandingRow,
)

FIRST = date(2026, 1, 5)
_DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}


@dataclass
class Bill:
    """An invoice and all that happened to it, amounts in minor units."""

    invoice_id: str
    currency: str
    amount: int
    issued: date
    due: date
    changes: list[dict[str, Any]] = field(default_factory=list)
    payments: list[dict[str, Any]] = field(default_factory=list)
    reversals: list[dict[str, Any]] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    promises: list[dict[str, Any]] = field(default_factory=list)


def town(count: int, seed: int = 17) -> list[Bill]:
    """Random invoices: paid in parts, too much, ahead; taken back; amended, disputed, cancelled, given up."""
    dice = random.Random(seed)
    return [_bill(dice, number) for number in range(count)]


def _bill(dice: random.Random, number: int) -> Bill:
    currency = dice.choices(list(_DIGITS), (8, 1, 1))[0]
    issued = FIRST + timedelta(days=dice.randrange(480))
    amount = dice.choice((3, 40, 1_000, 120_000, 98_765_432))
    bill = Bill(f"b{number}", currency, amount, issued, issued + timedelta(days=dice.choice((0, 14, 30, 60))))

    def moment(most: int) -> datetime:
        start = datetime(issued.year, issued.month, issued.day, tzinfo=UTC)
        return start + timedelta(minutes=dice.randrange(most * 1440))

    standing: dict[str, Any] = {"amount": amount, "due_on": bill.due, "end": None, "disputed": 0}
    for since in sorted(moment(150) for _ in range(dice.choices((0, 1, 3), (6, 2, 1))[0])):
        what = dice.choice(("amount", "due_on", "disputed", "end"))
        news: dict[str, dict[str, Any]] = {
            "amount": {"amount": dice.randrange(amount * 2)},
            "due_on": {"due_on": issued + timedelta(days=dice.randrange(120))},
            "disputed": {"disputed": dice.choice((0, dice.randrange(amount + 1)))},
            "end": {"end": dice.choice((None, Stage.CANCELLED, Stage.WRITTEN_OFF, Stage.HANDED_OVER))},
        }
        standing = standing | news[what]
        bill.changes.append({"since": since, **standing})
    for place in range(dice.choices((0, 1, 2, 4), (2, 6, 2, 1))[0]):
        received = moment(130) - timedelta(days=10)
        part = dice.choice((amount, amount, max(amount // 3, 1), max(amount - 1, 1), amount + 7))
        recorded = received + timedelta(hours=dice.choice((-60, 0, 5, 200)))
        paid = {"payment_id": f"p{place}", "amount": part, "received_at": received, "recorded_at": recorded}
        bill.payments.append(paid)
        left = part
        for key in range(dice.choices((0, 1, 2), (8, 2, 1))[0]):
            back = dice.randint(1, left) if left > 1 else left
            left -= back
            if back:
                at = received + timedelta(hours=dice.randrange(-100, 900))
                reversal = {"payment_id": f"p{place}", "key": str(key), "amount": back, "at": at, "recorded_at": at}
                bill.reversals.append(reversal)
    if dice.random() < 0.05:
        bill.uses.append({"credit_id": f"c{number}", "amount": dice.randrange(1, 9), "at": moment(150)})
    for place in range(dice.choices((0, 1, 2), (6, 2, 1))[0]):
        made, state = moment(60), dice.choice(list(PromiseState))
        day = made.date() + timedelta(days=dice.randrange(20))
        settled = datetime(day.year, day.month, day.day, 20, tzinfo=UTC) + timedelta(days=1)
        bill.promises.append(
            {
                "number": place + 1,
                "made_at": made,
                "date": day,
                "amount": dice.randint(1, amount),
                "state": state,
                "settled_at": None if state is PromiseState.OPEN else settled,
                "earlier": ["p0"] if dice.random() < 0.3 else [],
            }
        )
    return bill


def settle(session: Session, bills: list[Bill]) -> None:
    """Write the town into a database."""
    rows: dict[type[Base], list[dict[str, Any]]] = defaultdict(list)
    rows[CustomerRow].append(
        {"customer_id": "c", "name": "C", "country": "DE", "time_zone": "Europe/Berlin", "language": "en"}
    )
    for bill in bills:
        of = {"invoice_id": bill.invoice_id}

        def exact(facts: dict[str, Any], *names: str, digits: int = _DIGITS[bill.currency]) -> dict[str, Any]:
            return facts | {name: Decimal(facts[name]).scaleb(-digits) for name in names}

        invoice = of | {
            "number": bill.invoice_id,
            "customer_id": "c",
            "amount": bill.amount,
            "currency": bill.currency,
            "digits": _DIGITS[bill.currency],
            "issued_on": bill.issued,
            "due_on": bill.due,
            "policy_name": "none",
            "policy_version": 1,
        }
        rows[InvoiceRow].append(exact(invoice, "amount"))
        case = {"customer_id": "c", "stage": Stage.CHASING, "rehearsal": False, "revision": 1, "state": {}}
        rows[CaseRow].append(of | case | {"updated_at": datetime(2027, 1, 1, tzinfo=UTC)})
        for number, change in enumerate(bill.changes, 1):
            more = {"number": number, "tolerance": Decimal(0), "beside_principal": Decimal(0)}
            rows[StandingRow].append(of | more | exact(change, "amount", "disputed"))
        rows[PaymentRow] += [of | {"currency": bill.currency} | exact(one, "amount") for one in bill.payments]
        rows[ReversalRow] += [of | {"reason": "r"} | exact(one, "amount") for one in bill.reversals]
        rows[PromiseRow] += [of | exact(one, "amount") for one in bill.promises]
        more = {"from_invoice": bill.invoice_id, "currency": bill.currency, "by": "a"}
        rows[CreditUseRow] += [more | exact(one, "amount") for one in bill.uses]
    for table, facts in rows.items():
        session.execute(insert(table), facts)


class Recount:
    """The figures of one currency at an instant, counted from the events of each invoice one by one."""

    def __init__(self, bills: list[Bill], currency: str, moment: datetime, day: date, first: date) -> None:
        self.digits = _DIGITS[currency]
        self.bills = [bill for bill in bills if bill.currency == currency]
        self.moment, self.day = moment, day
        self.first = max(first, min((bill.issued for bill in self.bills), default=day))
        self.days = (day - self.first).days + 1
        self.before = self.first - timedelta(days=1)

    def facts(self) -> dict[str, Any]:
        end = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC) - timedelta(microseconds=1)
        opening = sum(self._open(bill, end, self.before) for bill in self.bills)
        buckets, disputed = [0] * 5, 0
        sales = risk = billed = weight = weighted = credit = came = came_count = 0
        for bill in self.bills:
            standing, open_ = self._standing(bill, self.moment), self._open(bill, self.moment, self.day)
            late = (self.day - standing["due_on"]).days
            owed = 0 if standing["end"] is Stage.CANCELLED else standing["amount"]
            if open_:
                buckets[0 if late <= 0 else min((late - 1) // 30 + 1, 4)] += open_
                disputed += min(standing["disputed"], open_)
            if self.first <= bill.issued <= self.day:
                sales += owed
            if self._a_year_ago() < bill.issued <= self.day:
                billed += owed
                risk += open_ if late > 90 else 0
            given = sum(one["amount"] for one in bill.uses if one["at"] <= self.moment)
            credit += max(sum(self._left(bill, self.moment).values()) - owed - given, 0)
            if bill.issued <= self.day and owed and self.first <= standing["due_on"] <= self.day:
                for amount, days in self._parts(bill, owed, open_, late):
                    weight, weighted = weight + amount, weighted + amount * days
            for payment_id, amount in self._left(bill, self.moment).items():
                if amount and end < self._came(bill)[payment_id]:
                    came, came_count = came + amount, came_count + 1
        open_, current = sum(buckets), buckets[0]
        due, due_amount, kept, kept_amount = self._promises()
        return {
            "ageing": [self._amount(amount) for amount in buckets],
            "disputed": self._amount(disputed),
            "opening": self._amount(opening),
            "sales": self._amount(sales),
            "dso": self._tenth(open_ * self.days, sales),
            "bpdso": self._tenth(current * self.days, sales),
            "add": self._tenth((open_ - current) * self.days, sales),
            "count_back": self._count_back(open_),
            "cei": self._tenth((opening + sales - open_) * 100, max(opening + sales - current, 0)),
            "average_days_late": self._tenth(weighted, weight),
            "at_risk": self._tenth(risk * 100, billed),
            "credit": self._amount(credit),
            "cash": (self._amount(came), came_count),
            "promises": (due, self._amount(due_amount), kept, self._amount(kept_amount)),
        }

    def _a_year_ago(self) -> date:
        return same_day(self.day, 12)

    def _standing(self, bill: Bill, moment: datetime) -> dict[str, Any]:
        found: dict[str, Any] = {"amount": bill.amount, "due_on": bill.due, "end": None, "disputed": 0}
        for change in bill.changes:
            if change["since"] <= moment:
                found = change
        return found

    def _came(self, bill: Bill) -> dict[str, datetime]:
        return {one["payment_id"]: min(one["received_at"], one["recorded_at"]) for one in bill.payments}

    def _left(self, bill: Bill, moment: datetime) -> dict[str, int]:
        """What is left of each payment."""
        came = self._came(bill)
        left = {one["payment_id"]: one["amount"] for one in bill.payments if came[one["payment_id"]] <= moment}
        for one in bill.reversals:
            if one["payment_id"] in left and one["at"] <= moment:
                left[one["payment_id"]] -= one["amount"]
        return left

    def _open(self, bill: Bill, moment: datetime, day: date) -> int:
        standing = self._standing(bill, moment)
        if bill.issued > day or standing["end"] in {Stage.CANCELLED, Stage.WRITTEN_OFF}:
            return 0
        return max(int(standing["amount"]) - sum(self._left(bill, moment).values()), 0)

    def _parts(self, bill: Bill, owed: int, open_: int, late: int) -> list[tuple[int, int]]:
        due, needed, found = self._standing(bill, self.moment)["due_on"], owed, []
        came, left = self._came(bill), self._left(bill, self.moment)
        for payment_id in sorted(left, key=lambda name: (came[name].date(), left[name])):
            met = min(left[payment_id], needed)
            needed -= met
            found.append((met, (came[payment_id].date() - due).days))
        return [*found, (open_, late)]

    def _count_back(self, open_: int) -> str | None:
        """Day by day: of each month as much of its sales as is still needed."""
        now = [(bill.issued, self._standing(bill, self.moment)) for bill in self.bills]
        owed = [(issued, 0 if at["end"] is Stage.CANCELLED else at["amount"]) for issued, at in now]
        days, needed, end = Fraction(0), Fraction(open_), self.day
        for back in range(1, 60):
            begin = same_day(self.day, back)
            sales = sum(amount for issued, amount in owed if begin < issued <= end)
            if sales >= needed:
                return self._tenth(days + (needed / sales * (end - begin).days if sales else 0), 1)
            days, needed, end = days + (end - begin).days, needed - sales, begin
        return None

    def _promises(self) -> tuple[int, int, int, int]:
        due = due_amount = kept = kept_amount = 0
        for bill in self.bills:
            came = self._came(bill)
            for one in bill.promises:
                settled = one["settled_at"]
                if one["state"] not in {PromiseState.KEPT, PromiseState.BROKEN} or settled > self.moment:
                    continue
                if not self.first <= one["date"] <= self.day:
                    continue
                ours = {name for name, at in came.items() if at <= settled and name not in one["earlier"]}
                paid = sum(pay["amount"] for pay in bill.payments if pay["payment_id"] in ours)
                back = sum(
                    take["amount"]
                    for take in bill.reversals
                    if take["payment_id"] in ours and max(take["at"], came[take["payment_id"]]) <= self.moment
                )
                was_kept = one["state"] is PromiseState.KEPT
                got = one["amount"] if was_kept and not back else min(paid - back, one["amount"])
                due, due_amount = due + 1, due_amount + one["amount"]
                kept, kept_amount = kept + (was_kept and got == one["amount"]), kept_amount + got
        return due, due_amount, kept, kept_amount

    def _amount(self, minor: int) -> str:
        return str(Decimal(minor).scaleb(-self.digits))

    def _tenth(self, part: Fraction | int, whole: int) -> str | None:
        if not whole:
            return None
        exact = Fraction(part) / whole * 10
        return str(_rounded(exact) / 10)


def _rounded(value: Fraction) -> Decimal:
    """To whole tenths, half away from zero."""
    sign, size = (-1 if value < 0 else 1), abs(value)
    return Decimal(sign * int(size + Fraction(1, 2))).quantize(Decimal("0.0"), ROUND_HALF_UP)


def same_day(day: date, back: int) -> date:
    """The same day of the month so many months earlier; a last day stays one."""
    begin = day.replace(day=1)
    for _ in range(back):
        begin = (begin - timedelta(days=1)).replace(day=1)
    last = (begin + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    is_last = (day + timedelta(days=1)).day == 1
    return last if is_last or last.day < day.day else begin.replace(day=day.day)

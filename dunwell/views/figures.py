"""The figures of receivables, of each currency at any instant. Amounts are exact; days and shares have one place."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy.orm import Session

from dunwell.domain.figures.ageing import Aged, Ageing
from dunwell.domain.figures.cash import cash
from dunwell.domain.figures.collection import (
    count_back,
    days_of_sales,
    effectiveness,
    roll_forward,
    sales_by_month,
)
from dunwell.domain.figures.contact import StepFigures, after_contact, contact_to_cash
from dunwell.domain.figures.delivery import Deliveries, total
from dunwell.domain.figures.lateness import Risk, average_days_late, risk
from dunwell.domain.figures.period import AsOf, Period, month, month_end, months
from dunwell.domain.figures.promise import PromiseFigures
from dunwell.domain.figures.receivable import ZERO, Receivables
from dunwell.domain.refusal import Refused
from dunwell.store import contact_history, receivables
from dunwell.store.contact_history import MEMORY
from dunwell.store.receivables import Ledger
from dunwell.views.facts import Facts

MONTHS = 3
"""The months of a period."""
_TREND = 12
_TENTH = Decimal("0.1")


def figures(session: Session, as_of: AsOf, currency: str | None = None) -> Facts:
    """Return the figures of every currency, the one with most invoices first, or of one currency, at an instant.

    Raises Refused for a currency in which no invoice is known.
    """
    known = receivables.currencies(session)
    if currency is not None and currency not in known:
        listed = ", ".join(known) or "none yet"
        raise Refused("currency", f"no invoice in {currency[:10]!r} is known; known are: {listed}")
    with _without_collector():
        steps = contact_history.policy_steps(session)
        ledgers = receivables.ledgers(session, currency)
        found = [_Figures(session, ledgers[one], as_of, steps).facts() for one in known if one in ledgers]
    return {"as_of": as_of.moment.isoformat(), "day": as_of.day.isoformat(), "figures": found}


@contextmanager
def _without_collector() -> Iterator[None]:
    """Have no garbage collected meanwhile: of the many small objects none is in a cycle, and looking through them
    again and again takes as long as the figures do.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def headline(one: Facts) -> str:
    """Return the figures of a currency in a sentence: what is open and late, and DSO with that a month before."""
    money, earlier = one["receivables"], one["trend"][-2:-1]
    late = f" ({money['late_share']} %)" if money["late_share"] is not None else ""
    said = f"{one['currency']}: {Decimal(money['open']):,} open, {Decimal(money['late']):,} of it late{late}"
    if one["dso"] is None:
        return said
    before = f", a month before {earlier[0]['dso']}" if earlier and earlier[0]["dso"] is not None else ""
    return f"{said}; DSO {one['dso']} days{before}"


def as_of_given(text: str | None, now: datetime) -> AsOf:
    """Return the instant that somebody wrote, a day or a time; now without one. Raises Refused for anything else."""
    if not text:
        return AsOf.at(now)
    try:
        return AsOf.read(text.strip(), now)
    except ValueError as error:
        raise Refused("as_of", str(error)) from None


class _Figures:
    """The figures of one currency."""

    def __init__(self, session: Session, ledger: Ledger, as_of: AsOf, steps: dict[str, list[str]]) -> None:
        self._session, self._ledger, self._as_of, self._steps = session, ledger, as_of, steps
        self._book = Receivables(ledger.invoices)
        self._first = self._book.first_issued or as_of.day
        self._period = months(as_of.day, MONTHS).since(self._first)
        self._ageings: dict[AsOf, Ageing] = {}

    def facts(self) -> Facts:
        period = self._period
        return {
            "currency": self._ledger.currency,
            "period": self._days(period),
            **self._receivables(),
            **self._collection(),
            "average_days_late": _tenth(average_days_late(self._book, period, self._as_of)),
            "at_risk": self._risk(),
            "promises": self._promises(),
            **self._contacts(),
            "calls": self._calls(),
            "deliverability": list(self._deliveries()),
            "credits": self._credits(),
            "unmatched": self._unmatched(),
            "trend": list(self._trend()),
        }

    # Receivables -----------------------------------------------------------------------------------------

    def _ageing(self, as_of: AsOf) -> Ageing:
        if as_of not in self._ageings:
            self._ageings[as_of] = Ageing.of(self._book.open_items(as_of))
        return self._ageings[as_of]

    def _receivables(self) -> Facts:
        ageing = self._ageing(self._as_of)
        return {
            "receivables": {
                **self._aged(ageing.total),
                "not_due": self._amount(ageing.current),
                "late": self._amount(ageing.late),
                "late_share": _share(ageing.late, ageing.open),
            },
            "ageing": [
                {"bucket": bucket.value, **self._aged(aged), "share": _share(aged.amount, ageing.open)}
                for bucket, aged in ageing.buckets.items()
            ],
        }

    def _aged(self, aged: Aged) -> Facts:
        return {
            "open": self._amount(aged.amount),
            "invoices": aged.invoices,
            "disputed": self._amount(aged.disputed),
            "handed_over": self._amount(aged.handed_over),
        }

    def _collection(self) -> Facts:
        closing, sales = self._ageing(self._as_of), self._book.sales(self._period, self._as_of)
        flow = roll_forward(self._book, self._period, self._as_of)
        return {
            "roll_forward": {name: self._amount(amount) for name, amount in flow._asdict().items()},
            **self._days_of_sales(closing, sales, self._period),
            "count_back": _tenth(count_back(closing.open, sales_by_month(self._book, self._as_of))),
            "cei": _tenth(effectiveness(flow.opening, sales, closing.open, closing.current)),
        }

    def _days_of_sales(self, ageing: Ageing, sales: Decimal, period: Period) -> Facts:
        dso = days_of_sales(ageing.open, sales, period.days)
        best = days_of_sales(ageing.current, sales, period.days)
        late = None if dso is None or best is None else dso - best
        return {"dso": _tenth(dso), "bpdso": _tenth(best), "add": _tenth(late)}

    def _trend(self) -> Iterator[Facts]:
        """Yield the ends of the last twelve months, the earliest first, as they were then."""
        for back in reversed(range(_TREND)):
            day = month_end(self._as_of.day, back)
            if day < self._first:
                continue
            as_of = AsOf.end_of(day) if back else self._as_of
            period = months(day, MONTHS).since(self._first)
            ageing, sales = self._ageing(as_of), self._book.sales(period, as_of)
            opening = self._ageing(period.opening).open
            yield {
                "day": day.isoformat(),
                "open": self._amount(ageing.open),
                "ageing": {bucket.value: self._amount(aged.amount) for bucket, aged in ageing.buckets.items()},
                "late_share": _share(ageing.late, ageing.open),
                **self._days_of_sales(ageing, sales, period),
                "cei": _tenth(effectiveness(opening, sales, ageing.open, ageing.current)),
            }

    # Lateness, promises, credit --------------------------------------------------------------------------

    def _risk(self) -> Facts:
        every = [risk(self._book, month(self._as_of.day, back), self._as_of) for back in range(_TREND)]
        year = months(self._as_of.day, _TREND)
        whole = Risk(
            year,
            sum((one.billed for one in every), ZERO),
            sum((one.open for one in every), ZERO),
            sum((one.at_risk for one in every), ZERO),
        )
        known = [one for one in every if one.period.last >= self._first]
        return self._risk_facts(whole) | {"months": [self._risk_facts(one) for one in known]}

    def _risk_facts(self, one: Risk) -> Facts:
        return {
            **self._days(one.period),
            "billed": self._amount(one.billed),
            "open": self._amount(one.open),
            "at_risk": self._amount(one.at_risk),
            "share": _tenth(one.share),
        }

    def _promises(self) -> Facts:
        found = PromiseFigures.of(self._ledger.promises, self._period, self._as_of)
        return {
            "due": found.due,
            "due_amount": self._amount(found.due_amount),
            "kept": found.kept,
            "kept_amount": self._amount(found.kept_amount),
            "kept_share": _tenth(found.kept_share),
            "kept_count_share": _tenth(found.kept_count_share),
            "open": found.open,
            "open_amount": self._amount(found.open_amount),
        }

    def _credits(self) -> Facts:
        every = [one.credit(self._as_of.moment) for one in self._ledger.invoices]
        found = [amount for amount in every if amount > 0]
        return {"amount": self._amount(sum(found, ZERO)), "invoices": len(found)}

    def _unmatched(self) -> Facts:
        found = receivables.unmatched(self._session, self._ledger.currency, self._as_of.moment)
        days = None if found.oldest is None else (self._as_of.moment - found.oldest).days
        return {"amount": self._amount(found.amount), "payments": found.payments, "oldest_days": days}

    # Contacts --------------------------------------------------------------------------------------------

    def _contacts(self) -> Facts:
        since, until = self._period.opening.moment, self._as_of.moment
        contacts = contact_history.contacts(self._session, self._ledger.currency, since - MEMORY, until)
        came = list(cash(self._book, since, until))
        after = after_contact(contacts, came, since, until)
        order = sorted(after.by_step, key=lambda one: (one.policy, self._place(one.policy, one.step), one.step))
        return {
            "cash": {"amount": self._amount(sum((one.amount for one in came), ZERO)), "payments": len(came)},
            "contact_to_cash": _tenth(contact_to_cash(contacts, came)),
            "steps": [{**step._asdict(), **self._step(after.by_step[step])} for step in order],
            "by_itself": {"payments": after.alone.payments, "amount": self._amount(after.alone.amount)},
        }

    def _place(self, policy: str, step: str) -> int:
        """Where the step stands on its ladder; what is no step of it comes last."""
        steps = self._steps.get(policy, [])
        return steps.index(step) if step in steps else len(steps)

    def _step(self, found: StepFigures) -> Facts:
        return {
            "reached": found.reached,
            "paid": len(found.cases),
            "share": _tenth(found.share),
            "payments": found.payments,
            "amount": self._amount(found.amount),
        }

    def _calls(self) -> list[Facts]:
        since, until = self._period.opening.moment, self._as_of.moment
        found = contact_history.calls(self._session, self._ledger.currency, since, until)
        every = sum(one.number for one in found)
        return [
            {"kind": one.kind.value, "result": one.result, "number": one.number, "share": _share(one.number, every)}
            for one in found
        ]

    def _deliveries(self) -> Iterator[Facts]:
        """Yield the messages of each channel, and all of them last."""
        since, until = self._period.opening.moment, self._as_of.moment
        by_channel: dict[str, Deliveries] = {}
        for one in contact_history.messages(self._session, self._ledger.currency, since, until):
            by_channel.setdefault(one.channel.value, Deliveries()).add(one.state, one.number)
        for channel, found in sorted(by_channel.items()):
            yield _delivery_facts(channel, found)
        if by_channel:
            yield _delivery_facts("all", total(by_channel.values()))

    # Writing ---------------------------------------------------------------------------------------------

    def _amount(self, amount: Decimal) -> str:
        return str(amount.quantize(Decimal(1).scaleb(-self._ledger.digits)))

    def _days(self, period: Period) -> Facts:
        return {"from": period.first.isoformat(), "to": period.last.isoformat(), "days": period.days}


def _delivery_facts(channel: str, found: Deliveries) -> Facts:
    return {
        "channel": channel,
        "sent": found.sent,
        "delivered": found.delivered,
        "bounced": found.bounced,
        "failed": found.failed,
        "unconfirmed": found.unconfirmed,
        "share": _tenth(found.share),
    }


def _tenth(value: Decimal | None) -> str | None:
    """Round half away from zero, as people do; minus zero is zero."""
    return None if value is None else str(value.quantize(_TENTH, ROUND_HALF_UP) + 0)


def _share(part: Decimal | int, whole: Decimal | int) -> str | None:
    """In per cent; None of nothing."""
    return _tenth(Decimal(part) / Decimal(whole) * 100) if whole else None

"""The figures as one reading of the database: recounted from the bare events, the same on both databases."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from dunwell.domain.figures.period import AsOf
from dunwell.store.database import Database
from dunwell.views.figures import figures
from tests.views.recount import Recount, same_day, settle, town

BILLS = town(2_000)
INSTANTS = [
    AsOf.end_of(date(2026, 1, 5)),  # a company one day old
    AsOf.end_of(date(2026, 3, 29)),  # clocks change
    AsOf.end_of(date(2026, 9, 30)),
    AsOf.end_of(date(2027, 2, 28)),
    AsOf.at(AsOf.end_of(date(2027, 4, 15)).moment - timedelta(hours=9, minutes=13)),
    AsOf.end_of(date(2028, 2, 29)),  # all that will ever come has come
]


def _counted(found: dict[str, Any]) -> dict[str, Any]:
    promises, cash = found["promises"], found["cash"]
    return {
        "ageing": [one["open"] for one in found["ageing"]],
        "disputed": found["receivables"]["disputed"],
        "opening": found["roll_forward"]["opening"],
        "sales": found["roll_forward"]["sales"],
        **{name: found[name] for name in ("dso", "bpdso", "add", "count_back", "cei", "average_days_late")},
        "at_risk": found["at_risk"]["share"],
        "credit": found["credits"]["amount"],
        "cash": (cash["amount"], cash["payments"]),
        "promises": (promises["due"], promises["due_amount"], promises["kept"], promises["kept_amount"]),
    }


def test_a_recount_agrees_on_two_thousand_random_invoices(database: Database) -> None:
    """Takes some seconds: it reads the whole town at six instants, on each database."""
    with database.writing() as session:
        settle(session, BILLS)
    for as_of in INSTANTS:
        with database.reading() as session:
            found = figures(session, as_of)["figures"]
        assert {one["currency"] for one in found} == {"EUR", "JPY", "KWD"}
        for one in found:
            first = same_day(as_of.day, 3) + timedelta(days=1)
            recount = Recount(BILLS, one["currency"], as_of.moment, as_of.day, first)
            assert one["period"]["days"] == recount.days
            assert _counted(one) == recount.facts(), (as_of, one["currency"])
            flow = {name: Decimal(amount) for name, amount in one["roll_forward"].items()}
            assert flow["closing"] == Decimal(one["receivables"]["open"])
            assert flow["closing"] == (
                flow["opening"] + flow["sales"] + flow["amended"] - flow["paid"] - flow["given_up"]
            )

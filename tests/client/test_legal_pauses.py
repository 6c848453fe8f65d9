"""The breathing space of a law ends by itself; where no law names an end, a person does."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dunwell.client.legal_pauses import with_legal_end
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind
from dunwell.store import customer_pauses, invoices
from dunwell.store.database import Database
from dunwell.store.tables import CustomerRow
from tests.builders import a_customer, an_invoice, at, keep_customer
from tests.client.test_customers import customers
from tests.services.test_people import register

NOW = at("2027-03-02 23:30")


def customer_of(database: Database, **changes: Any) -> CustomerRow:
    with database.writing() as session:
        keep_customer(session, a_customer(**changes))
    with database.reading() as session:
        return invoices.customer_row(session, "acme")


def test_it_ends_after_the_days_of_the_law_counted_from_the_customers_day(database: Database) -> None:
    row = customer_of(database, country="GB", time_zone="Asia/Tokyo", kind=DebtorKind.CONSUMER)
    found = with_legal_end({"reason": "breathing_space", "by": "agent-7"}, row, NOW)
    assert found == {"reason": "breathing_space", "by": "agent-7", "until": "2027-05-02"}


@pytest.mark.parametrize("reason", ["breathing space", "Breathing-Space", "breathingspace"])
def test_the_reason_is_known_however_it_is_written(database: Database, reason: str) -> None:
    row = customer_of(database, country="GB", time_zone="Europe/London", kind=DebtorKind.CONSUMER)
    found = with_legal_end({"reason": reason}, row, NOW)
    assert (found["reason"], found["until"]) == ("breathing_space", "2027-05-01")


@pytest.mark.parametrize(
    "pause",
    [
        pytest.param({"reason": "breathing_space", "until": "2027-04-01"}, id="an end that somebody said"),
        pytest.param({"reason": "hardship"}, id="another reason"),
    ],
)
def test_nothing_else_is_changed(database: Database, pause: dict[str, Any]) -> None:
    row = customer_of(database, country="GB", time_zone="Europe/London")
    assert with_legal_end(pause, row, NOW) == pause


@pytest.mark.parametrize(("country", "kind"), [("DE", DebtorKind.CONSUMER), ("GB", DebtorKind.BUSINESS)])
def test_without_a_law_a_person_says_when_it_ends(database: Database, country: str, kind: DebtorKind) -> None:
    row = customer_of(database, country=country, time_zone="Europe/London", kind=kind)
    with pytest.raises(Refused, match="names no length of a breathing space"):
        with_legal_end({"reason": "breathing_space"}, row, NOW)


def test_a_whole_customer_gets_the_end_too(database: Database) -> None:
    private = a_customer(country="GB", time_zone="Europe/London", kind=DebtorKind.CONSUMER)
    register(database, an_invoice(customer=private))
    done = customers(database).pause("acme", "breathing_space", "agent-7")
    with database.reading() as session:
        row = customer_pauses.get(session, "acme")
    assert row is not None and row.until is not None and row.since is not None
    assert row.until - row.since.astimezone(ZoneInfo("Europe/London")).date() == timedelta(days=60)
    assert done.content is not None and done.content["until"] == row.until.isoformat()

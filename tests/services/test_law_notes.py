"""What the preview says about the law."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dunwell.domain.terms import DebtorKind
from dunwell.services.laws import files
from dunwell.store.database import Database
from dunwell.views.law_notes import law_notes
from tests.builders import a_customer, an_invoice, sample_deps, the_ladders

NOW = datetime(2027, 2, 20, 12, tzinfo=UTC)


Notes = Callable[..., list[str]]


@pytest.fixture
def notes(file_database: Database) -> Notes:
    deps = replace(sample_deps(file_database), laws=files())

    def of(ladder: str = "gentle-saas", **facts: object) -> list[str]:
        invoice = an_invoice(**facts)
        return list(law_notes(deps, invoice, the_ladders()[ladder], NOW))

    return of


def test_the_limits_of_contacts_stand_beside_the_hours(notes: Notes) -> None:
    russian = a_customer(country="RU", time_zone="Europe/Moscow", kind=DebtorKind.CONSUMER)
    limits, unnamed = notes(customer=russian)
    assert "contacts by 230-ФЗ: Visits: at most 1 in 7 days. Calls: at most 1 a day. Calls: at most 2 in 7" in limits
    assert "Each contact names: name, phone." in limits
    assert unnamed == "nothing can be sent: 230-ФЗ has each contact name: phone; set SENDER_PHONE"


def test_what_is_claimed_is_said_before_anything_starts(notes: Notes) -> None:
    company = a_customer(kind=DebtorKind.BUSINESS)
    claimed, left = notes("b2b-net30", customer=company, jurisdiction="DE")
    assert claimed.startswith(
        "claimed when it is late, as far as the law of Germany allows: interest by law, the lump sum by law; printed"
    )
    assert left == "what is left of that once the invoice is paid is waived"
    assert notes(customer=company) == []
    agreed, _ = notes(customer=company, interest="8.5", jurisdiction="DE")
    assert "interest of 8.5 % a year, as agreed; printed by no step" in agreed


def test_a_private_person_is_asked_by_their_own_law_and_owes_no_lump_sum(notes: Notes) -> None:
    french = {"country": "FR", "time_zone": "Europe/Paris"}
    claimed, _ = notes("b2b-net30", customer=a_customer(kind=DebtorKind.CONSUMER, **french))
    assert "as far as the law of France allows" in claimed and "which a private person does not owe" in claimed
    _, unknown, _ = notes("b2b-net30", customer=a_customer(kind=None, **french))
    assert unknown.startswith("whether the customer is a business was not said (customer.kind)")


@pytest.mark.parametrize(
    ("jurisdiction", "why"),
    [
        (None, "no law is chosen: name it on the invoice, or set SENDER_COUNTRY"),
        ("NZ", "no claim by the law of New Zea"),
    ],
)
def test_a_law_that_gives_no_claim_is_told_before_anything_starts(
    notes: Notes, jurisdiction: str | None, why: str
) -> None:
    (said,) = notes("b2b-net30", customer=a_customer(kind=DebtorKind.BUSINESS), jurisdiction=jurisdiction)
    assert said.startswith(
        f"nothing is claimed beside the invoice, although interest by law and the lump sum by law should be: {why}"
    )

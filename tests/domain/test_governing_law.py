"""Whose law governs a claim."""

import pytest

from dunwell.domain.governing_law import counts_as, known_law, law_of
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind

KNOWN = {"DE", "FR", "GB", "US"}
BUSINESS, CONSUMER, PUBLIC = DebtorKind.BUSINESS, DebtorKind.CONSUMER, DebtorKind.PUBLIC


@pytest.mark.parametrize(
    ("jurisdiction", "residence", "kind", "seller", "expected"),
    [
        # What the invoice names counts for everybody.
        ("FR", "DE", BUSINESS, "GB", "FR"),
        ("FR", "DE", CONSUMER, "GB", "FR"),
        ("FR", "DE", None, None, "FR"),
        # Businesses and public bodies: the seller's country.
        (None, "DE", BUSINESS, "FR", "FR"),
        (None, "DE", PUBLIC, "FR", "FR"),
        (None, "DE", BUSINESS, "DE", "DE"),
        # Consumers, and whoever may be one: their own country.
        (None, "DE", CONSUMER, "FR", "DE"),
        (None, "DE", None, "FR", "DE"),
        (None, "DE", CONSUMER, None, "DE"),
        # Other names, and parts of a country without a file of their own.
        ("UK", "DE", BUSINESS, "FR", "GB"),
        ("US-NY", "DE", BUSINESS, "FR", "US"),
        (None, "US", CONSUMER, "FR", "US"),
    ],
)
def test_law_of(
    jurisdiction: str | None, residence: str, kind: DebtorKind, seller: str | None, expected: str
) -> None:
    found = law_of(jurisdiction=jurisdiction, residence=residence, kind=kind, seller=seller, known=KNOWN)
    assert found == expected


@pytest.mark.parametrize(
    ("jurisdiction", "residence", "kind", "seller", "said"),
    [
        (None, "DE", BUSINESS, None, "jurisdiction: no law is chosen: name it on the invoice, or set SENDER_COUNTRY"),
        (None, "SG", CONSUMER, "DE", "country: SG is no law that is known here; known are DE, FR, GB, US"),
        ("SG", "DE", BUSINESS, "DE", "jurisdiction: SG is no law that is known here"),
        ("EU", "DE", BUSINESS, "DE", "jurisdiction: EU is no law of its own: name the member state, such as 'DE'"),
    ],
)
def test_where_there_is_no_law(
    jurisdiction: str | None, residence: str, kind: DebtorKind, seller: str | None, said: str
) -> None:
    with pytest.raises(Refused) as refused:
        law_of(jurisdiction=jurisdiction, residence=residence, kind=kind, seller=seller, known=KNOWN)
    assert str(refused.value).startswith(said)


def test_the_file_of_a_part_outranks_that_of_its_country() -> None:
    assert known_law("US-NY", {"US", "US-NY"}) == "US-NY"
    assert known_law("US-NY", {"US"}) == "US"
    assert known_law("CA-ON", {"US"}) is None


def test_an_unknown_kind_counts_as_a_consumer() -> None:
    assert {kind: counts_as(kind) for kind in (None, *DebtorKind)} == {None: CONSUMER} | {
        kind: kind for kind in DebtorKind
    }

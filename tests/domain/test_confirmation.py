"""A confirmation counts for the value that was seen: a value that changed afterwards is as unsure as before."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.confirmation import Confirmation, LegalValue, confirmed, rates_of, values_of
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.jurisdiction_file import parse_jurisdiction, parse_series
from dunwell.domain.legal_fact import Certainty
from dunwell.domain.terms import DebtorKind
from dunwell.intake.jurisdiction_files import read_jurisdictions

LAWS = read_jurisdictions()
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
BUSINESS = DebtorKind.BUSINESS


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "customers": ["business"],
        "valid_from": date(2016, 1, 1),
        "source": "https://law.example/1",
        "checked_on": date(2026, 11, 27),
        "certainty": "memory",
    } | changes


def a_law(lump: dict[str, Any] | None = None, rate: str = "5.00") -> Jurisdiction:
    series = parse_series(
        {
            "name": "base",
            "title": "Base",
            "publisher": "Bank",
            "source": "https://bank.example",
            "checked_on": date(2026, 11, 27),
            "certainty": "single_source",
            "known_until": date(2026, 12, 31),
            "rates": [{"from": date(2016, 1, 1), "rate": rate}],
        },
        "base.toml",
    )
    data = {
        "name": "Ruritania",
        "currency": "EUR",
        "missing": ["much"],
        "interest": [facts(statutory={"series": "base"}, starts=["due"], certainty="confirmed")],
        "lump_sum": [lump or facts(amount="40", currency="EUR")],
    }
    return parse_jurisdiction(data, "rr.toml", {"base": series})


def yes(value: LegalValue) -> Confirmation:
    return Confirmation(subject=value.subject, field=value.field, digest=value.digest, by="legal", at=NOW)


def the(law: Jurisdiction, field: str) -> LegalValue:
    values = [*values_of(law), *(one for series in law.series.values() for one in rates_of(series))]
    return next(value for value in values if value.field == field)


LUMP = "lump_sum.business.2016-01-01"


def test_a_confirmed_value_is_sure() -> None:
    law = a_law()
    assert [value.field for value in values_of(law) if not value.certainty.sure] == [LUMP]
    assert not law.lump_sum[0].certainty.sure
    found = confirmed(law, [yes(the(law, LUMP)), yes(the(law, "2016-01-01"))])
    assert found.lump_sum[0].certainty is Certainty.CONFIRMED
    assert found.series["base"].on(date(2020, 1, 1)).doubt is None
    assert law.series["base"].on(date(2020, 1, 1)).doubt is not None


@pytest.mark.parametrize(
    ("changes", "still"),
    [
        ({"amount": "45"}, False),
        ({"currency": "USD"}, False),
        ({"per": "instalment"}, False),
        ({"basis": "§ 2"}, False),
        # What is only said about the value does not change it.
        ({"note": "words"}, True),
        ({"source": "https://law.example/2"}, True),
        ({"checked_on": date(2027, 1, 1)}, True),
        ({"certainty": "single_source"}, True),
    ],
)
def test_a_changed_value_is_confirmed_anew(changes: dict[str, Any], still: bool) -> None:
    before = a_law()
    after = a_law(facts(amount="40", currency="EUR") | changes)
    found = confirmed(after, [yes(the(before, LUMP))])
    assert found.lump_sum[0].certainty.sure is still


def test_a_changed_rate_is_confirmed_anew() -> None:
    yes_to_five = yes(the(a_law(), "2016-01-01"))
    assert confirmed(a_law(rate="5.00"), [yes_to_five]).series["base"].on(date(2020, 1, 1)).doubt is None
    assert confirmed(a_law(rate="5.01"), [yes_to_five]).series["base"].on(date(2020, 1, 1)).doubt is not None


def test_a_field_is_confirmed_apart_from_its_row() -> None:
    law = a_law(facts(amount="40", currency="EUR", certainty="single_source", certainty_of={"per": "memory"}))
    row = confirmed(law, [yes(the(law, LUMP))]).lump_sum[0]
    assert (row.certainty, row.certainty_of["per"]) == (Certainty.CONFIRMED, Certainty.MEMORY)
    field = confirmed(law, [yes(the(law, f"{LUMP}.per"))]).lump_sum[0]
    assert (field.certainty, field.certainty_of["per"]) == (Certainty.SINGLE_SOURCE, Certainty.CONFIRMED)


@pytest.mark.parametrize("code", sorted(LAWS))
def test_no_two_values_of_a_law_have_one_name(code: str) -> None:
    names = [value.field for value in values_of(LAWS[code])]
    assert len(names) == len(set(names))
    # They fit into the columns of the database.
    assert all(len(name) <= 100 for name in names)


@pytest.mark.parametrize("code", sorted(LAWS))
def test_once_all_is_confirmed_nothing_is_in_doubt(code: str) -> None:
    law = LAWS[code]
    values = [*values_of(law), *(one for series in law.series.values() for one in rates_of(series))]
    found = confirmed(law, [yes(value) for value in values if not value.certainty.sure])
    assert [doubt for _, row in found.facts() for doubt in row.doubts()] == []
    assert [step for series in found.series.values() for step in rates_of(series) if not step.certainty.sure] == []


def test_a_value_is_shown_in_a_few_words() -> None:
    assert the(a_law(), LUMP).shown == "amount 40, currency EUR"
    assert the(a_law(), "2016-01-01").shown == "5.00 % from 2016-01-01"
    scale = the(LAWS["NL"], "lump_sum.business+public-once-asked.2016-01-01").shown
    assert "bands up_to 2500 percent 15/up_to 5000 amount 375" in scale
    assert Decimal(scale.split("maximum ")[1].split(",")[0]) == 6775

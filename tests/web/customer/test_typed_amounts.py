"""Amounts as customers write them: read by the sign of their language, and never a thousandth of what was meant."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from dunwell.intake.currencies import Currency
from dunwell.web.customer.typed import Reader, Sent

EURO, YEN = Currency("EUR", 2), Currency("JPY", 0)


def read(language: str, typed: str, currency: Currency = EURO) -> Decimal | None:
    reader = Reader(Sent({"amount": typed}), Locale.parse(language), ZoneInfo("Europe/Madrid"), "ES")
    found = reader.amount("amount", currency)
    assert (found is None) is bool(reader.faults or not typed)
    return found


@pytest.mark.parametrize(
    ("language", "typed", "found"),
    [
        ("es", "300", "300"),
        ("es", "300,50", "300.50"),
        ("es", "1.200", "1200"),
        ("es", "1.200,50 €", "1200.50"),
        ("es", "1200.50", "1200.50"),
        ("es", "1,200", "1200"),
        ("en", "1,200", "1200"),
        ("en", "1.200", "1200"),
        ("en", "€1,200.50", "1200.50"),
        ("en", "1200,5", "1200.5"),
        ("fr", "1\u202f200,50", "1200.50"),
        ("de", "1.200,-", None),
        ("en", "12.345", "12345"),
        ("en", "500 USD", None),
        ("es", "$500", None),
        ("en", "0", None),
        ("en", "-5", None),
        ("en", "1.2.3", None),
        ("en", "1e5", None),
        ("en", "٣٠٠", None),
        ("en", "", None),
    ],
)
def test_amounts(language: str, typed: str, found: str | None) -> None:
    assert read(language, typed) == (Decimal(found) if found else None)


def test_yen_have_no_places() -> None:
    assert (read("en", "1200", YEN), read("en", "1200.50", YEN)) == (Decimal(1200), None)


def test_what_to_write_names_the_currency_of_the_invoice() -> None:
    reader = Reader(Sent({"amount": "500 USD"}), Locale.parse("en"), ZoneInfo("Europe/Madrid"), "ES")
    reader.amount("amount", EURO)
    assert reader.faults["amount"].facts == {"example": "1200.50 EUR"}

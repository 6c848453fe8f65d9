"""The message that asks once for what is left when an invoice is paid, in every language."""

from datetime import date
from decimal import Decimal

import pytest

from dunwell.texts.formatting import Claimed
from tests.services.languages import CATALOGUE, EXPECTED, GSM_7, GSM_7_TWICE, LANGUAGES, facts, sms_segments, spaced

CLAIMED = Claimed(
    number="INV-2041",
    interest=Decimal("7.12"),
    rate=Decimal("10.15"),
    since=date(2026, 3, 2),
    currency="EUR",
    digits=2,
    lump_sum=Decimal("40.00"),
    lump_sum_currency="EUR",
    basis=("Dir. 2011/7/EU",),
)
PAID = {
    "settled": True,
    "paid": Decimal("1200.00"),
    "open": Decimal(0),
    "asked": Decimal(0),
    "claims": (CLAIMED,),
    "claim_until": date(2026, 3, 29),
}
APART = CLAIMED.model_copy(update={"interest": Decimal(0), "currency": "PLN"})


@LANGUAGES
def test_it_asks_for_what_is_left_and_never_for_the_invoice(language: str) -> None:
    composed = CATALOGUE.compose("accessory-request", language, facts(**PAID))
    assert "47" in composed.subject and "INV-2041" in composed.subject
    for text in (composed.text, composed.short, composed.call):
        assert "47,12" in text or "47.12" in text
        assert "29" in text and "Dir. 2011/7/EU" in text
        assert "247" not in spaced(text), "the invoice is paid"
    assert EXPECTED[language].bank in spaced(composed.text)


@LANGUAGES
def test_as_an_sms_it_is_one_text_longer_at_most(language: str) -> None:
    short = CATALOGUE.compose("accessory-request", language, facts(**PAID)).short
    assert not EXPECTED[language].basic or set(short) <= GSM_7 | GSM_7_TWICE, short
    assert sms_segments(short) <= EXPECTED[language].sms + 1, short


@pytest.mark.parametrize(("language", "says"), [("en", "For the delay €40.00 is"), ("de", "bleiben 40,00 € (")])
def test_a_lump_sum_in_another_currency_is_all_that_is_left(language: str, says: str) -> None:
    composed = CATALOGUE.compose(
        "accessory-request", language, facts(**PAID | {"claims": (APART,), "currency": "PLN"})
    )
    assert says in spaced(composed.short)

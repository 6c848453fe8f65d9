"""The message that corrects thanks for a payment that was booked to the invoice by our mistake."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.texts.catalogue import Instalment
from tests.services.languages import CATALOGUE, LANGUAGES, URL, facts, spaced

PROMISE: dict[str, Any] = {"promise_on": date(2026, 3, 29), "promise_amount": Decimal("712.00"), "payment_url": URL}
PLAN: dict[str, Any] = {"instalments": (Instalment(on=date(2026, 4, 1), amount=Decimal("712.00")),)}


@LANGUAGES
@pytest.mark.parametrize("agreed", [PROMISE, PLAN], ids=["a promise", "a plan"])
def test_it_names_what_is_open_and_what_is_agreed(language: str, agreed: dict[str, Any]) -> None:
    told = CATALOGUE.compose("booked-by-mistake", language, facts(**agreed))
    for text in (told.text, told.short, told.call):
        assert "712" in text and any(whole in spaced(text) for whole in ("1,200", "1.200", "1 200"))


@LANGUAGES
def test_what_is_wholly_in_dispute_is_not_asked_for(language: str) -> None:
    told = CATALOGUE.compose("booked-by-mistake", language, facts(asked=Decimal(0), **PROMISE))
    for text in (told.text, told.short, told.call):
        assert "712" not in text
    assert URL not in told.text and URL not in told.short

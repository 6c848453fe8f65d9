"""In which language a customer is written to: their own, else their country's, else the ladder's, else English."""

from typing import Any

import pytest

from dunwell.domain.invoice import UNDETERMINED
from dunwell.store import invoices
from tests.builders import a_customer, an_invoice, the_ladders
from tests.services.conftest import MakeHarness, ServiceHarness
from tests.services.languages import spaced

MAIL = "2027-03-02 09:00"
NOBODY = UNDETERMINED


def known_language(harness: ServiceHarness) -> str:
    with harness.deps.database.reading() as session:
        return invoices.get_customer(session, "acme").language


@pytest.mark.parametrize(
    ("named", "country", "ladder", "kept", "due"),
    [
        # the customer's own wins, and its region says how dates are written
        ("es", "DE", "en", "es", "1 de marzo de 2027"),
        ("en-GB", "DE", "en", "en-GB", "1 March 2027"),
        ("en", "BG", "bg", "en", "March 1, 2027"),
        # nobody named one: the country's
        (NOBODY, "BG", "en", "bg-BG", "1 март 2027"),
        (NOBODY, "FR", "en", "fr-FR", "1er mars 2027"),
        (NOBODY, "LU", "en", "fr-LU", "1er mars 2027"),
        (NOBODY, "BE", "en", "fr-BE", "1er mars 2027"),  # Dutch is spoken more, but there are no messages in it
        (NOBODY, "CA", "en", "en-CA", "March 1, 2027"),
        (NOBODY, "AT", "en", "de-AT", "1. März 2027"),
        (NOBODY, "CH", "en", "de-CH", "1. März 2027"),
        (NOBODY, "KZ", "en", "ru-KZ", "1 марта 2027"),
        (NOBODY, "GB", "es", "en-GB", "1 March 2027"),
        (NOBODY, "MX", "en", "es-MX", "1 de marzo de 2027"),
        # there are no messages in the country's: the ladder's
        (NOBODY, "HU", "bg", "bg", "1 март 2027"),
        (NOBODY, "AQ", "en-GB", "en-GB", "1 March 2027"),
        # there are none in their own: the ladder's, and their own is kept for the day when there are
        ("hu", "BG", "es", "hu", "1 de marzo de 2027"),
        # there are none at all: English
        ("hu", "HU", "hu", "hu", "March 1, 2027"),
        (NOBODY, "HU", "hu", "en", "March 1, 2027"),
    ],
)
def test_language(make_harness: MakeHarness, named: str, country: str, ladder: str, kept: str, due: str) -> None:
    harness, shipped = make_harness(), the_ladders()["gentle-saas"]
    policy = shipped.model_copy(update={"name": "spoken", "language": ladder})
    harness.open(an_invoice(customer=a_customer(language=named, country=country)), ladder=policy)
    assert known_language(harness) == kept
    harness.carry_out("first-reminder", MAIL)
    body = harness.messages()[0].body
    assert due in spaced(body)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("bg", NOBODY, "bg"),  # a later file that is silent takes nothing away
        ("bg", "es", "es"),
        (NOBODY, "es", "es"),
    ],
)
def test_what_a_second_invoice_says(make_harness: MakeHarness, first: str, second: str, kept: str) -> None:
    harness = make_harness()

    def bill(number: str, language: str) -> Any:
        return an_invoice(invoice_id=number, number=number, customer=a_customer(language=language, country="MX"))

    harness.open(bill("inv-1", first))
    harness.open(bill("inv-2", second))
    assert known_language(harness) == kept


@pytest.mark.parametrize(
    ("named", "country", "currency", "says"),
    [
        ("es", "MX", "MXN", "$1,200.00"),  # 1.200,00 reads as 1.20 there
        ("es", "PE", "PEN", "S/ 1,200.00"),
        ("es", "DE", "EUR", "1.200,00 €"),  # Spanish is not spoken there: as in Spain
        ("en", "GB", "GBP", "1 March 2027"),
        ("it", "CH", "CHF", "CHF 1’200.00"),
        ("fr", "FR", "EUR", "1 200,00 €"),
        ("fr", "LU", "EUR", "1.200,00 €"),
        ("fr", "CA", "CAD", "1 200,00 $"),
        ("fr", "DE", "EUR", "1er mars 2027"),
        ("de", "CH", "CHF", "CHF 1’200.00"),
        ("de", "AT", "EUR", "€ 1.200,00"),
        ("de", "FR", "EUR", "1.200,00 €"),
        ("pt-BR", "PT", "EUR", "€ 1.200,00"),  # whoever names a region has chosen
    ],
)
def test_c7_the_country_says_how_its_language_writes_money_and_days(
    make_harness: MakeHarness, named: str, country: str, currency: str, says: str
) -> None:
    harness = make_harness()
    harness.open(an_invoice(customer=a_customer(language=named, country=country), currency=currency))
    harness.carry_out("first-reminder", MAIL)
    assert says in spaced(harness.messages()[0].body)

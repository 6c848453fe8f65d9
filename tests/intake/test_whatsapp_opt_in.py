"""The consent to WhatsApp in invoice files, by hand and over HTTP: one line of text, whoever writes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.consent import Consent
from dunwell.domain.invoice import Invoice
from dunwell.intake.day_checks import consent
from dunwell.intake.invoices import parse_invoice
from dunwell.intake.refusals import InvalidValue
from dunwell.local.invoice_page import example


def parsed(value: object) -> Any:
    record = json.loads(json.dumps(example(), default=str))
    record["customer"]["contacts"][0]["whatsapp_opt_in"] = value
    return parse_invoice(record, "the record")


@pytest.mark.parametrize("value", [{"on": "2027-01-15", "source": "order form"}, "2027-01-15 order form"])
def test_a_consent_is_kept_with_day_and_source(value: object) -> None:
    invoice = parsed(value)
    assert isinstance(invoice, Invoice)
    contact = invoice.customer.contacts[0]
    assert contact.whatsapp_opt_in == "2027-01-15 order form"
    assert str(Consent.parse(contact.whatsapp_opt_in)) == contact.whatsapp_opt_in
    assert contact.address(Channel.WHATSAPP) == contact.phone
    without = contact.model_copy(update={"whatsapp_opt_in": None})
    assert without.address(Channel.WHATSAPP) is None and without.lacks_consent(Channel.WHATSAPP)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("yes", "source"),
        (True, "text"),
        ("2027-01-15", "source"),
        ("yesterday by phone", "YYYY-MM-DD"),
        ({"on": "2027-01-15"}, "`on` and `source`"),
        ({"on": "2027-01-15", "source": " "}, "source"),
        ({"on": "2027-13-15", "source": "form"}, "calendar"),
    ],
)
def test_what_is_no_consent_is_refused(value: object, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        consent(value)
    assert said in str(caught.value)


def test_an_example_file_of_csv_names_the_column(tmp_path: Path) -> None:
    from dunwell.intake.csv_columns import COLUMNS

    assert "accounts_payable_whatsapp_opt_in" in COLUMNS

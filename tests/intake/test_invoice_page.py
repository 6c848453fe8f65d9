"""docs/invoices.md is made from the fields themselves, and says what the reader says."""

import pytest

from dunwell.domain.invoice import Invoice
from dunwell.domain.terms import Role
from dunwell.intake.csv_columns import COLUMNS
from dunwell.intake.invoice_fields import CONTACT, CUSTOMER, INVOICE, Field
from dunwell.intake.invoices import parse_invoice
from dunwell.local.invoice_page import PAGE, example, page, refusal_of

FIELDS = [
    *(("", one) for one in INVOICE.values()),
    *(("customer", one) for one in CUSTOMER.values()),
    *(("customer.contacts[0]", one) for one in CONTACT.values()),
]


def test_e4_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make docs"


def test_e4_the_example_of_every_field_is_accepted() -> None:
    found = parse_invoice(example(), "the example")
    assert isinstance(found, Invoice), found


@pytest.mark.parametrize(("path", "field"), FIELDS, ids=[f"{path}.{one.name}" for path, one in FIELDS])
def test_e4_the_page_says_of_each_field_what_it_is_and_what_refuses_it(path: str, field: Field) -> None:
    written = page()
    assert f"| `{field.name}` |" in written
    assert field.about.replace("\n", " ") in written
    assert field.refused
    for value in field.refused:
        assert refusal_of(path, field.name, value).replace("|", "\\|") in written


def test_e4_every_column_of_a_csv_is_named() -> None:
    written = page()
    of_contacts = {name for name in COLUMNS if name.startswith(tuple(f"{role}_" for role in Role))}
    assert not [name for name in COLUMNS.keys() - of_contacts if f"| `{name}` |" not in written]
    parts = {name.removeprefix(f"{role}_") for name in of_contacts for role in Role if name.startswith(f"{role}_")}
    assert not [part for part in parts if f"`<role>_{part}`" not in written]

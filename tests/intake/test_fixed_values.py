"""A field that a file has no column for has the same value in every record: --set currency=EUR."""

import pytest

from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import read_column_map
from dunwell.intake.invoices import InvoiceFile, read_content
from dunwell.intake.payments import PAYMENTS, payments_of

_TITLES = "number;customer_id;customer_name;amount;issued_on;due_on"
_ROWS = ("5001;C1;A;1.200,50;01.10.2026;31.10.2026", "5002;C2;B;-5,00;01.10.2026;31.10.2026")
_FIXED = ("currency=EUR", "country=DE")


def read(
    *rows: str, fixed: tuple[str, ...] = _FIXED, mapped: tuple[str, ...] = (), titles: str = _TITLES
) -> InvoiceFile:
    content = "\n".join((titles, *rows)).encode()
    return read_content(content, "op.csv", None, read_column_map(mapped, fixed_values=fixed))


def test_a_fixed_value_stands_in_every_record_and_that_is_said() -> None:
    file = read(_ROWS[0], _ROWS[0].replace("5001", "5003"), fixed=(*_FIXED, "language=fr", "policy=gradual-pressure"))
    assert not file.refusals
    assert {(one.currency, one.customer.country, one.customer.language, one.policy) for one in file.invoices} == {
        ("EUR", "DE", "fr", "gradual-pressure")
    }
    assert str(file.invoices[0].amount) == "1200.50"
    assert file.note is not None and "every record with currency EUR, country DE, language fr" in file.note


def test_a_wrong_fixed_value_is_refused_under_its_field() -> None:
    file = read(_ROWS[0], fixed=("currency=euro", "country=DE"))
    assert [(one.field, one.value) for one in file.refusals] == [("currency", "euro")]


def test_a_person_of_every_customer_can_be_called_alike() -> None:
    titles = f"{_TITLES};accounts_payable_email"
    file = read(f"{_ROWS[0]};ap@a.example", fixed=(*_FIXED, "accounts_payable_name=Accounts"), titles=titles)
    (invoice,) = file.invoices
    assert [(one.name, one.email) for one in invoice.customer.contacts] == [("Accounts", "ap@a.example")]


def test_a_field_with_a_column_takes_no_fixed_value() -> None:
    file = read(f"{_ROWS[0]};USD", titles=f"{_TITLES};Currency")
    assert "given by --set and in a column: 'currency (Currency)'" in file.refusals[0].reason
    assert "leave out the value" in file.refusals[0].reason and not file.invoices
    left_out = read(f"{_ROWS[0]};USD", titles=f"{_TITLES};Currency", mapped=("Currency=-",))
    assert [one.currency for one in left_out.invoices] == ["EUR"]


def test_the_total_of_a_list_is_still_left_out() -> None:
    file = read(_ROWS[0], "Summe;;;1.200,50;;")
    assert len(file.invoices) == 1 and "total of the list" in file.refusals[0].reason


def test_what_is_missing_can_be_given_to_every_record() -> None:
    reason = read(_ROWS[0], fixed=()).refusals[0].reason
    assert "missing: 'currency', 'country'" in reason and "--set currency=EUR" in reason


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        (("currency",), "is not FIELD=VALUE"),
        (("currency=",), "is not FIELD=VALUE"),
        (("curency=EUR",), "is no field of an invoice file: did you mean 'currency'?"),
        (("currency=EUR", "currency=USD"), "is given two values"),
    ],
)
def test_an_item_that_is_none_is_refused(fixed: tuple[str, ...], said: str) -> None:
    with pytest.raises(Refused, match="--set") as refused:
        read_column_map((), fixed_values=fixed)
    assert said in str(refused.value)


def test_fixed_values_are_for_csv_only() -> None:
    with pytest.raises(Refused, match=r"--set.*CSV only"):
        read_content(b"[]", "x.json", None, read_column_map((), fixed_values=_FIXED))


def test_payments_of_a_file_have_one_currency() -> None:
    mapped = read_column_map((), PAYMENTS, ("currency=EUR", "method=transfer"))
    (one,) = payments_of(b"invoice_id,payment_id,amount\nI-1,P-1,5.00\n", "p.csv", None, mapped).payments
    assert (one.currency, one.method) == ("EUR", "transfer")

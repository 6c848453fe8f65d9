"""Files of payments: CSV in any dialect, JSON and JSON Lines, and one message for each mistake."""

import json
from typing import Any

import pytest

from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import read_column_map
from dunwell.intake.csv_dialect import read_dialect
from dunwell.intake.payments import PAYMENTS, PaymentFile, payments_of


def read(text: str, name: str = "payments.csv", dialect: str = "", *mapped: str) -> PaymentFile:
    return payments_of(text.encode(), name, read_dialect(dialect), read_column_map(mapped, PAYMENTS))


def refusals(file: PaymentFile) -> list[str]:
    return [str(one) for one in file.refusals]


def test_a_table_with_decimal_commas_and_days_first() -> None:
    file = read(
        "invoice_id;payment_id;amount;currency;received_at\n"
        "INV-1;B-1;1.200,00;EUR;28.02.2027\n"
        "INV-2;B-2;99,50;EUR;1.3.2027\n"
    )
    assert refusals(file) == []
    assert "decimal comma" in str(file.note)
    assert [one.content for one in file.payments] == [
        {"payment_id": "B-1", "amount": "1200.00", "currency": "EUR", "received_at": "2027-02-28T12:00:00+00:00"},
        {"payment_id": "B-2", "amount": "99.50", "currency": "EUR", "received_at": "2027-03-01T12:00:00+00:00"},
    ]


@pytest.mark.parametrize("name", ["payments.jsonl", "payments.json", "-"])
def test_json_in_every_form(name: str) -> None:
    given = [{"invoice_id": "INV-1", "payment_id": f"B-{n}", "amount": "5.00"} for n in (1, 2)]
    text = json.dumps(given) if name.endswith("json") else "\n".join(map(json.dumps, given))
    file = read(text, name)
    assert [(one.payment_id, one.currency) for one in file.payments] == [("B-1", None), ("B-2", None)]


def test_other_titles_by_map() -> None:
    titles = {"Rechnung": "invoice_id", "Ref": "payment_id", "Betrag": "amount"}
    text = f"{','.join(titles)}\nINV-1,B-1,5.00\n"
    (one,) = read(text, "x.csv", "", *(f"{title}={field}" for title, field in titles.items())).payments
    assert (one.invoice_id, one.payment_id, str(one.amount)) == ("INV-1", "B-1", "5.00")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "-5.00"}, "amount: '-5.00' is not more than zero"),
        ({"amount": "5.005"}, "amount: '5.005' is too fine"),
        ({"currency": "euro"}, "currency: 'euro' is no currency"),
        ({"invoice_id": "INV 1"}, "invoice_id: 'INV 1' is no plain id"),
        ({"payment_id": None}, "payment_id: is missing"),
        ({"received_at": "yesterday"}, "received_at: 'yesterday' is not a date"),
        (
            {"designation": "intrest"},
            "designation: 'intrest' is no head of a claim: did you mean 'interest'?",
        ),
        ({"note": "thanks"}, "note: is no field here"),
    ],
)
def test_one_message_a_mistake(changes: dict[str, Any], said: str) -> None:
    given = {"invoice_id": "INV-1", "payment_id": "B-1", "amount": "5.00", "currency": "EUR"} | changes
    (refusal,) = read(json.dumps(given), "x.jsonl").refusals
    assert refusal.where == "line 1" and refusal.told.startswith(said)


def test_missing_columns_are_named_together() -> None:
    (message,) = refusals(read("invoice_id,sum\nINV-1,5.00\n"))
    assert "missing: 'payment_id', 'amount'" in message


def test_amounts_that_can_be_read_in_two_ways_are_refused_as_a_whole() -> None:
    (message,) = refusals(read("invoice_id;payment_id;amount\nINV-1;B-1;1.200\n"))
    assert "--dialect" in message


def test_one_payment_twice_for_one_invoice_is_asked_about_and_for_two_is_none_of_our_business() -> None:
    file = read("invoice_id,payment_id,amount\nI-1,B-1,5.00\nI-2,B-1,6.00\nI-1,B-1,5.00\n")
    assert [one.invoice_id for one in file.payments] == ["I-2"]
    (message,) = refusals(file)
    assert message.startswith("line 2: payment_id: 'B-1' stands on line 4 too, so none of them is recorded")


def test_a_map_for_json_is_refused() -> None:
    with pytest.raises(Refused, match="is for CSV only"):
        read("{}", "x.json", "semicolon")


def test_a_map_to_a_field_of_invoices_is_refused() -> None:
    with pytest.raises(Refused, match="is no field of a file of payments"):
        read_column_map(["Due=due_on"], PAYMENTS)


def test_a_refusal_names_the_payment_and_its_invoice_as_far_as_the_line_does() -> None:
    text = "invoice_id,payment_id,amount\nINV-1,B-1,much\n,B-2,5.00\n"
    assert [message.partition(": ")[0] for message in refusals(read(text, "x.csv"))] == [
        "line 2 (payment B-1 of invoice INV-1)",
        "line 3 (payment B-2)",
    ]

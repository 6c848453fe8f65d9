"""One message about several invoices: each is told, summed by currency, and only its own consequence is announced."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dunwell.texts.catalogue import OtherInvoice
from dunwell.texts.catalogue_file import CONSEQUENCES
from tests.services.languages import (
    ASKING,
    CATALOGUE,
    EXPECTED,
    GSM_7,
    GSM_7_TWICE,
    LANGUAGES,
    NASTY,
    OPTIONAL,
    TRAITS,
    URL,
    bare,
    facts,
    letter,
    sms_segments,
    spaced,
    visible,
)


def others(count: int, *currencies: str) -> tuple[OtherInvoice, ...]:
    """Invoices of 0.10 each, due from yesterday on, in the currencies by turns; every second one has a link."""
    return tuple(
        OtherInvoice(
            number=f"INV-3{index:03}",
            issued_on=date(2026, 2, 5),
            due_on=date(2026, 3, 21) + timedelta(index),
            asked=Decimal("0.10"),
            currency=(currencies or ("EUR",))[index % len(currencies or ("EUR",))],
            digits=2,
            payment_url=f"https://pay.northwind.example/{index}" if index % 2 == 0 else None,
        )
        for index in range(count)
    )


@ASKING
@LANGUAGES
@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("currencies", [("EUR",), ("USD", "EUR")], ids="-".join)
def test_a_message_that_asks_tells_of_every_invoice(
    key: str, language: str, count: int, currencies: tuple[str, ...]
) -> None:
    known = facts(**OPTIONAL | {"others": others(count, *currencies)})
    composed = CATALOGUE.compose(key, language, known)
    for text in (composed.text, visible(composed.html), composed.call):
        for bill in known.bills:
            assert bill.number in text
    for text in (composed.text, composed.html, composed.call):
        for bill in known.bills:
            assert bill.payment_url is None or bill.payment_url in text
    assert letter(composed.html).count("<tr>") == count + 2
    for number, status in zip((bill.number for bill in known.bills), EXPECTED[language].rows, strict=False):
        assert re.search(rf"- {number} .* \({status}\) ", composed.text)
    assert str(count + 1) in composed.subject
    assert EXPECTED[language].in_all in composed.subject
    for field, text in composed.forms().items():
        for debris in ("{{", "{%", "None", "\\", "**", "](", "| ", "  \n"):
            assert debris not in text, field


@pytest.mark.parametrize(
    "key", sorted(key for key, traits in TRAITS.items() if not (traits.asks or traits.accessory or traits.announces))
)
@LANGUAGES
def test_a_message_that_does_not_ask_speaks_of_its_own_invoice_only(key: str, language: str) -> None:
    alone = CATALOGUE.compose(key, language, facts(**OPTIONAL)).forms()
    assert CATALOGUE.compose(key, language, facts(**OPTIONAL, others=others(3))).forms() == alone


@pytest.mark.parametrize(
    ("language", "count", "says"),
    [
        (
            "en",
            1,
            ["1 more invoice is open as well", "(2 invoices open in all)", "1 more invoice, €1,200.10 in all."],
        ),
        ("en", 9, ["9 more invoices are open", "(10 invoices open in all)", "9 more invoices, €1,200.90 in all."]),
        ("es", 1, ["hay otra factura pendiente", "(2 facturas pendientes", "Y otra factura, en total 1.200,10 €."]),
        (
            "ru",
            1,
            ["к оплате ещё 1 счёт", "(всего 2 счёта к оплате)", "Плюс ещё 1 счёт, всего 1 200,10 €."],
        ),
        ("ru", 4, ["к оплате ещё 4 счёта", "(всего 5 счетов к оплате)", "ещё 4 счёта, всего 1 200,40 €."]),
        ("bg", 1, ["за плащане е и още 1 фактура", "(общо 2 фактури", "още 1 фактура, общо 1 200,10 €."]),
        ("bg", 9, ["за плащане са и още 9 фактури", "(общо 10 фактури", "още 9 фактури, общо 1 200,90 €."]),
        ("es", 9, ["hay otras 9 facturas", "(10 facturas pendientes", "Y otras 9 facturas, en total 1.200,90 €."]),
    ],
)
def test_one_more_and_many_more(language: str, count: int, says: list[str]) -> None:
    known = facts(**OPTIONAL, others=others(count))
    composed = CATALOGUE.compose("reminder-first", language, known)
    for text, word in zip((composed.text, composed.subject, composed.short), says, strict=True):
        assert word in spaced(text)
    assert says[0] in composed.call


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        # own 1200.00 EUR first, then each currency in the order of its oldest invoice
        ([("0.10", "EUR", 2), ("0.20", "EUR", 2)], "Total to pay: €1,200.30"),
        ([("123456789012345678.99", "EUR", 2)], "Total to pay: €123,456,789,012,346,878.99"),
        ([("12.5", "KWD", 3), ("0.125", "KWD", 3)], "Total to pay: €1,200.00 and KWD 12.625"),
        ([("500", "JPY", 0), ("1", "EUR", 2)], "Total to pay: €1,201.00 and ¥500"),
        ([("1", "USD", 2), ("2", "GBP", 2)], "Total to pay: €1,200.00, $1.00, and £2.00"),
    ],
)
def test_totals_are_exact_and_by_currency(asked: list[tuple[str, str, int]], says: str) -> None:
    more = tuple(
        other.model_copy(update={"asked": Decimal(amount), "currency": currency, "digits": digits})
        for other, (amount, currency, digits) in zip(others(len(asked)), asked, strict=True)
    )
    composed = CATALOGUE.compose("reminder-second", "en", facts(others=more))
    for text in (composed.text, visible(composed.html)):
        assert says in spaced(text)
    assert f"{says.removeprefix('Total to pay: ')} for all {len(asked) + 1} invoices" in spaced(composed.call)


def test_the_table_begins_with_the_invoice_it_is_about_then_the_longest_due() -> None:
    text = CATALOGUE.compose("before-due", "en", facts(others=tuple(reversed(others(3))))).text
    assert re.findall(r"^- (INV-\d+) of", text, re.M) == ["INV-2041", "INV-3000", "INV-3001", "INV-3002"]


def test_a_table_in_plain_text_reads_line_by_line() -> None:
    text = CATALOGUE.compose("reminder-first", "en", facts(payment_url=URL, others=others(2))).text
    assert (
        "Invoice · Due date · Pay online · To pay\n"
        "- INV-2041 of Jan 30, 2026 · Mar 1, 2026 (21 days late) · €1,200.00\n"
        f"  Pay: {URL}\n"
        "- INV-3000 of Feb 5, 2026 · Mar 21, 2026 (1 day late) · €0.10\n"
        "  Pay: https://pay.northwind.example/0\n"
        "- INV-3001 of Feb 5, 2026 · Mar 22, 2026 (today) · €0.10\n\n"
        "- Total to pay: €1,200.20\n"
    ) in text


@ASKING
@LANGUAGES
def test_without_any_link_there_is_no_column_for_it(key: str, language: str) -> None:
    more = tuple(other.model_copy(update={"payment_url": None}) for other in others(2))
    composed = CATALOGUE.compose(key, language, facts(**bare(key), others=more))
    assert composed.html.count("<th ") == 3
    assert "http" not in composed.text + composed.short + composed.call
    assert EXPECTED[language].banks in composed.text


@pytest.mark.parametrize("key", ["final-warning", "formal-complaint"])
@LANGUAGES
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
def test_a_consequence_is_that_of_one_invoice_by_its_number(key: str, language: str, consequence: str) -> None:
    known = facts(**OPTIONAL | {"consequence": consequence, "others": others(2)})
    composed = CATALOGUE.compose(key, language, known)
    for text in (composed.text, composed.call):
        found = re.search(f"{EXPECTED[language].on}.*", spaced(text))
        assert found
        assert "INV-2041" in found[0]
        assert "INV-3" not in found[0]
    number, amount = composed.short.index("INV-2041"), composed.short.index("26")
    assert number < amount < composed.short.index(EXPECTED[language].more)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("restricted", "restriction is lifted automatically as soon as the payment of invoice INV-2041 arrives."),
        ("suspended", "suspension is lifted automatically as soon as the payment of invoice INV-2041 arrives."),
        ("handover-notice", "Payment of €1,200.00 still settles invoice INV-2041."),
        ("formal-complaint", "pay €1,200.00 for invoice INV-2041 in full before March 26, 2026."),
        ("promise-broken", "we could expect €400.50 for invoice INV-2041 by March 20, 2026."),
        ("instalment-missed", "instalment of our payment plan for invoice INV-2041 has not arrived"),
    ],
)
def test_what_is_true_of_one_invoice_names_it(key: str, says: str) -> None:
    assert says in CATALOGUE.compose(key, "en", facts(**OPTIONAL, others=others(2))).text


@pytest.mark.parametrize("name", [*NASTY, "a | b \\| c", "| --- |", "\n| x | y |\n"])
@LANGUAGES
def test_numbers_of_other_invoices_are_shown_as_they_are(name: str, language: str) -> None:
    more = (others(1)[0].model_copy(update={"number": name}),)
    composed = CATALOGUE.compose("reminder-first", language, facts(others=more))
    shown = " ".join(name.split())
    for text in (composed.text, composed.call, visible(composed.html)):
        assert shown in text
    assert "<script" not in composed.html
    assert "<code>" not in composed.html
    assert "evil.example" not in "".join(re.findall(r'href="([^"]*)"', composed.html))
    assert (letter(composed.html).count("<tr>"), letter(composed.html).count("<td")) == (3, 8)


@settings(max_examples=50, deadline=None)
@given(number=st.text(min_size=1, max_size=40).filter(lambda text: any(map(str.isprintable, text.split()))))
def test_any_number_stays_in_its_cell(number: str) -> None:
    more = (others(1)[0].model_copy(update={"number": number}),)
    composed = CATALOGUE.compose("reminder-first", "en", facts(others=more))
    plain = CATALOGUE.compose("reminder-first", "en", facts(others=others(1)))
    assert re.findall(r"<[a-z/][^>]*>", composed.html) == re.findall(r"<[a-z/][^>]*>", plain.html)
    assert len(composed.text.splitlines()) == len(plain.text.splitlines())


def test_the_pay_button_is_outside_the_table() -> None:
    html = CATALOGUE.compose("reminder-first", "en", facts(payment_url=URL, others=others(1))).html
    button = html.index("display:inline-block")
    assert html.count("display:inline-block") == 1
    assert html.count(f'href="{URL}"') == 2
    assert button > html.index("</table>")


@ASKING
@LANGUAGES
@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("currencies", [("EUR",), ("EUR", "USD", "GBP")], ids="-".join)
def test_short_texts_stay_short_and_keep_what_matters(
    key: str, language: str, count: int, currencies: tuple[str, ...]
) -> None:
    link = "https://pay.northwind.example/8fk2"
    more = tuple(other.model_copy(update={"asked": Decimal("123.45")}) for other in others(count, *currencies))
    for consequence in sorted(CONSEQUENCES) if TRAITS[key].announces else ["restricted"]:
        typical = OPTIONAL | {"payment_url": link, "consequence": consequence, "others": more}
        text = CATALOGUE.compose(key, language, facts(**typical)).short
        assert not EXPECTED[language].basic or set(text) <= GSM_7 | GSM_7_TWICE, text
        assert sms_segments(text) <= EXPECTED[language].sms, (len(text), text)
        for word in ("Northwind Ltd", "INV-2041", "200", link, "STOP"):
            assert word in text
        if len(currencies) == 1:
            assert str(1200 + count * Decimal("123.45")).replace(".", "") in re.sub(r"[., ]", "", text)
        assert count == 1 or f"{count} " in text


@LANGUAGES
def test_b10_the_small_print_names_every_company_of_the_group(language: str) -> None:
    text = CATALOGUE.compose("reminder-first", language, facts(others=others(1), beside=("Boiler Works",))).text
    assert text.count("Boiler Works") == 2  # among the invoices, and below
    alone = CATALOGUE.compose("reminder-first", language, facts(others=others(1))).text
    assert "Boiler Works" not in alone

"""The message catalogue: what people read, in every language, with every mix of facts, and what is refused."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.wording import (
    CONSEQUENCES,
    LABELS,
    Catalogue,
    CatalogueError,
    Facts,
    Instalment,
    OtherInvoice,
    Traits,
)

FOLDER = Path(__file__).parents[2] / "messages"
CATALOGUE = Catalogue.load(FOLDER)
URL = "https://pay.northwind.example/i/8fk2"

TRAITS = {
    "welcome-memo": Traits(),
    "before-due": Traits(asks=True),
    "due-today": Traits(asks=True),
    "reminder-first": Traits(asks=True),
    "reminder-second": Traits(asks=True),
    "final-warning": Traits(asks=True, announces=True),
    "restricted": Traits(asks=True, states="restricted"),
    "suspended": Traits(asks=True, states="suspended"),
    "restored": Traits(),
    "thank-you": Traits(),
    "part-received": Traits(asks=True),
    "promise-confirmed": Traits(),
    "promise-due": Traits(asks=True),
    "promise-broken": Traits(asks=True),
    "dispute-received": Traits(),
    "dispute-closed": Traits(asks=True),
    "plan-agreed": Traits(),
    "instalment-due": Traits(asks=True),
    "instalment-missed": Traits(asks=True),
    "courtesy-visit": Traits(asks=True),
    "meeting-request": Traits(asks=True),
    "formal-complaint": Traits(asks=True, announces=True),
    "handover-notice": Traits(asks=True, states="handed_over"),
    "milestone-invoice": Traits(asks=True),
    "milestone-reminder": Traits(asks=True),
}

# The facts without which a message makes no sense; every other optional fact may be missing.
NEEDS = {
    "final-warning": {"consequence", "consequence_on"},
    "formal-complaint": {"consequence", "consequence_on"},
    "promise-confirmed": {"promise_on"},
    "promise-due": {"promise_on"},
    "promise-broken": {"promise_on"},
    "instalment-due": {"instalment_on", "instalment_amount"},
    "plan-agreed": {"instalments"},
}

OPTIONAL: dict[str, object] = {
    "payment_url": URL,
    "earlier": (date(2026, 3, 3), date(2026, 3, 17)),
    "consequence": "restricted",
    "consequence_on": date(2026, 3, 26),
    "promise_on": date(2026, 3, 20),
    "promise_amount": Decimal("400.50"),
    "instalments": (
        Instalment(on=date(2026, 3, 25), amount=Decimal("400.00")),
        Instalment(on=date(2026, 4, 25), amount=Decimal("800.00")),
    ),
    "instalment_on": date(2026, 3, 25),
    "instalment_amount": Decimal("400.00"),
    "credit": Decimal("7.25"),
    "reply_to": "max@northwind.example",
}


@dataclass(frozen=True)
class Tongue:
    """What is looked for in one language: the same facts, in its own words. A new language adds one of these."""

    money: str  # how an amount looks, as a pattern
    issued: str  # 2026-01-30
    due: str  # 2026-03-01
    on: str  # the day of the consequence, 2026-03-26, as its sentence begins
    brief_on: str  # the same in an SMS
    late: str  # 21 days
    earlier: str  # 2026-03-03 and 2026-03-17
    bank: str  # how to pay without a link
    banks: str  # the same for several invoices
    consequences: dict[str, str]
    rows: tuple[str, str, str, str, str]  # how late, or in how many days, by table row
    in_all: str  # in the subject, how many are open
    more: str  # in an SMS, how many more
    sms: int  # how many SMS a short text may cost
    basic: bool = True  # whether its SMS keep to the basic alphabet


TONGUES = {
    "en": Tongue(
        money=r"€\d(,\d{3})?[\d.]*\.\d\d",
        issued="January 30, 2026",
        due="March 1, 2026",
        on="On March 26, 2026",
        brief_on="Mar 26",
        late="21 days",
        earlier="March 3 and March 17",
        bank="bank details are on the invoice",
        banks="bank details are on the invoices",
        consequences={
            "restricted": "limited",
            "suspended": "suspended",
            "legal": "legal department",
            "handed_over": "handed over",
        },
        rows=("21 days late", "1 day late", "today", "in 1 day", "in 2 days"),
        in_all="invoices open in all",
        more="more",
        sms=1,
    ),
    "es": Tongue(
        money=r"\d(\.\d{3})?,\d\d €",
        issued="30 de enero de 2026",
        due="1 de marzo de 2026",
        on="El 26 de marzo de 2026",
        brief_on="26 mar",
        late="21 días",
        earlier="3 de marzo y 17 de marzo",
        bank="datos bancarios figuran en la factura",
        banks="datos bancarios figuran en las facturas",
        consequences={
            "restricted": "limitarán",
            "suspended": "suspenderá",
            "legal": "departamento jurídico",
            "handed_over": "gestión formal de cobro",
        },
        rows=("21 días de retraso", "1 día de retraso", "hoy", "en 1 día", "en 2 días"),
        in_all="facturas pendientes en total",
        more="otras",
        sms=2,
    ),
    "id": Tongue(
        money=r"€\d(\.\d{3})?[\d.]*,\d\d",
        issued="30 Januari 2026",
        due="1 Maret 2026",
        on="Pada 26 Maret 2026",
        brief_on="26 Mar",
        late="21 hari",
        earlier="3 Maret dan 17 Maret",
        bank="rekening bank tercantum pada faktur",
        banks="rekening bank tercantum pada setiap faktur",
        consequences={
            "restricted": "dibatasi",
            "suspended": "dihentikan sementara",
            "legal": "bagian hukum",
            "handed_over": "penagihan resmi",
        },
        rows=("terlambat 21 hari", "terlambat 1 hari", "hari ini", "1 hari lagi", "2 hari lagi"),
        in_all="faktur belum dibayar",
        more="faktur lain",
        sms=2,
    ),
    "it": Tongue(
        money=r"\d(\.\d{3})?,\d\d €",
        issued="30 gennaio 2026",
        due="1 marzo 2026",
        on="Il giorno 26 marzo 2026",
        brief_on="26 mar",
        late="21 giorni",
        earlier="3 marzo e 17 marzo",
        bank="coordinate bancarie sono riportate nella fattura",
        banks="coordinate bancarie sono riportate nelle fatture",
        consequences={
            "restricted": "limitate",
            "suspended": "sospeso",
            "legal": "ufficio legale",
            "handed_over": "recupero formale del credito",
        },
        rows=("21 giorni di ritardo", "1 giorno di ritardo", "oggi", "tra 1 giorno", "tra 2 giorni"),
        in_all="fatture da saldare in totale",
        more="altr",
        sms=2,
    ),
    "pt-BR": Tongue(
        money=r"€ \d(\.\d{3})?[\d.]*,\d\d",
        issued="30 de janeiro de 2026",
        due="1 de março de 2026",
        on="Em 26 de março de 2026",
        brief_on="26 de mar.",
        late="21 dias",
        earlier="3 de março e 17 de março",
        bank="dados bancários estão na fatura",
        banks="dados bancários estão nas faturas",
        consequences={
            "restricted": "limitados",
            "suspended": "suspenso",
            "legal": "departamento jurídico",
            "handed_over": "cobrança formal",
        },
        rows=("21 dias de atraso", "1 dia de atraso", "hoje", "em 1 dia", "em 2 dias"),
        in_all="faturas em aberto no total",
        more="mais",
        sms=2,
    ),
    "ru": Tongue(
        money=r"\d( \d{3})?,\d\d €",
        issued="30 января 2026 г.",
        due="1 марта 2026 г.",
        on="С 26 марта 2026 г.",
        brief_on="26 мар.",
        late="21 день",
        earlier="3 марта и 17 марта",
        bank="реквизиты указаны в счёте",
        banks="реквизиты указаны в счетах",
        consequences={
            "restricted": "недоступна",
            "suspended": "приостановлена",
            "legal": "юридический отдел",
            "handed_over": "взысканием",
        },
        rows=("21 день назад", "1 день назад", "сегодня", "через 1 день", "через 2 дня"),
        in_all="к оплате",
        more="ещё",
        sms=3,
        basic=False,
    ),
    "bg": Tongue(
        money=r"\d( \d{3})?,\d\d €",
        issued="30 януари 2026 г.",
        due="1 март 2026 г.",
        on="От 26 март 2026 г.",
        brief_on="26.03",
        late="21 дни",
        earlier="3 март и 17 март",
        bank="банковата сметка е посочена във фактурата",
        banks="банковата сметка е посочена във фактурите",
        consequences={
            "restricted": "няма да са достъпни",
            "suspended": "спряна",
            "legal": "юридическия",
            "handed_over": "събирането",
        },
        rows=("преди 21 дни", "преди 1 ден", "днес", "след 1 ден", "след 2 дни"),
        in_all="за плащане",
        more="още",
        sms=3,
        basic=False,
    ),
}

MESSAGES = pytest.mark.parametrize("key", sorted(TRAITS))
ASKING = pytest.mark.parametrize("key", sorted(key for key, traits in TRAITS.items() if traits.asks))
LANGUAGES = pytest.mark.parametrize("language", sorted(TONGUES))


def facts(**changes: Any) -> Facts:
    """An overdue invoice of 1,200 euros, nothing paid, no optional fact."""
    base: dict[str, Any] = {
        "contact_name": "Ada Byron",
        "company": "Engine Works",
        "number": "INV-2041",
        "issued_on": date(2026, 1, 30),
        "due_on": date(2026, 3, 1),
        "today": date(2026, 3, 22),
        "amount": Decimal("1200.00"),
        "paid": Decimal(0),
        "open": Decimal("1200.00"),
        "asked": Decimal("1200.00"),
        "currency": "EUR",
        "digits": 2,
        "sender_name": "Max Weber",
        "sender_company": "Northwind Ltd",
    }
    return Facts(**base | changes)


def bare(key: str) -> dict[str, object]:
    return {name: OPTIONAL[name] for name in NEEDS.get(key, ())}


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def letter(html: str) -> str:
    """The letter inside the frame that every mail has."""
    return html[html.index('<div class="letter"') :].partition("</div>\n<!--")[0]


def visible(html: str) -> str:
    """What a reader of the HTML sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", letter(html))).split())


# ---- the catalogue as a whole


def test_every_message_of_every_language_can_be_written() -> None:
    CATALOGUE.check()


def test_every_language_has_every_message_with_its_traits() -> None:
    assert CATALOGUE.languages == tuple(sorted(TONGUES))
    assert CATALOGUE.keys == TRAITS.keys()
    assert dict(CATALOGUE.traits) == TRAITS


@MESSAGES
@LANGUAGES
@pytest.mark.parametrize(
    "missing",
    [(), *((name,) for name in OPTIONAL), tuple(OPTIONAL)],
    ids=lambda names: "without-" + ("all" if len(names) > 1 else "-".join(names) or "none"),
)
def test_message_reads_well_whatever_the_case_lacks(key: str, language: str, missing: tuple[str, ...]) -> None:
    given_facts = {name: value for name, value in OPTIONAL.items() if name not in missing}
    composed = CATALOGUE.compose(key, language, facts(**given_facts | bare(key)))
    for field, text in composed.forms().items():
        assert text.strip(), field
        for debris in ("{{", "{%", "None", "Undefined", "\\", "**", "](", "  \n"):
            assert debris not in text, field
    for text in (composed.subject, composed.short):
        assert text == " ".join(text.split())


@MESSAGES
@LANGUAGES
def test_message_says_who_what_and_how_much(key: str, language: str) -> None:
    composed = CATALOGUE.compose(key, language, facts(**OPTIONAL))
    for text in (composed.text, visible(composed.html)):
        for word in ("Ada Byron", "INV-2041", "Max Weber", "Northwind Ltd"):
            assert word in text
    for text in (composed.text, composed.short, composed.call):
        assert re.search(TONGUES[language].money, spaced(text)), text
    assert "STOP" in composed.short
    assert "Northwind Ltd" in composed.short
    assert "INV-2041" in composed.short


@LANGUAGES
@ASKING
def test_a_message_that_asks_says_how_to_pay_and_by_when(key: str, language: str) -> None:
    with_link = CATALOGUE.compose(key, language, facts(**OPTIONAL))
    for text in (with_link.text, with_link.html, with_link.short, with_link.call):
        assert URL in text
    without = CATALOGUE.compose(key, language, facts(**bare(key)))
    tongue = TONGUES[language]
    assert "http" not in without.text
    for words in (tongue.bank, tongue.issued, tongue.due):
        assert words in spaced(without.text)


@LANGUAGES
@pytest.mark.parametrize("key", ["final-warning", "formal-complaint"])
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
def test_a_warning_names_the_consequence_with_its_date(key: str, language: str, consequence: str) -> None:
    composed = CATALOGUE.compose(key, language, facts(**OPTIONAL | {"consequence": consequence}))
    tongue = TONGUES[language]
    for text in (composed.text, composed.call):
        assert tongue.on in spaced(text)
        assert tongue.consequences[consequence] in text
    assert tongue.late in composed.text
    assert tongue.brief_on in composed.short


@LANGUAGES
def test_the_second_reminder_names_the_first_ones(language: str) -> None:
    earlier = (date(2026, 3, 17), date(2026, 3, 3), date(2026, 3, 3))
    text = CATALOGUE.compose("reminder-second", language, facts(earlier=earlier)).text
    assert TONGUES[language].earlier in text


def test_reminders_of_another_year_carry_the_year() -> None:
    known = facts(earlier=(date(2025, 12, 30), date(2026, 3, 3)))
    text = CATALOGUE.compose("reminder-second", "en", known).text
    assert "December 30, 2025 and March 3, 2026" in text


def test_disputed_paid_and_overpaid_amounts_are_named() -> None:
    part = facts(paid=Decimal(200), open=Decimal(1000), asked=Decimal(700))
    text = CATALOGUE.compose("reminder-first", "en", part).text
    assert "Received so far, with thanks: €200.00" in text
    assert "Under review, not asked for now: €300.00" in text
    assert "To pay: €700.00" in text
    thanks = CATALOGUE.compose("thank-you", "en", facts(paid=Decimal(1207), credit=Decimal(7)))
    assert "You paid €7.00 more" in thanks.text


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Decimal(700), "disputed part of €500.00"),  # a part is in dispute, the rest is still asked for
        (Decimal(0), "our reminders about this invoice rest"),  # all of it is in dispute
    ],
)
def test_a_dispute_says_what_rests(asked: Decimal, says: str) -> None:
    assert says in CATALOGUE.compose("dispute-received", "en", facts(asked=asked)).text


@LANGUAGES
def test_labels(language: str) -> None:
    labels = CATALOGUE.labels(language)
    assert labels.keys() == LABELS.keys()
    assert "{name}" in labels["copy"]


def test_labels_come_in_the_nearest_language() -> None:
    assert CATALOGUE.labels("es-MX") == CATALOGUE.labels("es") != CATALOGUE.labels("en")
    assert CATALOGUE.labels("tlh") == CATALOGUE.labels("en")


# ---- languages, plurals, amounts, dates


@pytest.mark.parametrize(
    ("language", "days", "says"),
    [
        ("en", 1, "(1 day ago)"),
        ("en", 2, "(2 days ago)"),
        ("en", 1234, "(1,234 days ago)"),
        ("es", 1, "(hace 1 día)"),
        ("es", 2, "(hace 2 días)"),
        ("es", 21, "(hace 21 días)"),
        ("ru", 1, "(1 день назад)"),
        ("ru", 2, "(2 дня назад)"),
        ("ru", 5, "(5 дней назад)"),
        ("ru", 11, "(11 дней назад)"),
        ("ru", 21, "(21 день назад)"),
        ("bg", 1, "(преди 1 ден)"),
        ("bg", 21, "(преди 21 дни)"),
    ],
)
def test_plurals(language: str, days: int, says: str) -> None:
    known = facts(due_on=date(2026, 3, 22) - timedelta(days), issued_on=date(2020, 1, 1))
    assert says in CATALOGUE.compose("reminder-first", language, known).text


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2026, 2, 26), "is due on March 1, 2026, in 3 days"),
        (date(2026, 2, 28), "is due on March 1, 2026, in 1 day."),
        (date(2026, 3, 1), "is due today."),
        (date(2026, 3, 2), "was due on March 1, 2026."),  # moved past a weekend: "today" would be untrue
    ],
)
def test_the_due_date_is_told_as_of_today(today: date, says: str) -> None:
    assert says in CATALOGUE.compose("before-due", "en", facts(today=today)).text


@pytest.mark.parametrize(
    ("language", "currency", "digits", "amount", "long", "short"),
    [
        ("en", "EUR", 2, "1200", "€1,200.00", "€1,200.00"),
        ("es", "EUR", 2, "1200", "1.200,00 €", "1.200,00 €"),
        ("es-MX", "MXN", 2, "1200", "$1,200.00", "$1,200.00"),  # Mexico writes amounts its own way
        ("es-MX", "EUR", 2, "1200", "EUR 1,200.00", "EUR 1,200.00"),  # letters do not touch digits
        ("en", "JPY", 0, "120000", "¥120,000", "¥120,000"),
        ("en", "KWD", 3, "12.5", "KWD 12.500", "KWD 12.500"),
        ("en", "INR", 2, "1200", "₹1,200.00", "INR 1,200.00"),  # ₹ would cost a second SMS
        ("en", "EUR", 2, "0.1", "€0.10", "€0.10"),
        ("en", "EUR", 2, "123456789012345678.99", "€123,456,789,012,345,678.99", "45,678.99"),  # exact
    ],
)
def test_amounts_as_the_locale_writes_them(
    language: str, currency: str, digits: int, amount: str, long: str, short: str
) -> None:
    value = Decimal(amount)
    known = facts(currency=currency, digits=digits, amount=value, open=value, asked=value)
    composed = CATALOGUE.compose("reminder-first", language, known)
    assert long in spaced(composed.text)
    assert short in composed.short


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "March 1, 2026"),
        ("en-GB", "1 March 2026"),
        ("en_GB", "1 March 2026"),
        ("en-ZZ", "March 1, 2026"),  # an unknown region: the language's own form
        ("es", "1 de marzo de 2026"),
        ("es-419", "1 de marzo de 2026"),
    ],
)
def test_dates_as_the_locale_writes_them(language: str, says: str) -> None:
    assert says in CATALOGUE.compose("reminder-first", language, facts()).text


@pytest.mark.parametrize(
    ("have", "wanted", "gets"),
    [
        (["en", "es"], "es", "es"),  # exact
        (["en", "pt", "pt-BR"], "pt-BR", "pt-BR"),  # exact, though the base is there too
        (["en", "pt", "pt-BR"], "PT_br", "pt-BR"),  # however it is spelled
        (["en", "pt", "pt-BR"], "pt-PT", "pt"),  # base
        (["en", "pt-BR"], "pt", "pt-BR"),  # any of the same base
        (["en", "pt-BR"], "pt-PT", "pt-BR"),
        (["en", "es"], "de", "en"),  # nothing near
        (["en", "es"], "est", "en"),  # Estonian is no Spanish
        (["en", "es"], "", "en"),
    ],
)
def test_language_for(tmp_path: Path, have: list[str], wanted: str, gets: str) -> None:
    for code in have:
        write(tmp_path, code)
    assert Catalogue.load(tmp_path).language_for(wanted) == gets


# ---- names are data: never Markdown, HTML or template

NASTY = [
    "**A&B** <script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %}",
    "[free](https://evil.example) _x_ `y` # z",
    "1. One & Sons",
    "- Dash",
    "&lt;b&gt; &copy;",
    "<https://evil.example>",
    "Back\\slash * | ~ ' \"",
    "    Four spaces",
]


@pytest.mark.parametrize("name", NASTY)
@LANGUAGES
def test_names_are_shown_as_they_are(name: str, language: str) -> None:
    known = facts(contact_name=name, company=name, number=name, sender_name=name, sender_company=name)
    composed = CATALOGUE.compose("reminder-first", language, known)
    shown = name.strip()
    for text in (composed.subject, composed.text, composed.short, composed.call, visible(composed.html)):
        assert shown in text
    assert "<script" not in composed.html
    assert "<code>" not in composed.html
    assert "evil.example" not in "".join(re.findall(r'href="([^"]*)"', composed.html))
    assert composed.html.count("<li>") == 5  # the invoice's lines, and none that a name began


@settings(deadline=None)  # the first example compiles the language
@given(name=st.text(min_size=1, max_size=40).filter(lambda text: text.strip()))
def test_any_name_stays_in_its_place(name: str) -> None:
    """Whatever the name, the document has the same elements, and the subject is one line."""
    plain = CATALOGUE.compose("formal-complaint", "en", facts(**OPTIONAL))
    composed = CATALOGUE.compose("formal-complaint", "en", facts(**OPTIONAL | {"company": name}))
    assert re.findall(r"<[a-z/][^>]*>", composed.html) == re.findall(r"<[a-z/][^>]*>", plain.html)
    assert len(composed.text.splitlines()) == len(plain.text.splitlines())
    assert len(composed.subject.splitlines()) == len(composed.short.splitlines()) == 1


def test_a_line_break_in_a_name_forges_no_header() -> None:
    known = facts(number="INV-1\r\nBcc: all@evil.example\x00")
    assert CATALOGUE.compose("reminder-first", "en", known).subject == (
        "Invoice INV-1 Bcc: all@evil.example: a friendly reminder"
    )


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("https://pay.example/a_b*c?x=1&y=[2]", "https://pay.example/a_b*c?x=1&y=%5B2%5D"),
        ("https://pay.example/a>b)c", "https://pay.example/a%3Eb)c"),
        ("javascript:alert(1)", None),  # no link at all
    ],
)
def test_only_a_web_address_becomes_the_pay_button(url: str, href: str | None) -> None:
    html = CATALOGUE.compose("reminder-first", "en", facts(payment_url=url)).html
    links = [unescape(link) for link in re.findall(r'<a href="([^"]*)" style="display:inline-block', html)]
    assert links == ([href] if href else [])


def test_html_is_a_whole_page_for_a_phone() -> None:
    html = CATALOGUE.compose("reminder-first", "es", facts(**OPTIONAL)).html
    assert html.startswith("<!doctype html>")
    assert '<html lang="es" dir="ltr">' in html
    assert 'name="viewport" content="width=device-width' in html
    assert "<title>Factura INV-2041: un recordatorio amable</title>" in html


@LANGUAGES
def test_no_tag_at_the_end_of_a_line_joins_two_words(language: str) -> None:
    """A template swallows the line break after a tag, and the words around it become one."""
    source = (FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    lines = [re.sub(r"{%.*?%}", "\0", line) for line in source.splitlines()]
    for line, after in pairwise(lines):
        glued = line.endswith("\0") and line.strip(" \0") and after[:1].isalnum()
        assert not glued, (line, after)


def test_text_reads_like_a_letter() -> None:
    text = CATALOGUE.compose("promise-confirmed", "en", facts(**OPTIONAL)).text
    assert text.startswith(
        "Hello Ada Byron,\n\n"
        "Thank you for letting us know. I have noted your promise:\n\n"
        "- Invoice: INV-2041, issued on January 30, 2026\n"
        "- Amount: €400.50\n"
        "- To be paid by: March 20, 2026, to Northwind Ltd\n\n"
        "Until then our reminders rest. You are welcome to pay earlier.\n\n"
        f"Payment page of invoice INV-2041: {URL}\n\n"
    )
    assert "Kind regards,\nMax Weber\nNorthwind Ltd\nmax@northwind.example\n\n---\n\n" in text


# ---- one message about several invoices


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
    for number, status in zip((bill.number for bill in known.bills), TONGUES[language].rows, strict=False):
        assert re.search(rf"- {number} .* \({status}\) ", composed.text)
    assert str(count + 1) in composed.subject
    assert TONGUES[language].in_all in composed.subject
    for field, text in composed.forms().items():
        for debris in ("{{", "{%", "None", "\\", "**", "](", "| ", "  \n"):
            assert debris not in text, field


@pytest.mark.parametrize("key", sorted(key for key, traits in TRAITS.items() if not traits.asks))
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
            ["1 more invoice is open as well", "(2 invoices open in all)", "1 more invoice, in all €1,200.10."],
        ),
        ("en", 9, ["9 more invoices are open", "(10 invoices open in all)", "9 more invoices, in all €1,200.90."]),
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
        ([("0.10", "EUR", 2), ("0.20", "EUR", 2)], "To pay in all: €1,200.30"),
        ([("123456789012345678.99", "EUR", 2)], "To pay in all: €123,456,789,012,346,878.99"),
        ([("12.5", "KWD", 3), ("0.125", "KWD", 3)], "To pay in all: €1,200.00 and KWD 12.625"),
        ([("500", "JPY", 0), ("1", "EUR", 2)], "To pay in all: €1,201.00 and ¥500"),
        ([("1", "USD", 2), ("2", "GBP", 2)], "To pay in all: €1,200.00, $1.00, and £2.00"),
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
    assert f"{says.removeprefix('To pay in all: ')} for all {len(asked) + 1} invoices" in spaced(composed.call)


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
        "- To pay in all: €1,200.20\n"
    ) in text


@ASKING
@LANGUAGES
def test_without_any_link_there_is_no_column_for_it(key: str, language: str) -> None:
    more = tuple(other.model_copy(update={"payment_url": None}) for other in others(2))
    composed = CATALOGUE.compose(key, language, facts(**bare(key), others=more))
    assert composed.html.count("<th ") == 3
    assert "http" not in composed.text + composed.short + composed.call
    assert TONGUES[language].banks in composed.text


@pytest.mark.parametrize("key", ["final-warning", "formal-complaint"])
@LANGUAGES
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
def test_a_consequence_is_that_of_one_invoice_by_its_number(key: str, language: str, consequence: str) -> None:
    known = facts(**OPTIONAL | {"consequence": consequence, "others": others(2)})
    composed = CATALOGUE.compose(key, language, known)
    for text in (composed.text, composed.call):
        found = re.search(f"{TONGUES[language].on}.*", spaced(text))
        assert found
        assert "INV-2041" in found[0]
        assert "INV-3" not in found[0]
    number, amount = composed.short.index("INV-2041"), composed.short.index("26")
    assert number < amount < composed.short.index(TONGUES[language].more)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("restricted", "This restriction ends by itself as soon as the payment of invoice INV-2041 arrives."),
        ("suspended", "This suspension ends by itself as soon as the payment of invoice INV-2041 arrives."),
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
        assert not TONGUES[language].basic or set(text) <= GSM_7 | GSM_7_TWICE, text
        assert sms_segments(text) <= TONGUES[language].sms, (len(text), text)
        for word in ("Northwind Ltd", "INV-2041", "200", link, "STOP"):
            assert word in text
        if len(currencies) == 1:
            assert str(1200 + count * Decimal("123.45")).replace(".", "") in re.sub(r"[., ]", "", text)
        assert count == 1 or f"{count} " in text


# ---- SMS length

GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_TWICE = set("^{}\\[~]|€")


def sms_segments(text: str) -> int:
    """How many SMS a text costs: 160 or 153 septets each, or 70 or 67 characters outside GSM-7."""
    if set(text) <= GSM_7 | GSM_7_TWICE:
        length, single, joined = len(text) + sum(char in GSM_7_TWICE for char in text), 160, 153
    else:
        length, single, joined = len(text), 70, 67
    return 1 if length <= single else -(-length // joined)


@MESSAGES
@LANGUAGES
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
def test_short_texts_are_short(key: str, language: str, consequence: str) -> None:
    typical = OPTIONAL | {"payment_url": "https://pay.northwind.example/8fk2", "consequence": consequence}
    text = CATALOGUE.compose(key, language, facts(**typical)).short
    assert not TONGUES[language].basic or set(text) <= GSM_7 | GSM_7_TWICE, text
    assert sms_segments(text) <= TONGUES[language].sms, (len(text), text)


# ---- what cannot be composed


@pytest.mark.parametrize(
    ("key", "language", "changes", "says"),
    [
        ("final-warning", "en", {"consequence": None}, ["final-warning", "'en'", "needs consequence"]),
        ("final-warning", "es", {"consequence_on": None}, ["final-warning", "'es'", "needs consequence_on"]),
        ("formal-complaint", "en", {"consequence": "jail"}, ["unknown consequence 'jail'", "handed_over"]),
        ("plan-agreed", "en", {"instalments": ()}, ["plan-agreed", "needs instalments"]),
        ("promise-broken", "es", {"promise_on": None}, ["promise-broken", "needs promise_on"]),
        ("reminder-frist", "en", {}, ["reminder-frist", "did you mean 'reminder-first'?"]),
        ("thank-you", "de", {}, ["'de'", f"no such language; there are {', '.join(CATALOGUE.languages)}"]),
    ],
)
def test_compose_refuses_and_says_what_is_missing(
    key: str, language: str, changes: dict[str, object], says: list[str]
) -> None:
    with pytest.raises(CatalogueError) as refused:
        CATALOGUE.compose(key, language, facts(**OPTIONAL | changes)).forms()
    for word in says:
        assert word in str(refused.value)
    assert "Ada Byron" not in str(refused.value)


def test_a_consequence_that_is_not_spoken_of_does_no_harm() -> None:
    """A ladder also does things no message announces, such as holding the next stage of work."""
    assert CATALOGUE.compose("milestone-reminder", "en", facts(consequence="work")).short


# ---- what cannot be loaded

LANGUAGE_FILE = """\
[language]
code = "CODE"
name = "Test"
[language.plurals]
days = { one = "{n} day", other = "{n} days" }
[language.consequences]
restricted = "limited on {{ consequence_on }}"
suspended = "suspended on {{ consequence_on }}"
legal = "legal on {{ consequence_on }}"
handed_over = "handed over on {{ consequence_on }}"
[language.consequences_short]
restricted = "limited"
suspended = "suspended"
legal = "legal"
handed_over = "handed over"
[language.labels]
copy = "A copy; {name} has the message"
invoice = "Invoice"
our_reference = "Ours"
pay_slip = "Slip"
payable_to = "To"
account = "Account"
bank = "Bank"
amount = "Amount"
reference = "Reference"
pay_by = "By"
scan_to_pay = "Scan"
page = "{n}/{total}"
enclosed = "With {number}"
unsubscribe = "No more"
stop_means = "What it means"
stop_done = "Done"
stop_reply = "Write to {address}"
[language.fragments]
greeting = "Hello {{ contact_name }},"
opening = "{{ greeting }} {{ number }}"
more = "{% if others %}{{ others | length }} more {% endif %}"

[first]
asks = true
subject = "Invoice {{ number }} {{ more }}"
body = "{{ opening }}: {{ days(days_late) }} {{ more }}"
short = "Pay {{ asked }} {{ more }}"
call = "Ask for {{ contact_name }} {{ more }}"

[last]
asks = true
announces = true
subject = "Invoice {{ number }} {{ more }}"
body = "{{ greeting }} {{ consequence }} {{ more }}"
short = "{{ consequence_short }} {{ more }}"
call = "{{ consequence }} {{ more }}"
"""


def write(folder: Path, code: str, edit: Callable[[str], str] = str) -> None:
    text = edit(LANGUAGE_FILE.replace("CODE", code))
    (folder / f"{code}.toml").write_text(text, encoding="utf-8")


def swap(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        pytest.param(
            lambda text: text[: text.index("[last]")],
            ["message 'last'", "missing here, but", "en.toml has it"],
            id="a message is missing in one language",
        ),
        pytest.param(
            lambda text: text + text[text.index("[last]") :].replace("[last]", "[more]"),
            ["message 'more'", "has no such message"],
            id="a message that no other language has",
        ),
        pytest.param(
            swap("asks = true\n", ""),
            ["message 'first'", "field 'asks'", "is False, but True"],
            id="traits differ",
        ),
        pytest.param(
            swap('subject = "Invoice', 'states = "legal"\nsubject = "Invoice'),
            ["message 'first'", "field 'states'", "is 'legal', but None"],
            id="states differs",
        ),
        pytest.param(
            swap('subject = "Invoice', 'states = "jailed"\nsubject = "Invoice'),
            ["field 'states'", "'jailed' is no consequence"],
            id="states an unknown consequence",
        ),
        pytest.param(
            swap('call = "Ask for', 'call = "{{ consequence }} Ask for'),
            ["message 'first'", "field 'call'", "not marked announces"],
            id="a threat that is not marked",
        ),
        pytest.param(
            swap('short = "{{ consequence_short }}', 'short = "pay'),
            ["message 'last'", "field 'short'", "never says {{ consequence }}"],
            id="marked as announcing, but one text does not",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"Pay {{ asked'),
            ["message 'first'", "field 'short'", "line 1"],
            id="broken template",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"Pay {{ asked | shout }}'),
            ["field 'short'", "No filter named 'shout'"],
            id="unknown filter",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"Pay {{ askd }}'),
            ["field 'short'", "unknown name 'askd'", "did you mean 'asked'?"],
            id="misspelled fact",
        ),
        pytest.param(
            swap("days(days_late)", "days(company)"),
            ["message 'first'", "field 'body'"],
            id="a plural of something that is no number",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"{{ asked.__class__.__mro__ }}'),
            ["field 'short'", "unsafe"],
            id="a template that reaches for the program",
        ),
        pytest.param(
            swap('call = "Ask for {{ contact_name }} {{ more }}"', 'call = "Ask for {{ contact_name }}"'),
            ["message 'first'", "field 'call'", "never tells of {{ others }}"],
            id="asks for one invoice and forgets the others",
        ),
        pytest.param(
            swap('greeting = "Hello {{ contact_name }},"', 'greeting = "{{ opening }}"'),
            ["language.fragments.greeting", "unknown name 'opening'"],
            id="a fragment that uses one below it",
        ),
        pytest.param(
            swap("opening = ", 'number = "1"\nopening = '),
            ["language.fragments.number", "taken"],
            id="a fragment named like a fact",
        ),
        pytest.param(
            swap('{ one = "{n} day", other', "{ other"),
            ["language.plurals.days", "plural forms missing: one"],
            id="a plural form is missing",
        ),
        pytest.param(
            swap('legal = "legal"\n', ""),
            ["language.consequences_short", "needs exactly handed_over, legal, restricted, suspended"],
            id="a consequence without words",
        ),
        pytest.param(
            swap('bank = "Bank"\n', 'banc = "Bank"\n'),
            ["field 'language.labels'", "missing: bank; unknown: banc"],
            id="a label is missing",
        ),
        pytest.param(
            swap("{n}/{total}", "{n}/{all}"),
            ["language.labels.page", "these braces: {n}, {total}"],
            id="a label that has no place for what it must tell",
        ),
        pytest.param(
            swap('amount = "Amount"', 'amount = " "'),
            ["language.labels.amount", "must be a text"],
            id="an empty label",
        ),
        pytest.param(
            swap('short = "Pay', 'shrot = "Pay'),
            ["message 'first'"],
            id="misspelled field",
        ),
        pytest.param(
            swap('call = "Ask', 'note = "x"\ncall = "Ask'),
            ["message 'first'", "field 'note'", "unknown field"],
            id="unknown field",
        ),
        pytest.param(
            swap('short = "Pay {{ asked }} {{ more }}"', 'short = ""'),
            ["message 'first'", "field 'short'"],
            id="empty text",
        ),
        pytest.param(
            swap("[first]\nasks = true", '[first]\nasks = "yes"'),
            ["field 'asks'", "boolean"],
            id="a trait that is no boolean",
        ),
        pytest.param(
            lambda text: 'first = "x"\n' + text[: text.index("[first]")],
            ["message 'first'"],
            id="a message that is no table",
        ),
        pytest.param(swap("[first]", "[first"), ["no TOML file"], id="broken TOML"),
        pytest.param(lambda text: text[text.index("[first]") :], ["'language'", "missing"], id="no language table"),
        pytest.param(
            swap('code = "es"', 'code = "pt"'),
            ["language.code", "named es.toml"],
            id="code and file name differ",
        ),
    ],
)
def test_a_bad_file_is_refused_and_says_where(tmp_path: Path, edit: Callable[[str], str], says: list[str]) -> None:
    write(tmp_path, "en")
    write(tmp_path, "es", edit)
    with pytest.raises(CatalogueError) as refused:
        Catalogue.load(tmp_path).check()
    for word in [f"{tmp_path.name}/es.toml", *says]:
        assert word in str(refused.value)


def test_load_needs_english(tmp_path: Path) -> None:
    write(tmp_path, "es")
    with pytest.raises(CatalogueError, match=r"en\.toml is missing"):
        Catalogue.load(tmp_path)


def test_load_refuses_a_language_nobody_speaks(tmp_path: Path) -> None:
    write(tmp_path, "en")
    write(tmp_path, "qq")
    with pytest.raises(CatalogueError, match=r"qq\.toml, field 'language.code': 'qq' is no language"):
        Catalogue.load(tmp_path)


def test_a_new_language_is_one_new_file(tmp_path: Path) -> None:
    """Arabic: six plural forms, written from right to left."""
    forms = ", ".join(f'{form} = "{form} {{n}}"' for form in ("zero", "one", "two", "few", "many", "other"))
    write(tmp_path, "en")
    write(tmp_path, "ar", swap('{ one = "{n} day", other = "{n} days" }', f"{{ {forms} }}"))
    catalogue = Catalogue.load(tmp_path)
    composed = catalogue.compose("first", "ar-EG", facts(due_on=date(2026, 3, 17)))
    assert 'dir="rtl"' in composed.html
    assert "few 5" in composed.text


@LANGUAGES
def test_a_name_that_ends_in_a_full_stop_ends_the_sentence(language: str) -> None:
    for key in CATALOGUE.keys:
        names = {"company": "Marsa W.L.L.", "sender_company": "Dunwell Inc."}
        composed = CATALOGUE.compose(key, language, facts(**OPTIONAL | names))
        for part in (composed.text, composed.html, composed.short, composed.call, composed.markdown):
            assert not re.search(r"[^.]\.\.(?!\.)", part)

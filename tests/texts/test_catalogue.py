"""What people read, in every language, with every mix of facts, and what is refused."""

import re
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from itertools import combinations

import pytest
from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st

from dunwell.domain.events import OF_A_TALK
from dunwell.texts.catalogue import CatalogueError, Composed
from dunwell.texts.catalogue_file import CONSEQUENCES, LABELS
from dunwell.texts.formatting import SAMPLE, AccruingInterest, Claimed, OtherInvoice
from tests.services.languages import (
    ASKING,
    CATALOGUE,
    EXPECTED,
    FOLDER,
    GSM_7,
    GSM_7_TWICE,
    KEYS,
    LANGUAGES,
    MESSAGES,
    NASTY,
    OPTIONAL,
    TRAITS,
    URL,
    bare,
    facts,
    sms_segments,
    spaced,
    usual,
    visible,
)

README = FOLDER.parent / "README.md"

# ---- the catalogue as a whole


def test_every_language_has_every_message_with_its_traits() -> None:
    assert CATALOGUE.languages == tuple(sorted(EXPECTED))
    assert CATALOGUE.keys == TRAITS.keys()
    assert dict(CATALOGUE.traits) == TRAITS


def test_the_readme_names_every_language() -> None:
    line = next(iter(re.findall(r"included are ([^.]+)\.", README.read_text(encoding="utf-8"))))
    named = re.split(r",\s+|\s+and\s+", line)
    assert named == sorted(str(Locale.parse(code, sep="-").get_display_name("en")) for code in CATALOGUE.languages)


PLACES = list(combinations(range(6), 4))
GIVEN = [
    {name: value for (name, value), rows in zip(OPTIONAL.items(), PLACES, strict=False) if row in rows}
    for row in range(7)
]
"""Optional facts by row. Of every two facts some row has both, one has either, and the last has none at all."""


def debris(composed: Composed, *forms: str) -> list[str]:
    """What a template leaves behind that went wrong, by form of the message."""
    marks = ("{{", "{%", "None", "Undefined", "\\", "**", "](", "  \n")
    written = {form: getattr(composed, form) for form in forms or ("subject", "text", "short", "call")}
    found = [f"{form}: {mark}" for form, text in written.items() for mark in marks if mark in text]
    empty = [form for form, text in written.items() if not text.strip()]
    return [*found, *empty, *(text for text in (composed.subject, composed.short) if text != " ".join(text.split()))]


@MESSAGES
@LANGUAGES
def test_message_reads_well_whatever_the_case_lacks(key: str, language: str) -> None:
    assert len(OPTIONAL) <= len(PLACES)
    assert debris(usual(key, language), "subject", "text", "html", "short", "call") == []
    for given_facts in GIVEN:
        composed = CATALOGUE.compose(key, language, facts(**given_facts | bare(key)))
        assert debris(composed) == [], given_facts


@MESSAGES
@LANGUAGES
def test_message_says_who_what_and_how_much(key: str, language: str) -> None:
    composed = usual(key, language)
    for text in (composed.text, visible(composed.html)):
        for word in ("Ada Byron", "INV-2041", "Max Weber", "Northwind Ltd"):
            assert word in text
    for text in (composed.text, composed.short, composed.call):
        assert re.search(EXPECTED[language].money, spaced(text)), text
    assert "STOP" in composed.short
    assert "Northwind Ltd" in composed.short
    assert "INV-2041" in composed.short


@LANGUAGES
@ASKING
def test_a_message_that_asks_says_how_to_pay_and_by_when(key: str, language: str) -> None:
    with_link = usual(key, language)
    for text in (with_link.text, with_link.html, with_link.short, with_link.call):
        assert URL in text
    without = CATALOGUE.compose(key, language, facts(**bare(key)))
    expected = EXPECTED[language]
    assert "http" not in without.text
    for words in (expected.bank, expected.issued, expected.due):
        assert words in spaced(without.text)


@LANGUAGES
@pytest.mark.parametrize("key", ["final-warning", "formal-complaint"])
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
def test_a_warning_names_the_consequence_with_its_date(key: str, language: str, consequence: str) -> None:
    composed = CATALOGUE.compose(key, language, facts(**OPTIONAL | {"consequence": consequence}))
    expected = EXPECTED[language]
    for text in (composed.text, composed.call):
        assert expected.on in spaced(text)
        assert expected.consequences[consequence] in text
    assert expected.late in composed.text
    assert expected.brief_on in composed.short


_UNLESS_PAID = {
    "bg": "Без плащане",
    "de": "Bitte zahlen, sonst",
    "en": "If unpaid",
    "es": "Sin pago",
    "fr": "Sans paiement",
    "id": "Tanpa pembayaran",
    "it": "Senza pagamento",
    "pt-BR": "Sem pagamento",
    "ru": "Без оплаты",
}


@LANGUAGES
@pytest.mark.parametrize("consequence", sorted(CONSEQUENCES))
def test_a_short_warning_says_what_follows_if_nobody_pays(language: str, consequence: str) -> None:
    told = CATALOGUE.compose("final-warning", language, facts(**OPTIONAL | {"consequence": consequence}))
    assert _UNLESS_PAID[language] in spaced(told.short)


@LANGUAGES
def test_the_second_reminder_names_the_first_ones(language: str) -> None:
    earlier = (date(2026, 3, 17), date(2026, 3, 3), date(2026, 3, 3))
    text = CATALOGUE.compose("reminder-second", language, facts(earlier=earlier)).text
    assert EXPECTED[language].earlier in spaced(text)


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
        (Decimal(0), "we will send no reminders about this invoice"),  # all of it is in dispute
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
        ("de", 1, "(seit 1 Tag überfällig)"),
        ("de", 2, "(seit 2 Tagen überfällig)"),
        ("de", 1234, "(seit 1.234 Tagen überfällig)"),
        ("es", 1, "(hace 1 día)"),
        ("es", 2, "(hace 2 días)"),
        ("es", 21, "(hace 21 días)"),
        ("fr", 1, "(il y a 1 jour)"),
        ("fr", 2, "(il y a 2 jours)"),
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


_AT_ONCE = {
    "bg": ("днес", "два работни дни"),
    "de": ("heute", "zwei Arbeitstagen"),
    "en": ("today", "two business days"),
    "es": (" hoy", "dos días hábiles"),
    "fr": ("aujourd'hui", "deux jours ouvrés"),
    "id": ("hari ini", "dua hari kerja"),
    "it": ("oggi", "due giorni lavorativi"),
    "pt-BR": ("hoje", "dois dias úteis"),
    "ru": ("сегодня", "двух рабочих дней"),
}
"""How a text asks for money at once, or within days."""


@LANGUAGES
@pytest.mark.parametrize("key", ["before-due", "part-received", "dispute-closed"])
@pytest.mark.parametrize("others", [(), facts().bills])
def test_nothing_is_asked_for_before_it_is_due(key: str, others: tuple[OtherInvoice, ...], language: str) -> None:
    """A hint that comes a day late only reminds; both answers may come before the due date, after it."""
    early, late = (
        CATALOGUE.compose(key, language, facts(today=today, others=others))
        for today in (date(2026, 2, 20), facts().today)
    )
    asked = [spaced(one.text + one.call.partition("\n\n")[0]) for one in (early, late)]
    assert not any(word in asked[0] for word in _AT_ONCE[language])
    assert any(word in asked[1] for word in _AT_ONCE[language])


_NOW = {
    "bg": "сега",
    "de": "jetzt",
    "en": " now",
    "es": "ahora",
    "fr": "maintenant",
    "id": "sekarang",
    "it": " ora",
    "pt-BR": "agora",
    "ru": "сейчас",
}


@LANGUAGES
def test_the_facts_of_a_call_before_the_due_date_ask_for_nothing_now(language: str) -> None:
    script = CATALOGUE.compose("before-due", language, facts(today=date(2026, 2, 20))).call
    assert _NOW[language] not in script.split("\n\n")[1]


_INVOICE = {
    "bg": "фактур",
    "de": "rechnung",
    "en": "invoice",
    "es": "factura",
    "fr": "factur",
    "id": "faktur",
    "it": "fattur",
    "pt-BR": "fatura",
    "ru": "счёт",
}
"""The word for an invoice, in small letters and without its endings."""


def said_of_the_call(language: str) -> dict[str, str]:
    """What the call script has an agent answer, in small letters, by the place from the end."""
    answers = CATALOGUE.compose("reminder-first", language, facts()).call.lower().split("\n\n")[-2].splitlines()
    return dict(
        zip(("problem", "never received", "wrong person", "one more thing", "pestering"), answers[::-1], strict=False)
    )


@LANGUAGES
def test_whoever_is_the_wrong_person_is_told_of_no_invoice(language: str) -> None:
    said = said_of_the_call(language)
    assert _INVOICE[language] in said["never received"]
    assert _INVOICE[language] not in said["wrong person"]


@LANGUAGES
def test_a_promised_day_rests_the_reminders_of_its_invoice_alone(language: str) -> None:
    assert _INVOICE[language] in said_of_the_call(language)["pestering"]


@pytest.mark.parametrize("key", ["thank-you", "formal-complaint"])  # both ways of signing
@LANGUAGES
def test_below_a_message_nobody_reads_their_own_name(key: str, language: str) -> None:
    for company, named in (("Ada Byron", False), ("Engine Works", True)):
        below = CATALOGUE.compose(key, language, facts(**bare(key) | {"company": company})).text.split("\n---\n")[1]
        assert (company in below) is named


_IN_FULL = {
    "bg": "изцяло",
    "de": "vollständig",
    "en": "of that",
    "es": "completo",
    "fr": "en totalité",
    "id": "sepenuhnya",
    "it": "per intero",
    "pt-BR": "por inteiro",
    "ru": "не полностью",
}


@LANGUAGES
def test_a_broken_promise_says_that_nothing_came_or_how_much_is_missing(language: str) -> None:
    promised = {"promise_on": date(2026, 3, 20), "promise_amount": Decimal("400.50")}
    nothing, part = (
        CATALOGUE.compose("promise-broken", language, facts(**promised, missing=missing))
        for missing in (Decimal("400.50"), Decimal("150.25"))
    )
    for told, missed in ((nothing, 0), (part, 1)):
        opening = told.text.split("\n\n")[1]
        assert figures(opening, "400.50") == 1
        assert figures(opening, "150.25") == missed
        assert (_IN_FULL[language] in opening.lower()) is bool(missed)


@pytest.mark.parametrize(
    ("language", "currency", "digits", "amount", "long", "short"),
    [
        ("en", "EUR", 2, "1200", "€1,200.00", "€1,200.00"),
        ("es", "EUR", 2, "1200", "1.200,00 €", "1.200,00 €"),
        ("es-MX", "MXN", 2, "1200", "$1,200.00", "$1,200.00"),  # Mexico writes amounts its own way
        ("es-MX", "EUR", 2, "1200", "EUR 1,200.00", "EUR 1,200.00"),  # letters do not touch digits
        ("fr", "EUR", 2, "1240", "1 240,00 €", "1 240,00 €"),
        ("fr-CA", "CAD", 2, "1240", "1 240,00 $", "1 240,00 $"),
        ("fr-CH", "CHF", 2, "1240", "1 240,00 CHF", "1 240,00 CHF"),
        ("fr-CI", "XOF", 0, "1240", "1 240 F CFA", "1 240 F CFA"),  # its symbol holds a no-break space
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
        ("fr", "1er mars 2026"),
        ("fr-CA", "1er mars 2026"),
    ],
)
def test_dates_as_the_locale_writes_them(language: str, says: str) -> None:
    assert says in CATALOGUE.compose("reminder-first", language, facts()).text


# ---- names are data: never Markdown, HTML or template


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


@settings(deadline=None, max_examples=40)  # the first example compiles the language
@given(name=st.text(min_size=1, max_size=40).filter(lambda text: text.strip()))
def test_any_name_stays_in_its_place(name: str) -> None:
    """Whatever the name, the document has the same elements, and the subject is one line."""
    plain = usual("formal-complaint", "en")
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
def test_no_tag_at_the_end_of_a_line_joins_what_surrounds_it(language: str) -> None:
    """A template swallows the line break after a tag: two words become one, and two paragraphs."""
    source = (FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    lines = [re.sub(r"{%.*?%}", "\0", line) for line in source.splitlines()]
    for line, after, next_one in zip(lines, lines[1:], [*lines[2:], ""], strict=False):
        joins = after[:1].isalnum() or (not after and next_one.strip(" \0"))  # words, or two paragraphs
        assert not (line.endswith("\0") and line.strip(" \0") and joins), (line, after, next_one)


def test_text_reads_like_a_letter() -> None:
    text = CATALOGUE.compose("promise-confirmed", "en", facts(**OPTIONAL)).text
    assert text.startswith(
        "Hello Ada Byron,\n\n"
        "Thank you for letting us know. I have noted your promise:\n\n"
        "- Invoice: INV-2041, issued on January 30, 2026\n"
        "- Amount: €400.50\n"
        "- To be paid by: March 20, 2026, to Northwind Ltd\n\n"
        "Until then we will send no overdue reminders about this invoice. You are welcome to pay earlier.\n\n"
        f"Payment page of invoice INV-2041: {URL}\n\n"
    )
    assert "Kind regards,\nMax Weber\nNorthwind Ltd\nmax@northwind.example\n\n---\n\n" in text


# ---- SMS length


@MESSAGES
@LANGUAGES
def test_short_texts_are_short(key: str, language: str) -> None:
    for consequence in sorted(CONSEQUENCES) if TRAITS[key].announces else ("restricted",):
        typical = OPTIONAL | {"payment_url": "https://pay.northwind.example/8fk2", "consequence": consequence}
        text = CATALOGUE.compose(key, language, facts(**typical)).short
        assert not EXPECTED[language].basic or set(text) <= GSM_7 | GSM_7_TWICE, text
        assert sms_segments(text) <= EXPECTED[language].sms, (len(text), text)


# ---- long overdue

AGED = {"issued_on": date(2025, 1, 15), "due_on": date(2025, 2, 15)}  # 400 days
FIRST = pytest.mark.parametrize(
    "key",
    ["before-due", "reminder-first", "reminder-second", "milestone-invoice", "milestone-reminder", "courtesy-visit"],
)


@FIRST
@LANGUAGES
def test_c10_what_may_be_the_first_message_names_the_age_and_the_earlier_contact(key: str, language: str) -> None:
    expected = EXPECTED[language]
    told = CATALOGUE.compose(key, language, facts(**OPTIONAL, **AGED))
    first_paragraphs = spaced(told.text).partition("\n- ")[0]
    assert expected.aged in first_paragraphs
    assert expected.earlier in first_paragraphs
    assert expected.aged in spaced(told.call)
    assert expected.earlier in spaced(told.call)
    unknown = CATALOGUE.compose(key, language, facts(**bare(key), **AGED))
    assert expected.aged in spaced(unknown.text).partition("\n- ")[0]
    assert expected.earlier not in spaced(unknown.text)


@LANGUAGES
@pytest.mark.parametrize(("days", "long"), [(21, False), (30, False), (31, True), (400, True)])
def test_c10_the_first_reminder_is_cheerful_for_thirty_days(language: str, days: int, long: bool) -> None:
    due = date(2026, 3, 22) - timedelta(days)
    known = facts(due_on=due, issued_on=date(2025, 1, 15))
    told = CATALOGUE.compose("reminder-first", language, known)
    fresh = CATALOGUE.compose("reminder-first", language, facts())
    assert (EXPECTED[language].cheerful in spaced(told.text)) is not long
    assert (told.subject != fresh.subject) is long
    openings = [[line for line in one.call.splitlines() if line.startswith("- ")][2] for one in (told, fresh)]
    assert (openings[0] != openings[1]) is long


@LANGUAGES
@pytest.mark.parametrize("key", ["reminder-first", "reminder-second", "milestone-reminder"])
@pytest.mark.parametrize("account", [{}, {"payment_url": None, "iban": "DE89370400440532013000"}])
def test_c10_its_sms_names_age_and_contact_and_keeps_its_length(
    key: str, language: str, account: dict[str, object]
) -> None:
    expected = EXPECTED[language]
    typical = OPTIONAL | {"payment_url": "https://pay.northwind.example/8fk2"} | account
    text = CATALOGUE.compose(key, language, facts(**typical, **AGED)).short
    without = CATALOGUE.compose(key, language, facts(**typical | {"earlier": ()}, **AGED)).short
    assert expected.pending in spaced(text)
    assert expected.pending in spaced(without)
    assert re.search(r"\b17\b", text)
    assert not re.search(r"\b17\b", without)
    for one in (text, without):
        assert not expected.basic or set(one) <= GSM_7 | GSM_7_TWICE, one
        assert sms_segments(one) <= expected.sms, (len(one), one)


@MESSAGES
@LANGUAGES
def test_c10_no_message_breaks_when_it_is_long_overdue(key: str, language: str) -> None:
    for known in (OPTIONAL, bare(key)):
        assert debris(CATALOGUE.compose(key, language, facts(**known, **AGED))) == []


_NOTHING_CAME = {
    "bg": ("плащането все още не", "плащането още не", "не виждаме плащането", "плащането не е"),
    "de": ("die zahlung ist",),
    "en": ("not received the payment", "payment has still not", "not seen the payment", "payment has not"),
    "es": ("el pago todavía no", "no hemos recibido el pago", "reflejado el pago", "el pago no ha"),
    "fr": ("parvenu",),
    "id": ("pembayarannya",),
    "it": ("il pagamento non", "ricevuto il pagamento", "risulta ancora il pagamento"),
    "pt-BR": ("o pagamento ainda não", "recebemos o pagamento", "localizamos o pagamento", "o pagamento não"),
    "ru": ("оплата", "платеж", "платёж"),
}
"""How a text says that nothing was paid."""


@FIRST
@LANGUAGES
@pytest.mark.parametrize("age", ["new", "old"])
def test_who_paid_a_part_is_not_told_that_nothing_came(key: str, language: str, age: str) -> None:
    known = OPTIONAL | (AGED if age == "old" else {})
    paid = facts(**known, paid=Decimal(200), open=Decimal(1000), asked=Decimal(1000))
    composed = CATALOGUE.compose(key, language, paid)
    opening = composed.text.split("\n- ")[0].lower()
    assert not [words for words in _NOTHING_CAME[language] if words in opening]


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
        ("thank-you", "hu", {}, ["'hu'", f"no such language; there are {', '.join(CATALOGUE.languages)}"]),
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


@LANGUAGES
def test_a_name_that_ends_in_a_full_stop_ends_the_sentence(language: str) -> None:
    for key in KEYS:
        names = {"company": "Marsa W.L.L.", "sender_company": "Dunwell Inc."}
        composed = CATALOGUE.compose(key, language, facts(**OPTIONAL | names))
        for part in (composed.text, composed.html, composed.short, composed.call, composed.markdown):
            assert not re.search(r"[^.]\.\.(?!\.)", part)


def test_f3_a_name_cannot_reorder_the_sentence_around_it() -> None:
    composed = CATALOGUE.compose("reminder-first", "en", facts(contact_name="דוד\u202e כהן", company="Acme\u202egnp"))
    assert composed.text.startswith("Hello \u2068דוד כהן\u2069,")
    assert "\u202e" not in "".join(composed.forms().values())
    assert "Acmegnp" in composed.text


# ---- names that look like addresses


@MESSAGES
@LANGUAGES
def test_f8_no_message_makes_a_link_of_a_companys_name(key: str, language: str) -> None:
    composed = CATALOGUE.compose(key, language, facts(**bare(key) | {"company": "Booking.com B.V."}))
    for field, text in composed.forms().items():
        if field != "call":  # what people read aloud
            assert "booking.com" not in text.lower(), field
    shown = [text for text in composed.forms().values() if "Booking" in text]
    assert all(re.search("Booking(\u2060| )?.com B.V.", text) for text in shown)


def test_f8_a_companys_name_is_parted_only_where_it_must_be() -> None:
    written = {
        name: list(CATALOGUE.compose("reminder-first", "en", facts(company=name)).forms().values())
        for name in ("Meyer GmbH & Co.KG", "Booking.com B.V.")
    }
    assert not any("\u2060" in form for form in written["Meyer GmbH & Co.KG"])
    assert any("Booking\u2060.com" in form for form in written["Booking.com B.V."])


# ---- how languages write


def test_c7_brazil_writes_the_first_of_a_month_as_an_ordinal() -> None:
    known = facts(due_on=date(2026, 3, 1), earlier=(date(2026, 3, 1), date(2026, 3, 17)))
    composed = CATALOGUE.compose("reminder-second", "pt-BR", known)
    assert "1º de março de 2026" in composed.text
    assert "1º de março e 17 de março" in composed.text
    assert "1º de março de 2026" in composed.call
    assert "º" not in CATALOGUE.compose("due-today", "pt-BR", known).short  # no letter of the basic SMS alphabet
    assert "11 de março" in CATALOGUE.compose("reminder-second", "pt-BR", facts(due_on=date(2026, 3, 11))).text


def test_french_puts_an_article_before_each_day_of_a_list() -> None:
    known = facts(earlier=(date(2025, 12, 1), date(2026, 3, 3), date(2026, 3, 17)))
    text = CATALOGUE.compose("reminder-second", "fr", known).text
    assert "le 1er décembre 2025, le 3 mars 2026 et le 17 mars 2026" in text


def test_canada_writes_its_own_french() -> None:
    known = facts(**OPTIONAL, company="Chez Ada ; frites")
    told = [CATALOGUE.compose(key, "fr-CA", known) for key in KEYS]
    for one in told:
        for form in (one.subject, one.text, one.short, one.call):
            assert not re.search(r"\s[;!?]", spaced(form).replace(known.company, "Ada"))
            assert "e-mail" not in form
    assert "Avez-vous un instant?" in told[0].call
    assert "Chez Ada ; frites" in spaced(told[0].text)  # a name stays as it is
    assert CATALOGUE.labels("fr-CA")["unsubscribe"] == "Ne plus recevoir de courriels à cette adresse"
    assert CATALOGUE.labels("fr-BE")["unsubscribe"] == "Ne plus recevoir d'e-mails à cette adresse"


@pytest.mark.parametrize(("due", "says"), [(date(2026, 8, 1), "1er aout"), (date(2025, 8, 15), "15 aout 2025")])
def test_no_month_costs_a_second_sms(due: date, says: str) -> None:
    short = CATALOGUE.compose("due-today", "fr", facts(issued_on=date(2025, 1, 1), due_on=due, today=due)).short
    later = CATALOGUE.compose("before-due", "fr", facts(issued_on=date(2025, 1, 1), due_on=due)).short
    assert set(short + later) <= GSM_7 | GSM_7_TWICE
    assert says in later


def test_french_marks_of_two_parts_stand_on_the_line_of_their_word() -> None:
    """A no-break space, narrow before ; ! ?, stands before the mark."""
    for key in sorted(CATALOGUE.keys):
        composed = CATALOGUE.compose(key, "fr", SAMPLE)
        for form in (composed.text, composed.html.partition('<div class="letter"')[2], composed.call):
            assert not re.search(r" [:;!?»](?![-\w])|« |n° ", form), key
    text = CATALOGUE.compose("courtesy-visit", "fr", facts(**OPTIONAL)).text
    assert f"Payer la facture INV-2041\N{NO-BREAK SPACE}: {URL}" in text


@pytest.mark.parametrize(
    ("language", "currency", "sign"),
    [("ru", "RUB", "₽"), ("ru", "UAH", "₴"), ("bg", "BGN", "лв."), ("en", "RUB", "RUB"), ("es", "UAH", "UAH")],
)
def test_c7_a_sign_that_costs_nothing_stays_in_an_sms(language: str, currency: str, sign: str) -> None:
    assert sign in CATALOGUE.compose("reminder-first", language, facts(currency=currency)).short


@pytest.mark.parametrize("language", ["ru", "bg"])
def test_c7_no_line_ends_between_the_number_sign_and_the_number(language: str) -> None:
    for key in KEYS:
        composed = CATALOGUE.compose(key, language, facts(**OPTIONAL))
        assert "№ " not in composed.text + composed.html.partition('<div class="letter"')[2]
        assert "№ " in spaced(composed.text)


def test_switzerland_writes_no_eszett_but_keeps_that_of_a_name() -> None:
    known = facts(company="Weiß & Söhne", **OPTIONAL)
    german, swiss, austrian = (
        CATALOGUE.compose("formal-complaint", f"de-{region}", known).text for region in ("DE", "CH", "AT")
    )
    assert "Mit freundlichen Grüßen" in german
    assert "Mit freundlichen Grüßen" in austrian
    assert "Mit freundlichen Grüssen" in swiss
    assert "Weiß & Söhne" in swiss
    assert all("ß" not in label for label in CATALOGUE.labels("de-LI").values())


@pytest.mark.parametrize("key", sorted(TRAITS))
@pytest.mark.parametrize("reminded", [(), (date(2026, 3, 3),)])
def test_switzerland_writes_no_comma_after_the_greeting_and_goes_on_with_a_capital(
    key: str, reminded: tuple[date, ...]
) -> None:
    claim = {"claims": (claimed(),), "claim_until": date(2026, 3, 26)}
    swiss = CATALOGUE.compose(key, "de-CH", facts(**OPTIONAL | claim | {"earlier": reminded})).text
    greeting, first = [line for line in swiss.splitlines() if line.strip()][:2]
    assert greeting == "Guten Tag Ada Byron"
    assert first[0].isupper()


@LANGUAGES
def test_a_demand_with_a_claim_asks_for_one_total_and_names_the_invoice_as_its_part(language: str) -> None:
    known = facts(**OPTIONAL | {"claims": (claimed(),), "claim_until": date(2026, 3, 25)})
    composed = CATALOGUE.compose("formal-complaint", language, known)
    bold = [re.sub(r"[^0-9]", "", words) for words in re.findall(r"\*\*([^*\n]*)\*\*", composed.markdown)]
    assert {words for words in bold if words.endswith(("125234", "120000"))} == {"125234"}
    assert re.search(r"1.?200.00", composed.text), "the invoice is a part of it"


def test_german_keeps_a_day_beside_its_month_and_a_law_beside_its_number() -> None:
    known = facts(claims=(claimed(),), claim_until=date(2026, 3, 26), earlier=(date(2026, 3, 3), date(2026, 3, 17)))
    composed = CATALOGUE.compose("reminder-second", "de", known)
    assert "am 3.\N{NO-BREAK SPACE}März und 17.\N{NO-BREAK SPACE}März" in composed.text
    assert "§\N{NO-BREAK SPACE}288 BGB" in composed.text
    assert "\N{NO-BREAK SPACE}" not in composed.short + composed.subject


@MESSAGES
@pytest.mark.parametrize(("language", "regional"), [("de", "de-CH"), ("fr", "fr-CA")])
@pytest.mark.parametrize("holding", [(), SAMPLE.holding])
def test_a_text_that_whatsapp_approved_is_the_same_where_words_are_spelled_otherwise(
    key: str, language: str, regional: str, holding: tuple[OtherInvoice, ...]
) -> None:
    known = facts(**OPTIONAL, holding=holding)
    usual, there = (CATALOGUE.compose(key, tag, known).numbered.words for tag in (language, regional))
    assert there == usual


@pytest.mark.parametrize("language", ["de-CH", "it-CH"])
def test_a_swiss_number_keeps_an_sms_in_its_alphabet(language: str) -> None:
    old = {"issued_on": date(2022, 1, 1), "due_on": date(2022, 1, 31)}  # 1,511 days
    composed = CATALOGUE.compose("reminder-first", language, facts(currency="CHF", **OPTIONAL | old))
    assert "CHF 1’200.00" in spaced(composed.text)
    assert "1’511" in composed.text
    assert "CHF 1'200.00" in composed.short
    assert "1'511" in composed.short
    assert set(composed.short) <= GSM_7 | GSM_7_TWICE


# ---- call scripts, by kind of debtor


@LANGUAGES
def test_c11_a_private_person_is_not_talked_to_as_a_company(language: str) -> None:
    by_kind = [
        CATALOGUE.compose("reminder-second", language, facts(**kind)).call.splitlines()
        for kind in ({}, {"consumer": True}, {"public_body": True})
    ]
    company, person, public = map(set, by_kind)
    assert len(company - person) == 5  # whom to ask for, and what only a company says
    assert len(person - company) == 3
    assert len(company - public) == 4
    assert len(public - company) == 2
    assert not (person - company) & (public - company)


@MESSAGES
@LANGUAGES
def test_c11_whoever_is_the_customer_is_spoken_to_and_not_of(key: str, language: str) -> None:
    composed = CATALOGUE.compose(key, language, facts(company="Ada Byron", consumer=True, **OPTIONAL))
    assert "Ada Byron" not in composed.subject + composed.short
    if key in ("courtesy-visit", "meeting-request"):
        return  # a private person gets neither
    greeting, *lines = composed.text.partition("\n---\n")[0].splitlines()
    assert "Ada Byron" in greeting
    assert not [line for line in lines if "Ada Byron" in line and not line.startswith("- ")]


def test_c11_nobody_asks_a_gym_member_for_three_signatures() -> None:
    script = CATALOGUE.compose("reminder-first", "en", facts(consumer=True, company="Ada Byron")).call
    for said in ("directors", "Our accountant", "our own customers", "best partner", "colleague", "at Ada Byron"):
        assert said not in script
    assert "Do not mention the invoice to anybody else, not even to their family." in script
    assert "I cannot pay it at the moment" in script


@LANGUAGES
@ASKING
def test_c11_every_outcome_that_a_script_names_exists_and_none_is_left_out(key: str, language: str) -> None:
    script = usual(key, language).call
    line = next((line for line in script.splitlines() if "written_promise_owed" in line), None)
    if line is None:
        assert key == "handover-notice"  # its script asks for nothing
        return
    assert set(re.findall(r"([a-z_]+) \(", line)) == set(OF_A_TALK)
    assert {"plan"} == set(re.findall(r"starter\.py ([a-z ]+)\)", script))


@LANGUAGES
@pytest.mark.parametrize("changes", [{}, {"payment_url": None}, {"others": ()}, {"payment_url": None, "others": ()}])
def test_a_script_asks_for_the_payment_reference(language: str, changes: dict[str, object]) -> None:
    known = facts(reference="RF96C6B80S6PQA", **changes)
    assert "RF96 C6B8 0S6P QA" in CATALOGUE.compose("reminder-first", language, known).call


# ---- what is owed beside the invoice

# What speaks of an agreed day asks for the agreed sum alone.
AGREED = {"promise-due", "instalment-due", "instalment-missed"}
CLAIMING = pytest.mark.parametrize(
    "key", sorted(key for key, traits in TRAITS.items() if traits.asks and key not in AGREED)
)


def claimed(number: str = "2026-117", **changes: object) -> Claimed:
    return Claimed.model_validate(
        {
            "number": number,
            "interest": Decimal("12.34"),
            "rate": Decimal("10.52"),
            "since": date(2026, 1, 16),
            "currency": "EUR",
            "digits": 2,
            "lump_sum": Decimal(40),
            "lump_sum_currency": "EUR",
            "basis": ("§ 288 BGB",),
            **changes,
        }
    )


@LANGUAGES
@CLAIMING
def test_a_claim_is_a_table_with_its_total_its_day_and_its_law(key: str, language: str) -> None:
    until = date(2026, 3, 10)
    told = facts(
        **OPTIONAL,
        claims=(claimed(), claimed("2026-118", lump_sum=Decimal(0))),
        claim_until=until,
        asked=Decimal(1000),
    )
    text = spaced(CATALOGUE.compose(key, language, told).text)
    other = facts(
        **OPTIONAL, claims=(claimed(lump_sum=Decimal(0), rate=None),), claim_until=until, asked=Decimal(1000)
    )
    plain = spaced(CATALOGUE.compose(key, language, other).text)
    amounts = [figures(text, amount) for amount in ("12.34", "40.00", "1064.68")]
    asks_for_the_sum = key == "formal-complaint"
    assert amounts == [2, 1, 1 + asks_for_the_sum]
    assert figures(text, "1000.00") == 1  # the invoice, as a part of the total
    assert text.count("288") == plain.count("288") == 1
    assert "52" in text and "10.52" not in plain and "10,52" not in plain
    assert figures(plain, "1012.34") == 1 + asks_for_the_sum and figures(plain, "40.00") == 0


@LANGUAGES
def test_a_fixed_sum_of_another_currency_stays_apart_in_the_total(language: str) -> None:
    told = facts(
        **OPTIONAL,
        claims=(claimed(currency="PLN"),),
        claim_until=date(2026, 3, 10),
        asked=Decimal(1000),
        currency="PLN",
    )
    text = spaced(CATALOGUE.compose("final-warning", language, told).text)
    assert figures(text, "1012.34") == 1
    assert figures(text, "40.00") == 2


@LANGUAGES
@CLAIMING
def test_interest_is_announced_with_its_day_rate_and_law(key: str, language: str) -> None:
    accruing = AccruingInterest(since=date(2026, 1, 16), rate=Decimal("10.52"), basis=("§ 288 BGB",))
    text = CATALOGUE.compose(key, language, facts(**OPTIONAL, accruing=accruing)).text
    assert figures(text, "10.52") == 1
    assert "288" in text and "16" in text


@LANGUAGES
@CLAIMING
def test_nothing_is_said_of_what_is_not_claimed(key: str, language: str) -> None:
    composed = usual(key, language)
    told = CATALOGUE.compose(key, language, facts(**OPTIONAL, claims=(claimed(),), claim_until=date(2026, 3, 10)))
    assert "288" not in composed.text
    assert (composed.short, composed.call) == (told.short, told.call)
    assert key == "part-received" or not re.search(EXPECTED[language].money, spaced(told.subject))


@LANGUAGES
@CLAIMING
def test_a_claim_beside_several_invoices_is_one_total(key: str, language: str) -> None:
    known = facts(
        **OPTIONAL | {"promise_amount": None},
        others=facts(number="INV-7", asked=Decimal(500)).bills,
        claims=(claimed(),),
        claim_until=date(2026, 3, 10),
        asked=Decimal(1000),
    )
    text = spaced(CATALOGUE.compose(key, language, known).text)
    assert (figures(text, "1500.00"), figures(text, "1552.34")) == (1, 1)
    assert figures(text, "1000.00") == 1  # in the table of the invoices


@LANGUAGES
def test_of_a_missed_instalment_one_sum_is_asked_for(language: str) -> None:
    promised = {"promise_on": date(2026, 3, 20), "promise_amount": Decimal("400.50")}
    text = spaced(CATALOGUE.compose("instalment-missed", language, facts(**promised)).text)
    assert figures(text, "400.50") == 2
    assert len(re.findall(r"[*-] .*1\D?200", text)) == 1  # what is open in all


def figures(text: str, amount: str) -> int:
    """How often an amount stands in a text, whatever separates its digits."""
    whole, fraction = amount.split(".")
    grouped = whole if len(whole) < 4 else whole[:-3] + r"\D?" + whole[-3:]
    return len(re.findall(rf"(?<!\d){grouped}[.,]{fraction}(?!\d)", text))

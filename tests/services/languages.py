"""What each language is expected to say, and a case to write about: shared by the tests of what people read."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from dunwell.texts.catalogue import Catalogue, Composed, Facts, Instalment, Traits

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
    "grace-confirmed": Traits(announces=True),
    "restored": Traits(),
    "thank-you": Traits(),
    "accessory-request": Traits(accessory=True),
    "part-received": Traits(asks=True),
    "booked-by-mistake": Traits(),
    "promise-confirmed": Traits(),
    "promise-due": Traits(asks=True),
    "promise-broken": Traits(asks=True),
    "dispute-received": Traits(),
    "dispute-closed": Traits(asks=True),
    "nothing-to-pay": Traits(),
    "fresh-link": Traits(),
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
    "grace-confirmed": {"consequence", "consequence_on"},
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
class Expected:
    """What is looked for in one language: the same facts, in its own words. A new language adds one of these."""

    money: str  # how an amount looks, as a pattern
    issued: str  # 2026-01-30
    due: str  # 2026-03-01
    on: str  # the day of the consequence, 2026-03-26, as its sentence begins
    brief_on: str  # the same in an SMS
    late: str  # 21 days
    aged: str  # 400 days
    pending: str  # the same in an SMS, or since when, 2025-02-15, where the words cost its alphabet
    cheerful: str  # how the first reminder begins while the invoice is not long overdue
    earlier: str  # 2026-03-03 and 2026-03-17
    bank: str  # how to pay without a link
    banks: str  # the same for several invoices
    consequences: dict[str, str]
    rows: tuple[str, str, str, str, str]  # how late, or in how many days, by table row
    in_all: str  # in the subject, how many are open
    more: str  # in an SMS, how many more
    sms: int  # how many SMS a short text may cost
    basic: bool = True  # whether its SMS keep to the basic alphabet


EXPECTED = {
    "de": Expected(
        money=r"\d(\.\d{3})?,\d\d €",
        issued="30. Januar 2026",
        due="1. März 2026",
        on="Am 26. März 2026",
        brief_on="26. März",
        late="21 Tagen",
        aged="400 Tagen",
        pending="400 Tagen",
        cheerful="geht eine Rechnung leicht unter",
        earlier="3. März und 17. März",
        bank="Bankverbindung siehe Rechnung",
        banks="Bankverbindung siehe Rechnungen",
        consequences={
            "restricted": "schränken",
            "suspended": "sperren",
            "legal": "Rechtsabteilung",
            "handed_over": "Beitreibung",
        },
        rows=("seit 21 Tagen", "seit 1 Tag", "heute", "in 1 Tag", "in 2 Tagen"),
        in_all="Rechnungen offen",
        more="weitere",
        sms=2,
    ),
    "en": Expected(
        money=r"€\d(,\d{3})?[\d.]*\.\d\d",
        issued="January 30, 2026",
        due="March 1, 2026",
        on="On March 26, 2026",
        brief_on="Mar 26",
        late="21 days",
        aged="400 days",
        pending="400 days",
        cheerful="easily overlooked",
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
    "es": Expected(
        money=r"\d(\.\d{3})?,\d\d €",
        issued="30 de enero de 2026",
        due="1 de marzo de 2026",
        on="El 26 de marzo de 2026",
        brief_on="26 mar",
        late="21 días",
        aged="400 días",
        pending="15 feb 2025",
        cheerful="Es fácil que se pase",
        earlier="3 de marzo y 17 de marzo",
        bank="datos bancarios figuran en la factura",
        banks="datos bancarios figuran en las facturas",
        consequences={
            "restricted": "limitarán",
            "suspended": "suspenderá",
            "legal": "departamento jurídico",
            "handed_over": "gestión de cobranza",
        },
        rows=("21 días de retraso", "1 día de retraso", "hoy", "en 1 día", "en 2 días"),
        in_all="facturas pendientes en total",
        more="otras",
        sms=2,
    ),
    "fr": Expected(
        money=r"\d( \d{3})?,\d\d €",
        issued="30 janvier 2026",
        due="1er mars 2026",
        on="Le 26 mars 2026",
        brief_on="26 mars",
        late="21 jours",
        aged="400 jours",
        pending="400 jours",
        cheerful="Un oubli est vite arrivé",
        earlier="3 mars et le 17 mars",
        bank="coordonnées bancaires figurent sur la facture",
        banks="coordonnées bancaires figurent sur les factures",
        consequences={
            "restricted": "limitées",
            "suspended": "suspendu",
            "legal": "service juridique",
            "handed_over": "recouvrement",
        },
        rows=("21 jours de retard", "1 jour de retard", "aujourd'hui", "dans 1 jour", "dans 2 jours"),
        in_all="factures à régler au total",
        more="autre",
        sms=2,
    ),
    "id": Expected(
        money=r"€\d(\.\d{3})?[\d.]*,\d\d",
        issued="30 Januari 2026",
        due="1 Maret 2026",
        on="Pada 26 Maret 2026",
        brief_on="26 Mar",
        late="21 hari",
        aged="400 hari",
        pending="400 hari",
        cheerful="mudah terlewat",
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
    "it": Expected(
        money=r"\d(\.\d{3})?,\d\d €",
        issued="30 gennaio 2026",
        due="1 marzo 2026",
        on="Il giorno 26 marzo 2026",
        brief_on="26 mar",
        late="21 giorni",
        aged="400 giorni",
        pending="400 giorni",
        cheerful="può capitare che sfugga",
        earlier="3 marzo e 17 marzo",
        bank="coordinate bancarie sono riportate nella fattura",
        banks="coordinate bancarie sono riportate nelle fatture",
        consequences={
            "restricted": "limitate",
            "suspended": "sospeso",
            "legal": "ufficio legale",
            "handed_over": "recupero crediti",
        },
        rows=("21 giorni di ritardo", "1 giorno di ritardo", "oggi", "tra 1 giorno", "tra 2 giorni"),
        in_all="fatture da saldare in totale",
        more="altr",
        sms=2,
    ),
    "pt-BR": Expected(
        money=r"€ \d(\.\d{3})?[\d.]*,\d\d",
        issued="30 de janeiro de 2026",
        due="1º de março de 2026",
        on="Em 26 de março de 2026",
        brief_on="26 de mar.",
        late="21 dias",
        aged="400 dias",
        pending="15 de fev. de 2025",
        cheerful="Na correria do dia a dia",
        earlier="3 de março e 17 de março",
        bank="dados bancários estão na fatura",
        banks="dados bancários estão nas faturas",
        consequences={
            "restricted": "limitados",
            "suspended": "suspenso",
            "legal": "departamento jurídico",
            "handed_over": "cobrança especializada",
        },
        rows=("21 dias de atraso", "1 dia de atraso", "hoje", "em 1 dia", "em 2 dias"),
        in_all="faturas em aberto no total",
        more="mais",
        sms=2,
    ),
    "ru": Expected(
        money=r"\d( \d{3})?,\d\d €",
        issued="30 января 2026 г.",
        due="1 марта 2026 г.",
        on="С 26 марта 2026 г.",
        brief_on="26 мар.",
        late="21 день",
        aged="400 дней",
        pending="400 дней",
        cheerful="по-дружески",
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
    "bg": Expected(
        money=r"\d( \d{3})?,\d\d €",
        issued="30 януари 2026 г.",
        due="1 март 2026 г.",
        on="От 26 март 2026 г.",
        brief_on="26.03",
        late="21 дни",
        aged="400 дни",
        pending="400 дни",
        cheerful="приятелски",
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

KEYS = sorted(key for key, traits in TRAITS.items() if not traits.accessory)
"""Those about one invoice or several. What is asked for once it is paid has facts of its own."""

MESSAGES = pytest.mark.parametrize("key", KEYS)
ASKING = pytest.mark.parametrize("key", sorted(key for key, traits in TRAITS.items() if traits.asks))
LANGUAGES = pytest.mark.parametrize("language", sorted(EXPECTED))


def facts(**changes: Any) -> Facts:
    """An overdue invoice of 1,200 euros, nothing paid, no optional fact."""
    base: dict[str, Any] = {
        "contact_name": "Ada Byron",
        "company": "Engine Works",
        "number": "INV-2041",
        "reference": "RF96C6B80S6PQA",
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


@cache
def usual(key: str, language: str) -> Composed:
    """The message with every optional fact, rendered once for all tests."""
    return CATALOGUE.compose(key, language, facts(**OPTIONAL))


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def letter(html: str) -> str:
    """The letter inside the frame that every mail has."""
    return html[html.index('<div class="letter"') :].partition("</div>\n<!--")[0]


def visible(html: str) -> str:
    """What a reader of the HTML sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", letter(html))).split())


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

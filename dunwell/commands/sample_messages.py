"""Sample facts for previews of messages: for each language a customer in a country where it is spoken.

A language without an entry gets neutral names and the currency of its main territory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_precision, get_territory_currencies

from dunwell.domain.links import SAMPLE
from dunwell.domain.payment_reference import reference_for
from dunwell.texts.catalogue import Facts, Instalment, OtherInvoice
from dunwell.texts.formatting import AccruingInterest, Claimed

_TODAY = date(2027, 3, 22)


@dataclass(frozen=True)
class SampleCustomer:
    """A sample customer. `region` is the language with its region; `unit` is a factor for all amounts."""

    region: str
    contact: str
    company: str
    currency: str
    unit: Decimal = Decimal(1)


_CUSTOMERS: Mapping[str, SampleCustomer] = {
    "bg": SampleCustomer("bg-BG", "Мария Петрова", "„Балкан Текстил“ ЕООД", "EUR"),
    "de": SampleCustomer("de-DE", "Anna Weber", "Tischlerei Weber GmbH", "EUR"),
    "en": SampleCustomer("en-GB", "Priya Nair", "Brightwater Analytics Ltd", "GBP"),
    "es": SampleCustomer("es-MX", "Lucía Herrera", "Distribuidora del Valle, S.A. de C.V.", "MXN", Decimal(20)),
    "fr": SampleCustomer("fr-FR", "Camille Durand", "Le Bistrot du Port SARL", "EUR"),
    "id": SampleCustomer("id-ID", "Sari Wulandari", "PT Samudra Niaga Lestari", "IDR", Decimal(16000)),
    "it": SampleCustomer("it-IT", "Giulia Conti", "Officine Conti S.r.l.", "EUR"),
    "pt-BR": SampleCustomer("pt-BR", "Renata Moraes", "Padaria Três Irmãos Ltda.", "BRL", Decimal(5)),
    "ru": SampleCustomer("ru-RU", "Ольга Смирнова", "ООО «Северный ветер»", "RUB", Decimal(90)),
}


def sample_customer(language: str) -> SampleCustomer:
    """Return the sample customer of a language."""
    return _CUSTOMERS.get(language) or _unnamed(language)


VARIANTS: Mapping[str, tuple[str, ...]] = {
    "before-due": ("late", "long overdue"),
    "reminder-first": (
        "no link",
        "our account",
        "no link, our account",
        "a part came",
        "long overdue",
        "long overdue, reminded",
    ),
    "reminder-second": (
        "long overdue",
        "long overdue, reminded",
        "a claim",
        "interest announced",
        "taken back",
        "a plan ended",
    ),
    "milestone-invoice": ("long overdue", "long overdue, reminded"),
    "milestone-reminder": ("long overdue", "long overdue, reminded"),
    "courtesy-visit": ("long overdue", "long overdue, reminded"),
    "promise-confirmed": ("no link", "no link, our account"),
    "final-warning": ("suspended", "legal", "handed over", "a claim", "two are met", "taken back"),
    "formal-complaint": ("restricted", "suspended", "legal", "a claim"),
    "handover-notice": ("a claim", "two are met"),
    "restricted": ("two are met", "another invoice holds"),
    "suspended": ("two are met", "others suspend"),
    "thank-you": ("a credit",),
    "restored": ("another invoice holds", "others suspend", "disputed rest", "due later"),
    "instalment-missed": ("a part came",),
    "promise-broken": ("a part came",),
    "dispute-received": ("in full",),
    "part-received": ("a part disputed",),
}
"""Further situations in which a message is shown, besides the usual one, by message."""


def sample(key: str, customer: SampleCustomer, *, grouped: bool = False, variant: str | None = None) -> Facts:
    """Return sample facts for message `key`. `grouped`: with two more open invoices. `variant`: one of VARIANTS."""
    unit, digits = customer.unit, get_currency_precision(customer.currency)
    amount = Decimal("1240.00") * unit
    facts: dict[str, Any] = {
        "contact_name": customer.contact,
        "company": customer.company,
        "number": "2027-0417",
        "reference": reference_for(["2027-0417", "2027-0455", "2027-0502"] if grouped else ["2027-0417"]),
        "issued_on": date(2027, 1, 30),
        "due_on": date(2027, 3, 1),
        "today": _TODAY,
        "amount": amount,
        "paid": Decimal(0),
        "open": amount,
        "asked": amount,
        "currency": customer.currency,
        "digits": digits,
        "payment_url": "https://pay.northwind.example/8fk2",
        "page_url": f"https://dunning.northwind.example/i/{SAMPLE}",
        "earlier": (date(2027, 3, 2), date(2027, 3, 15)),
        "consequence": "restricted",
        "consequence_on": date(2027, 3, 29),
        "promise_on": date(2027, 3, 26),
        "promise_amount": amount,
        "instalments": tuple(Instalment(on=date(2027, month, 1), amount=amount / 2) for month in (4, 5)),
        "instalment_on": date(2027, 4, 1),
        "instalment_amount": amount / 2,
        "sender_name": "Ana Lopez",
        "sender_company": "Northwind Ltd",
        "reply_to": "ana.lopez@northwind.example",
        "unsubscribe_url": "https://dunning.northwind.example/unsubscribe/2f6c",
        "enclosed": ("2027-0417",),
    }
    others = (
        _other("2027-0455", date(2027, 2, 12), date(2027, 3, 14), Decimal("318.50") * unit, customer, digits),
        _other("2027-0502", date(2027, 2, 19), date(2027, 4, 5), Decimal("96.00") * unit, customer, digits),
    )
    claim = _claim(amount, customer, digits)
    changes = _changes(key, amount, claim) | ({"others": others} if grouped else {})
    return Facts(**facts | changes | (_variation(variant, amount, others, claim) if variant else {}))


def _claim(amount: Decimal, customer: SampleCustomer, digits: int) -> dict[str, Any]:
    """Return the facts of what is owed beside the invoice: interest of three weeks and a lump sum."""
    claimed = Claimed(
        number="2027-0417",
        interest=round(amount * Decimal("0.0058"), digits),
        rate=Decimal("10.15"),
        since=date(2027, 3, 2),
        currency=customer.currency,
        digits=digits,
        lump_sum=40 * customer.unit,
        lump_sum_currency=customer.currency,
        lump_sum_digits=digits,
        basis=("Dir. 2011/7/EU",),
    )
    return {"claims": (claimed,), "claim_until": date(2027, 3, 28)}


_CONSEQUENCES = ("restricted", "suspended", "legal", "handed over")
_ACCOUNT = {"iban": "DE89370400440532013000", "bic": "COBADEFFXXX", "phone": "+49 30 901820"}


def _variation(
    variant: str, amount: Decimal, others: tuple[OtherInvoice, ...], claim: dict[str, Any]
) -> dict[str, Any]:
    """Return the facts that differ from the usual ones in this variant. Raises KeyError for an unknown variant."""
    quarter = amount / 4
    overdue = others[1].model_copy(update={"due_on": date(2027, 3, 5)})
    consequences = {name: {"consequence": name.replace(" ", "_")} for name in _CONSEQUENCES}
    aged = {"issued_on": date(2026, 1, 16), "due_on": date(2026, 2, 15), "today": _TODAY}  # 400 days
    variations: dict[str, dict[str, Any]] = {
        **consequences,
        "no link": {"payment_url": None, "page_url": None},
        "our account": dict(_ACCOUNT),
        "no link, our account": {"payment_url": None, "page_url": None, **_ACCOUNT},
        "a credit": {"paid": amount + quarter, "credit": quarter},
        "another invoice holds": {"holding": others[:1]},
        "others suspend": {"holding": (overdue, others[0]), "suspended": True},
        "two are met": {"others": others[:1], "met": ("2027-0417", others[0].number)},
        "taken back": {"taken_back": amount, "taken_back_on": date(2027, 3, 18)},
        "a plan ended": {"plan_ended": date(2027, 3, 15)},
        "disputed rest": {"paid": amount - quarter, "open": quarter, "asked": Decimal(0), "not_settled": True},
        "due later": {
            "paid": Decimal(0),
            "open": amount,
            "asked": amount,
            "due_on": date(2027, 6, 1),
            "not_settled": True,
        },
        "a part came": {"missing": quarter, "paid": quarter, "open": quarter * 3, "asked": quarter * 3},
        "a claim": claim,
        "interest announced": {"accruing": AccruingInterest(since=date(2027, 3, 2), rate=Decimal("10.15"))},
        "in full": {"asked": Decimal(0)},
        "a part disputed": {"asked": quarter},
        "late": {"today": date(2027, 3, 3)},
        "long overdue": {**aged, "earlier": ()},
        "long overdue, reminded": {**aged, "earlier": (date(2026, 3, 2), date(2026, 4, 15))},
    }
    return variations[variant]


def _other(
    number: str, issued: date, due: date, asked: Decimal, customer: SampleCustomer, digits: int
) -> OtherInvoice:
    return OtherInvoice(
        number=number,
        issued_on=issued,
        due_on=due,
        asked=asked,
        currency=customer.currency,
        digits=digits,
        payment_url=f"https://pay.northwind.example/{number[-4:]}",
    )


def _changes(key: str, amount: Decimal, claim: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of this message that differ from those of an overdue invoice."""
    half = amount / 2
    days = {"welcome-memo": date(2027, 1, 30), "before-due": date(2027, 2, 22), "due-today": date(2027, 3, 1)}
    settled: dict[str, Any] = {"paid": amount, "open": Decimal(0), "asked": Decimal(0)}
    money: dict[str, dict[str, Any]] = {
        "thank-you": settled,
        "restored": settled,
        "accessory-request": settled | claim | {"settled": True, "payment_url": None},
        "part-received": {"paid": half, "open": half, "asked": half},
        "dispute-received": {"asked": half},
        "handover-notice": {},
    }
    ends = {"formal-complaint": "handed_over", "handover-notice": "handed_over", "suspended": "suspended"}
    changes: dict[str, Any] = dict(money.get(key, {}))
    if key in days:
        changes |= {"today": days[key], "earlier": ()}
    if key == "promise-broken":
        changes |= {"promise_on": date(2027, 3, 19)}
    if key == "instalment-missed":
        changes |= {"instalments": (), "promise_on": date(2027, 3, 15), "promise_amount": half, "missing": half}
    return changes | ({"consequence": ends[key]} if key in ends else {})


def _unnamed(language: str) -> SampleCustomer:
    tag = Locale.parse(language, sep="-")
    likely = get_global("likely_subtags").get(tag.language, "")
    territory = tag.territory or likely.rpartition("_")[2] or "GB"
    currencies = get_territory_currencies(territory) or ["EUR"]
    return SampleCustomer(language, "A. Muster", "Muster & Co.", currencies[-1])

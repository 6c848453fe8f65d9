"""The debtors of a chaos run and what they do, all drawn from one seed."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.terms import DebtorKind, Role
from tests.builders import a_contact, a_customer, an_invoice

_LADDERS = ("gentle-saas", "latam-whatsapp", "gradual-pressure", "freelance-milestones")
_CLAIMING = ("b2b-net30", "b2b-net30", "gradual-pressure", "gradual-pressure", "gentle-saas", "freelance-milestones")
"""Most of them ask for interest and lump sum at their end."""


@dataclass(frozen=True)
class Place:
    """Where customers are, and as what. law: by which interest and lump sum are claimed; None: neither is.

    The law of the country limits how often a consumer is contacted, and whoever does not say what they are.
    """

    country: str
    zone: str
    ladders: tuple[str, ...] = _LADDERS
    kind: DebtorKind | None = None
    law: str | None = None
    currency: str = "EUR"


PLACES = (
    Place("DE", "Europe/Berlin", _CLAIMING, DebtorKind.BUSINESS, law="DE"),
    Place("GB", "Europe/London", _CLAIMING, DebtorKind.BUSINESS, law="GB", currency="GBP"),
    Place("DE", "Europe/Berlin", ("consumer",), DebtorKind.CONSUMER, law="DE"),
    Place("CL", "America/Santiago", ("consumer", "gentle-saas"), DebtorKind.CONSUMER),
    Place("US", "America/New_York"),
    Place("JP", "Asia/Tokyo"),
)
AMOUNT = Decimal("1200.00")
LAST = Decimal("1500.50")
"""Enough for whatever an invoice was amended to."""
BEGINS = datetime(2027, 2, 22, 8, tzinfo=UTC)
"""When the clock of every case begins."""
ISSUED_ON = date(2026, 10, 1)
"""So early that the bank has days enough between it and the beginning, when no case has to fear a date to come."""
NEW_RECORD = "a newer record"
"""No signal: the billing system exports the invoice again."""


@dataclass(frozen=True)
class Deed:
    """A signal to a case, or NEW_RECORD, `after` of the storm's length (0 to 1)."""

    invoice_id: str
    after: float
    signal: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Watch:
    """What somebody at a customer waits for, and pays at once when it comes the `number`-th time."""

    customer_id: str
    sees: Literal["step", "call", "refusal"]
    """A step that is due; a provider's call for a message to one of these addresses; one that it refuses."""
    number: int
    addresses: tuple[str, ...]
    payments: tuple[Deed, ...]


def invoices(chance: random.Random, count: int) -> list[Invoice]:
    """`count` invoices of customers who have one to ten each."""
    made: list[Invoice] = []
    while len(made) < count:
        place = chance.choice(PLACES)
        customer = _customer(chance, place, f"c{len(made)}")
        claims = "statutory" if place.law else None
        facts: dict[str, Any] = {"customer": customer, "policy": chance.choice(place.ladders)}
        facts |= {
            "issued_on": ISSUED_ON,
            "currency": place.currency,
            "jurisdiction": place.law,
            "interest": claims,
            "lump_sum": claims,
        }
        for _ in range(min(chance.choice((1, 1, 1, 2, 3, 5, 10)), count - len(made))):
            made.append(an_invoice(invoice_id=f"inv-{len(made)}", number=f"N{10_000 + len(made)}", **facts))
    return made


def _customer(chance: random.Random, place: Place, name: str) -> Customer:
    people = []
    for number, role in enumerate((Role.ACCOUNTS_PAYABLE, Role.USER, Role.MANAGER, Role.ACCOUNT_MANAGER)):
        phone = f"+1555{chance.randrange(10**6):06}{number}" if chance.random() < 0.4 else None
        email = f"{role.value}@{name}.example" if phone is None or chance.random() < 0.8 else None
        agreed = "2027-01-15 order form" if phone and int(phone[-2]) % 2 else None
        facts: dict[str, Any] = {"email": email, "phone": phone, "whatsapp_opt_in": agreed}
        people.append(a_contact(role, contact_id=f"{name}.{role.value}", **facts))
    where = {"name": f"Debtors of {name}", "country": place.country, "time_zone": place.zone, "kind": place.kind}
    return a_customer(customer_id=name, contacts=tuple(people), **where)


_MONEY = ("part", "full", "more", "bounced", "charged-back", "parts-taken-back", "none")
_HEADS = (None, None, "principal", "interest", "lump_sum", "costs")
"""What debtors say that they pay."""
_WORDS = (
    "promise",
    "dispute",
    "part-dispute",
    "pause",
    "plan-kept",
    "plan-missed",
    "plan-replaced",
    "moved-due-date",
    "other-amount",
    "contact-left",
    "thought-better",
    "none",
)


def deeds(chance: random.Random, invoice: Invoice, span: timedelta) -> Iterator[Deed]:
    """What happens to one case, whose clock runs `span` ahead in the storm; some cases nobody touches."""
    begin = chance.random()
    for story in (chance.choice(_MONEY), chance.choice(_WORDS)):
        yield from _story(story, invoice, begin, _Calendar(span), chance)


@dataclass(frozen=True)
class _Calendar:
    """Moments of the storm, from 0 to 1, and the days that they are in the case."""

    span: timedelta

    def day(self, moment: float, days_later: int) -> str:
        """The case's date `days_later` than `moment`."""
        return (BEGINS + moment * self.span + timedelta(days=days_later)).date().isoformat()

    def later(self, moment: float, days: float) -> float:
        return moment + timedelta(days=days) / self.span


def _story(  # noqa: PLR0912 - one a story
    story: str, invoice: Invoice, begin: float, at: _Calendar, chance: random.Random
) -> Iterator[Deed]:
    who = invoice.invoice_id

    def deed(after: float, signal: str, **content: Any) -> Deed:
        return Deed(who, after, signal, content)

    def money(name: str, amount: Decimal = AMOUNT, head: str | None = None) -> dict[str, str]:
        paid = {"payment_id": f"{who}.{name}", "amount": str(amount), "currency": invoice.currency}
        return paid | ({"designation": head} if head else {})

    def taken_back(after: float, name: str, number: int, amount: str) -> Iterator[Deed]:
        """A part of that payment goes back, told twice."""
        for again in (0, 0.002):
            ids = {"payment_id": f"{who}.{name}", "reversal_id": f"{who}.{name}.{number}"}
            yield deed(after + again, "payment_reversed", **ids, amount=amount, reason="R01")

    def plan(moment: float, *days: int) -> Deed:
        """The whole invoice in equal parts, each due so many days after `moment`."""
        part = str(AMOUNT / len(days))
        parts = [{"date": at.day(moment, day), "amount": part} for day in days]
        return deed(moment, "payment_plan_agreed", instalments=parts, by="agent.1")

    match story:
        case "part":
            part = money("part", Decimal("200.00"), chance.choice(_HEADS))
            yield deed(begin, "payment_received", **part)
            yield deed(begin, "payment_received", **part)
        case "promise":
            yield deed(begin / 3, "promise_to_pay", date="2027-03-12", promised_by="accounts_payable")
        case "dispute":
            yield deed(begin * 0.8, "dispute_opened", reason="quality", opened_by="accounts_payable")
            yield deed(begin * 0.8 + 0.1, "dispute_resolved", outcome="rejected", by="agent.1")
        case "part-dispute":
            outcome = chance.choice(("upheld", "rejected", "adjusted"))
            new = {"new_amount": "1000.00"} if outcome == "adjusted" else {}
            part = {"reason": "quality", "opened_by": "accounts_payable", "amount": "300.00"}
            yield deed(begin * 0.8, "dispute_opened", **part)
            yield deed(begin * 0.8 + 0.1, "dispute_resolved", outcome=outcome, by="agent.1", **new)
        case "pause":
            yield deed(begin * 0.8, "pause", reason="holiday", by="agent.1")
            yield deed(begin * 0.8 + 0.1, "resume", by="agent.1")
        case "full":
            yield deed(begin, "payment_received", **money("full"))
        case "bounced":
            yield deed(begin, "payment_received", **money("bounced"))
            yield deed(begin + 0.005, "payment_reversed", payment_id=f"{who}.bounced", reason="no-funds")
        case "charged-back":
            # Two parts of one payment go back, each told twice; at times that is all of it.
            yield deed(begin, "payment_received", **money("charged"))
            for number, amount in enumerate(("300.00", chance.choice(("300.00", "900.00")))):
                yield from taken_back(begin + 0.005 + number / 50, "charged", number, amount)
        case "parts-taken-back":
            # Parts for a head each; of the first some goes back before the second comes, of both some later.
            yield deed(begin, "payment_received", **money("first", Decimal("500.00"), chance.choice(_HEADS)))
            yield from taken_back(begin + 0.05, "first", 0, "120.55")
            yield deed(begin + 0.1, "payment_received", **money("second", Decimal("300.00"), chance.choice(_HEADS)))
            yield from taken_back(begin + 0.15, "first", 1, chance.choice(("79.45", "379.45")))
            yield from taken_back(begin + 0.2, "second", 0, "0.01")
        case "more":
            # Interest and lump sum, too, or a part of them.
            yield deed(begin, "payment_received", **money("more", AMOUNT + chance.choice((40, 60, 100))))
        case "plan-kept":
            yield plan(begin * 0.7, 3, 8, 14)
            for number, days in enumerate((2, 7, 13)):
                paid = money(f"instalment{number}", AMOUNT / 3)
                yield deed(at.later(begin * 0.7, days), "payment_received", **paid)
        case "plan-missed":
            yield plan(begin * 0.7, 3, 8, 14)
            yield deed(at.later(begin * 0.7, 2), "payment_received", **money("only", AMOUNT / 3))
        case "plan-replaced":
            yield plan(begin * 0.7, 3, 8, 14)
            yield plan(at.later(begin * 0.7, 2), 6, 16)
        case "moved-due-date":
            moved = begin * 0.7
            yield deed(moved, "invoice_amended", due_on=at.day(moved, chance.choice((3, 20))), by="agent.1")
        case "other-amount":
            yield deed(begin * 0.8, "invoice_amended", amount=chance.choice(("900.00", f"{LAST}")), by="agent.1")
        case "contact-left":
            yield deed(begin * 0.8, NEW_RECORD)
        case "thought-better":
            # What their promise and their dispute were answered with may bounce when neither stands any more.
            yield deed(begin * 0.8, "promise_to_pay", date=at.day(begin * 0.8, 5), promised_by="accounts_payable")
            yield deed(begin * 0.8 + 0.02, "dispute_opened", reason="quality", opened_by="accounts_payable")
            yield deed(begin * 0.8 + 0.04, "dispute_resolved", outcome="rejected", by="agent.1")
            yield deed(begin * 0.8 + 0.06, "payment_received", **money("better"))


def watches(chance: random.Random, made: Sequence[Invoice], share: float) -> list[Watch]:
    """Of so many of the customers somebody watches, and then pays most of its invoices."""
    by_customer = defaultdict[str, list[Invoice]](list)
    for invoice in made:
        by_customer[invoice.customer.customer_id].append(invoice)
    return [_watch(chance, invoices) for invoices in by_customer.values() if chance.random() < share]


def _watch(chance: random.Random, invoices: Sequence[Invoice]) -> Watch:
    customer = invoices[0].customer
    debtors = [one for one in customer.contacts if one.role is not Role.ACCOUNT_MANAGER]
    sees: Literal["step", "call", "refusal"] = chance.choice(("step", "call", "refusal"))
    return Watch(
        customer_id=customer.customer_id,
        sees=sees,
        number=1 if sees == "refusal" else chance.choice((1, 2, 3, 4)),
        addresses=tuple(address for one in debtors for address in (one.email, one.phone) if address),
        payments=tuple(_whole(one) for one in invoices if chance.random() < 0.85),
    )


def _whole(invoice: Invoice) -> Deed:
    content = {"payment_id": f"{invoice.invoice_id}.watched", "amount": str(AMOUNT), "currency": invoice.currency}
    return Deed(invoice.invoice_id, 0.0, "payment_received", content)


def without_one(invoice: Invoice) -> Invoice:
    """The newest record of the invoice: its first person who is asked to pay is no longer there."""
    _, *others = invoice.customer.contacts
    return invoice.model_copy(update={"customer": invoice.customer.model_copy(update={"contacts": tuple(others)})})

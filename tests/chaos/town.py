"""The debtors of a chaos run and what they do, all drawn from one seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from domain.invoice import Customer, Invoice
from domain.terms import Role
from tests.builders import a_contact, a_customer, an_invoice

COUNTRIES = (("DE", "Europe/Berlin"), ("US", "America/New_York"), ("JP", "Asia/Tokyo"))
_LADDERS = ("gentle-saas", "gentle-saas", "gradual-pressure", "freelance-milestones")
AMOUNT = Decimal("1200.00")


@dataclass(frozen=True)
class Deed:
    """A signal to a case, `after` of the storm's length (0 to 1)."""

    invoice_id: str
    after: float
    signal: str
    content: dict[str, str]


def invoices(chance: random.Random, count: int) -> list[Invoice]:
    """`count` invoices of customers who have one to ten each."""
    made: list[Invoice] = []
    while len(made) < count:
        customer = _customer(chance, f"c{len(made)}")
        ladder = chance.choice(_LADDERS)
        for _ in range(min(chance.choice((1, 1, 1, 2, 3, 5, 10)), count - len(made))):
            name = f"inv-{len(made)}"
            made.append(an_invoice(invoice_id=name, number=f"N{len(made)}", customer=customer, policy=ladder))
    return made


def _customer(chance: random.Random, name: str) -> Customer:
    country, zone = chance.choice(COUNTRIES)
    people = []
    for place, role in enumerate((Role.ACCOUNTS_PAYABLE, Role.USER, Role.MANAGER, Role.ACCOUNT_MANAGER)):
        phone = f"+1555{chance.randrange(10**6):06}{place}" if chance.random() < 0.4 else None
        email = f"{role.value}@{name}.example" if phone is None or chance.random() < 0.8 else None
        people.append(a_contact(role, contact_id=f"{name}.{role.value}", email=email, phone=phone))
    return a_customer(customer_id=name, country=country, time_zone=zone, contacts=tuple(people))


def deeds(chance: random.Random, invoice: Invoice) -> Iterator[Deed]:
    """What happens to one case; some cases nobody touches."""
    who, ladder_day = invoice.invoice_id, "2027-03-12"

    def deed(after: float, signal: str, **content: str) -> Deed:
        return Deed(who, after, signal, content)

    begin = chance.random()
    for story in chance.sample(("part", "promise", "dispute", "pause", "full", "bounced", "none"), 2):
        match story:
            case "part":
                paid = {"payment_id": f"{who}.part", "amount": "200.00", "currency": "EUR"}
                yield deed(begin, "payment_received", **paid)
                yield deed(begin, "payment_received", **paid)
            case "promise":
                yield deed(begin / 3, "promise_to_pay", date=ladder_day, promised_by="accounts_payable")
            case "dispute":
                yield deed(begin * 0.8, "dispute_opened", reason="quality", opened_by="accounts_payable")
                yield deed(begin * 0.8 + 0.1, "dispute_resolved", outcome="rejected", by="agent.1")
            case "pause":
                yield deed(begin * 0.8, "pause", reason="holiday", by="agent.1")
                yield deed(begin * 0.8 + 0.1, "resume", by="agent.1")
            case "full":
                yield deed(begin, "payment_received", payment_id=f"{who}.full", amount="1200.00", currency="EUR")
            case "bounced":
                paid = {"payment_id": f"{who}.bounced", "amount": "1200.00", "currency": "EUR"}
                yield deed(begin, "payment_received", **paid)
                yield deed(begin + 0.005, "payment_reversed", payment_id=f"{who}.bounced", reason="no-funds")

"""Customers who pay through Stripe, through the webhook for payments, and by bank transfer.

What each of them brings in the end is written into a file for the checker, once everything about it was taken in.
"""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from dunwell.domain.invoice import Invoice
from dunwell.domain.payment_reference import reference_for
from tests.chaos.bank import Bank, Transfer
from tests.chaos.records import MONEY
from tests.chaos.site import Site
from tests.chaos.town import AMOUNT, BEGINS
from tests.stripe.objects import a_charge, a_dispute, a_refund, a_session, an_event, an_intent

_STRIPE = ("paid", "part", "refunded", "refund-failed", "dispute-lost", "dispute-won", "unknown")
_WEBHOOK = ("once", "several", "also-by-signal")
_BANK = ("reference", "number", "part-by-number", "name", "cent-short", "returned", "returned-number", "stranger")
_SHARE = 0.65
_BEGAN = int(BEGINS.timestamp())
_SPREAD = 1.5
"""Seconds over which the events of one payment arrive."""
_RETURNED_AFTER = (0.02, 0.15)
"""Of the storm's length."""
_PART, _BACK = Decimal("500.00"), Decimal("300.00")

Tell = Callable[[str, Mapping[str, Any]], Any]
"""A payment as a signal: invoice and content."""


class Ledger:
    """What came in, one JSON object a line. Written at once, by any thread."""

    def __init__(self, state: Path) -> None:
        self._file, self._lock = state / MONEY, threading.Lock()

    def write(self, door: str, **facts: Any) -> None:
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps({"door": door} | facts) + "\n")


@dataclass(frozen=True)
class Payer:
    """Who pays one invoice, at which moment of the storm (0 to 1), how, and by which draw."""

    invoice: Invoice
    after: float
    story: str
    chance: random.Random

    @property
    def minor(self) -> int:
        return int(AMOUNT * 100)


def payers(seed: int, invoices: Sequence[Invoice]) -> list[Payer]:
    """Those who pay so. The bank's account is in euros, and takes nothing else."""
    found = []
    for invoice in invoices:
        chance = random.Random(f"{seed} money {invoice.invoice_id}")
        bank = _BANK if invoice.currency == "EUR" else ()
        stories = [*(f"stripe {one}" for one in _STRIPE), *(f"webhook {one}" for one in _WEBHOOK)]
        stories += [f"bank {one}" for one in bank] * 2
        if chance.random() < _SHARE:
            found.append(Payer(invoice, chance.uniform(0.02, 0.85), chance.choice(stories), chance))
    return found


class Payers:
    """Carries the stories out. What was told can be told again, as whoever restored a database has to."""

    def __init__(self, site: Site, bank: Bank, ledger: Ledger, tell: Tell) -> None:
        self._site, self._bank, self._ledger, self._tell = site, bank, ledger, tell
        self._events: list[tuple[float, Callable[[Any], Any], Any]] = []

    async def live(self, payer: Payer, seconds: float) -> None:
        await asyncio.sleep(payer.after * seconds)
        door, _, story = payer.story.partition(" ")
        if door == "bank":
            await self._transfer(payer, story, seconds)
        else:
            await {"stripe": self._stripe, "webhook": self._webhook}[door](payer, story)

    async def again(self, since: float) -> None:
        """Deliver once more what was delivered since then, on the clock of `time.monotonic`."""
        await asyncio.gather(*(send(told) for at, send, told in self._events.copy() if at >= since))

    # Stripe ----------------------------------------------------------------------------------------------

    async def _stripe(self, payer: Payer, story: str) -> None:
        name, chance = payer.invoice.invoice_id, payer.chance
        value = int(_PART * 100) if story == "part" else payer.minor
        payment, currency = f"pi_{name}", payer.invoice.currency.lower()
        invoice = {"dunwell_invoice_id": name if story != "unknown" else f"{name}-of-nobody"}
        money: dict[str, Any] = {"currency": currency, "created": _BEGAN}
        charge: dict[str, Any] = {
            "id": f"ch_{name}",
            "payment_intent": payment,
            "amount": value,
            "amount_captured": value,
        } | money
        intent = an_intent(payment, value, metadata=invoice, latest_charge=charge["id"], **money)
        told = [("payment_intent.succeeded", intent), ("charge.succeeded", a_charge(**charge))]
        if chance.random() < 0.5:
            session: dict[str, Any] = {"payment_intent": payment, "amount_total": value, "metadata": invoice} | money
            told.append(("checkout.session.completed", a_session(id=f"cs_{name}", **session)))
        back, net = int(_BACK * 100), value
        of: dict[str, Any] = {"charge": charge["id"], "payment_intent": payment, "currency": currency}
        if story in {"refunded", "refund-failed"}:
            refund = a_refund(back, f"re_{name}", **of)
            told += [("refund.created", refund), ("charge.refunded", a_charge(back, **charge))]
            net -= back
        if story == "refund-failed":
            told.append(("refund.failed", a_refund(back, f"re_{name}", status="failed", **of)))
            net = value
        if story.startswith("dispute"):
            ends = "lost" if story == "dispute-lost" else "won"
            dispute = {"id": f"dp_{name}", **of}
            told.append(("charge.dispute.created", a_dispute(value, "needs_response", **dispute)))
            told.append(("charge.dispute.closed", a_dispute(value, ends, **dispute)))
            net = 0 if ends == "lost" else value
        events = [
            an_event(kind, found, f"evt_{name}_{number}", created=_BEGAN + number)
            for number, (kind, found) in enumerate(told)
        ]
        await self._deliver(chance, self._site.stripe, events)
        expected = f"{Decimal(net) / 100:.2f}"
        family = [payment, f"re_{name}", f"dp_{name}"]
        self._ledger.write(
            "stripe", invoice_id=None if story == "unknown" else name, story=story, payment=payment, family=family,
            net=expected,
        )  # fmt: skip

    # The webhook for payments ----------------------------------------------------------------------------

    async def _webhook(self, payer: Payer, story: str) -> None:
        invoice, chance = payer.invoice, payer.chance
        paid = [
            {
                "invoice_id": invoice.invoice_id,
                "payment_id": f"{invoice.invoice_id}.hook{number}",
                "amount": f"{_PART if story == 'several' else AMOUNT}",
                "currency": invoice.currency,
                "received_at": (BEGINS + timedelta(hours=1)).isoformat(),
            }
            for number in range(2 if story == "several" else 1)
        ]
        told: list[Any] = [paid, paid[0]] if story == "several" else [paid[0]]
        also = []
        if story == "also-by-signal":
            content = {key: value for key, value in paid[0].items() if key != "invoice_id"}
            also = [self._tell(invoice.invoice_id, content)]
        await asyncio.gather(self._deliver(chance, self._site.payments, told), *also)
        for one in paid:
            self._ledger.write(
                "webhook", invoice_id=invoice.invoice_id, story=story, family=[one["payment_id"]],
                payment=f"{invoice.invoice_id}/{one['payment_id']}", net=one["amount"],
            )  # fmt: skip

    async def _deliver(self, chance: random.Random, send: Callable[[Any], Any], told: Sequence[Any]) -> None:
        """At least once each, in any order, some of it at the same time."""
        often = [*told, *(one for one in told if chance.random() < 0.4)]
        moments = sorted(chance.uniform(0, _SPREAD) for _ in often)
        chance.shuffle(often)

        async def one_by_one(at: float, one: Any) -> None:
            await asyncio.sleep(at)
            await send(one)
            self._events.append((time.monotonic(), send, one))

        await asyncio.gather(*(one_by_one(at, one) for at, one in zip(moments, often, strict=True)))

    # Bank transfers --------------------------------------------------------------------------------------

    async def _transfer(self, payer: Payer, story: str, seconds: float) -> None:
        invoice, chance = payer.invoice, payer.chance
        mark, customer = f"QK{chance.getrandbits(40):010X}X", invoice.customer
        amount, text = AMOUNT, f"invoice {invoice.number}"
        name, iban = customer.name, f"DE{sum(customer.customer_id.encode()) % 90 + 10}{int(invoice.number[1:]):018}"
        match story:
            case "reference" | "returned":
                text = reference_for([invoice.invoice_id])
            case "part-by-number":
                amount = _PART
            case "name":
                text = "as agreed"
            case "cent-short":
                amount, text = AMOUNT - Decimal("0.01"), f"{reference_for([invoice.invoice_id])} {invoice.number}"
            case "stranger":
                name, iban, text = "Somebody else", "DE89370400440532013000", "thanks"
        transfer = Transfer(mark, amount, f"{text} {mark}", name, iban)
        self._bank.owners[mark] = invoice.invoice_id
        self._bank.take(transfer)
        self._ledger.write("bank", invoice_id=invoice.invoice_id, story=story, mark=mark, amount=f"{amount}")
        if story.startswith("returned"):
            await asyncio.sleep(chance.uniform(*_RETURNED_AFTER) * seconds)
            self._bank.take(Transfer(mark, amount, transfer.text, name, iban, returns=True))
            self._ledger.write("bank returned", mark=mark)

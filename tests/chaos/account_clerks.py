"""Clerks at the pages of customers: who rests, who is written to no more, whose address is another, whose credit pays
what.

As at the pages of cases, with double clicks, the back button and sessions that end; and at times two of them have the
same page open, of whom the second says the same or the contrary. What became of each form is written into a file for
the checker.
"""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from dunwell.domain.invoice import Customer, Invoice, for_rehearsal
from tests.chaos.clerks import ONCE, Answer, Clerk, Clerks, Form, Way, forms_of
from tests.chaos.records import ACCOUNTS
from tests.chaos.town import BEGINS

_STORIES = ("rests", "rests", "rests-until", "two-clerks", "leaves", "leaves-and-returns", "moves", "none")
_RESTS = (2.0, 8.0)
"""Seconds, which are days, until the clerk says the next thing of a story."""
_DAYS = (4, 20)
"""After how many days of the case a pause with an end is over."""
_LOOKS = 4.0
_CREDIT_IS_USED = 0.7


class AccountClerks:
    """`seed` decides what they do with which customer. `span`: how far the cases' clocks run in `seconds`."""

    def __init__(
        self, clerks: Clerks, state: Path, seed: int, invoices: Sequence[Invoice], seconds: float, span: timedelta
    ) -> None:
        self._clerks, self._file, self._seed = clerks, state / ACCOUNTS, seed
        self._seconds, self._span = seconds, span
        self._customers = {one.customer.customer_id: for_rehearsal(one).customer for one in invoices}

    async def run(self) -> None:
        """Until all stories are told and the storm is over."""
        lives = [self._live(random.Random(f"{self._seed} {one}"), self._customers[one]) for one in self._customers]
        await asyncio.gather(*lives, self._use_credit(random.Random(f"{self._seed} credit")))

    async def _live(self, chance: random.Random, customer: Customer) -> None:
        story, begin = chance.choice(_STORIES), chance.uniform(0.1, 0.85)
        await asyncio.sleep(begin * self._seconds)
        page = f"customers/{customer.customer_id}"
        person = chance.choice(customer.contacts[:-1] or customer.contacts)
        contact = f"contacts/{person.contact_id}"
        match story:
            case "rests":
                await self._tell(chance, customer, f"{page}/pause", {"reason": "holiday"})
                await asyncio.sleep(chance.uniform(*_RESTS))
                await self._tell(chance, customer, f"{page}/resume", {})
            case "rests-until":
                until = BEGINS + begin * self._span + timedelta(days=chance.randint(*_DAYS))
                fields = {"reason": "talks", "until": until.date().isoformat()}
                await self._tell(chance, customer, f"{page}/pause", fields)
            case "two-clerks":
                await self._tell(chance, customer, f"{page}/pause", {"reason": "talks"})
                await asyncio.gather(
                    self._tell(chance, customer, f"{page}/pause", {"reason": "complaint"}),
                    self._tell(chance, customer, f"{page}/resume", {}),
                    self._tell(chance, customer, f"{contact}/close", {"reason": "left-company"}),
                )
            case "leaves" | "leaves-and-returns":
                await self._tell(chance, customer, f"{contact}/close", {"reason": "left-company"})
                if story == "leaves-and-returns":
                    await asyncio.sleep(chance.uniform(*_RESTS))
                    await self._tell(chance, customer, f"{contact}/open", {})
            case "moves":
                email = f"moved.{person.role.value}@{customer.customer_id.removeprefix('rehearsal.')}.example"
                fields = {"name": f"{person.name} Nuevo", "email": email, "phone": person.phone or "", "post": ""}
                await self._tell(chance, customer, f"{contact}/set", fields)

    async def _use_credit(self, chance: random.Random) -> None:
        """Look at the customers one after the other; what somebody paid too much pays another invoice of theirs."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        while loop.time() < end:
            await asyncio.sleep(_LOOKS)
            customer = chance.choice(list(self._customers.values()))
            page = await chance.choice(self._clerks.all).page(_address(customer))
            actions = [action for action, form in forms_of(page).items() if form.choices.get("to_invoice")]
            if actions and chance.random() < _CREDIT_IS_USED:
                await self._tell(chance, customer, chance.choice(actions).removeprefix("/console/"), None)

    # One form --------------------------------------------------------------------------------------------

    async def _tell(
        self, chance: random.Random, customer: Customer, path: str, typed: Mapping[str, str] | None
    ) -> None:
        """Send the form at `path`, if the page has it, and at times let another clerk send theirs.

        typed: None for the form of credit, whose fields are chosen from what the page offers.
        """
        way, (clerk, other) = Way.drawn(chance), chance.sample(self._clerks.all, k=2)
        form = await _opened(chance, clerk, customer, path, typed)
        second = await _opened(chance, other, customer, path, typed) if way.followed else None
        if form is None:
            return
        await asyncio.sleep(way.waits)
        if way.ends and self._clerks.may_sign_out():
            await clerk.sign_out()
        sent = [form.send(way)] if second is None else [form.send(way), second.send(ONCE)]
        forms = [form] if second is None else [form, second]
        for one, answer in zip(forms, await asyncio.gather(*sent), strict=True):
            self._write(one, answer)

    def _write(self, form: Form, answer: Answer) -> None:
        _, kind, about, action = form.path.removeprefix("/").split("/")
        typed = {name: value for name, value in form.fields.items() if name not in {"form_id", "seen"}}
        line = {"kind": kind, "about": about, "action": action, "typed": typed}
        with self._file.open("a") as file:
            file.write(json.dumps(form.line(answer) | line) + "\n")


async def _opened(
    chance: random.Random, clerk: Clerk, customer: Customer, path: str, typed: Mapping[str, str] | None
) -> Form | None:
    offered = forms_of(await clerk.page(_address(customer))).get(f"/console/{path}")
    if offered is None:
        return None
    if typed is None:
        typed = {"to_invoice": chance.choice(offered.choices["to_invoice"]), "amount": ""}
    return Form(clerk, f"/console/{path}", offered.hidden | dict(typed))


def _address(customer: Customer) -> str:
    return f"/console/customers/{quote(customer.customer_id)}"

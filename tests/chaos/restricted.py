"""People of customers whose access is limited, who act on the page that the product leads them to.

They ask for a few days' grace, promise a day, or pay, at times with a double click; a scanner presses every button.
The address of the page is what the product reads with the access (`page_url`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.pages import Visitor, Visits, outcome_of
from tests.chaos.site import Site

_LOOKS = 1.5
_ACTS, _PAYS, _SCANS = 0.5, 0.15, 0.2
"""Of the looks at limited access: at how many somebody acts or pays, and which are a scanner's."""
_TRIES = 2
"""How often somebody whose form was refused looks at the page again: a day there is half a second here."""

Limited = Callable[[], Awaitable[Collection[str]]]
Pay = Callable[[str], Awaitable[object]]


class Restricted:
    """`seed` decides who does what. `limited` says which customers have a hold; `pay` pays all of the invoice."""

    def __init__(self, seed: int, site: Site, state: Path, limited: Limited, pay: Pay) -> None:
        self._chance, self._site, self._limited, self._pay = random.Random(f"{seed} limits"), site, limited, pay
        self._visitor, self._visits = Visitor(site), Visits(state)
        self._open, self._work = True, asyncio.TaskGroup()

    async def run(self) -> None:
        """Until `close` was called, and everything that was begun is done."""
        async with self._work:
            while self._open:
                await asyncio.sleep(_LOOKS)
                for customer_id in await self._limited():
                    answer = await self._site.ask("GET", f"/api/accounts/{customer_id}/access")
                    account = answer.json() if answer.status_code == 200 else {}
                    if "page_url" in account:
                        self._meet(account)
        await self._visitor.close()

    def close(self) -> None:
        self._open = False

    def _meet(self, account: dict[str, Any]) -> None:
        path, chance = urlsplit(account["page_url"]).path, random.Random(self._chance.random())
        draw = chance.random()
        if draw < _ACTS:
            self._work.create_task(self._act(chance, path, account["customer_id"]))
        elif draw < _ACTS + _PAYS:
            self._work.create_task(self._settle(path, [hold["invoice_id"] for hold in account["holds"]]))
        elif draw < _ACTS + _PAYS + _SCANS:
            self._work.create_task(self._scan(path, account["customer_id"]))

    async def _act(self, chance: random.Random, path: str, customer: str) -> None:
        """Send one of the forms that the page offers, and once more by a newer page when it was refused."""
        for _ in range(_TRIES):
            offered = (await self._visitor.page(path)).buttons
            if not offered:
                return
            button = chance.choice(offered)
            typed, clicks = button.filled(chance), 2 if chance.random() < 0.4 else 1
            answers = await asyncio.gather(*(self._visitor.press(button.path, typed) for _ in range(clicks)))
            outcome = outcome_of(answers)
            self._visits.write(
                outcome, f"restricted {button.act}", _token(path), [typed["form_id"]], customer=customer
            )
            if outcome != "refused":
                return
            await asyncio.sleep(chance.uniform(0.1, 1.0))

    async def _settle(self, path: str, invoice_ids: Sequence[str]) -> None:
        """Pay all that limits the account, and look whether access is back, as the page does by itself."""
        await self._visitor.ask("GET", f"{path}/waiting?since=0")
        await asyncio.gather(*(self._pay(one) for one in dict.fromkeys(invoice_ids)))
        await self._visitor.ask("GET", f"{path}/waiting?since=0")

    async def _scan(self, path: str, customer: str) -> None:
        taken, ids = await self._visitor.scan(path)
        self._visits.write("scanned", ",".join(taken), _token(path), ids, customer=customer)


def _token(path: str) -> str:
    return path.rpartition("/")[2]

"""Debtors who act on the page that the link of a message opens or answer the message, and scanners of every link.

A person fills in one form of the page, at times with a double click, at times together with somebody else of their
firm, at times by the link of an old message. A scanner follows every link of the page and presses every button, with
what the page put into the fields and nothing else. Mails are answered by mail, SMS by SMS, WhatsApp by WhatsApp.
"""

import asyncio
import random
import re
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.emulators import Taken
from tests.chaos.pages import Button, Stops, Visitor, Visits, outcome_of
from tests.chaos.site import Site

_LINK = re.compile(r"/i/([0-9A-Za-z]{22})(?![0-9A-Za-z])")
_FORMS = ("promise", "split", "instalments", "wrong", "paid", "call")
_ACTS, _SCANS, _OLD = 0.4, 0.2, 0.08
"""Of the links that arrive: by how many a person acts, which a scanner opens; and how often an old one is used."""
_REPLIES = 0.12
"""Of the messages: how many are answered."""
_STOPS = 0.02
"""Of the messages: after how many their reader wants no more of them by this channel."""
_SAID = ("I paid yesterday.", "We will pay on Friday.", "This invoice is wrong.", "Please call me.", "Who are you?")
_LOOKS = 0.5


@dataclass(frozen=True)
class _Link:
    """message: the one that it came with, as its provider names it."""

    token: str
    message: str


class Debtors:
    """`seed` decides who acts on which link, who answers, and how."""

    def __init__(self, seed: int, site: Site, state: Path) -> None:
        self._chance, self._site = random.Random(f"{seed} debtors"), site
        self._visitor, self._visits, self._stops = Visitor(site), Visits(state), Stops(state)
        self._lock, self._new = threading.Lock(), list[tuple[Taken, list[_Link], str | None]]()
        self._known: dict[str, list[_Link]] = defaultdict(list)
        self._open, self._work = True, asyncio.TaskGroup()

    def read(self, taken: Taken, text: str, mail_id: str | None) -> None:
        """A message came; `mail_id`: the Message-ID of a mail. May be called from any thread."""
        links = [_Link(token, taken.id) for token in dict.fromkeys(_LINK.findall(text))]
        with self._lock:
            self._new.append((taken, links, mail_id))

    async def run(self) -> None:
        """Until `close` was called, and everything that was begun is done."""
        async with self._work:
            while self._open:
                await asyncio.sleep(_LOOKS)
                with self._lock:
                    new, self._new = self._new, []
                for taken, links, mail_id in new:
                    for link in links:
                        self._answer(taken.to, link)
                    draw, chance = self._chance.random(), random.Random(self._chance.random())
                    if draw < _REPLIES:
                        self._work.create_task(self._reply(chance, taken.to, mail_id))
                    elif draw < _REPLIES + _STOPS:
                        self._work.create_task(self._stop(chance, taken.to, mail_id))
        await self._visitor.close()

    def close(self) -> None:
        self._open = False

    def _answer(self, address: str, link: _Link) -> None:
        firm = address.rpartition("@")[2] or address
        chance = random.Random(self._chance.random())
        draw = chance.random()
        if draw < _ACTS:
            self._work.create_task(self._act(chance, link))
            if self._known[firm] and chance.random() < 0.3:  # somebody else of the firm, at the same moment
                self._work.create_task(self._act(chance, chance.choice(self._known[firm])))
        elif draw < _ACTS + _SCANS:
            self._work.create_task(self._scan(link))
        if self._known[firm] and chance.random() < _OLD:
            self._work.create_task(self._act(chance, self._known[firm][0]))
        self._known[firm].append(link)

    async def _act(self, chance: random.Random, link: _Link) -> None:
        await asyncio.sleep(chance.uniform(0.2, 6.0))
        page = await self._visitor.page(f"/i/{link.token}")
        offered = [one for one in page.buttons if one.act in _FORMS]
        if not offered:
            self._visits.write("nothing", "", link.token, [], message=link.message)
            return
        button = chance.choice(offered)
        typed = _typed(chance, button)
        clicks = 2 if chance.random() < 0.3 else 1
        answers = await asyncio.gather(*(self._visitor.press(button.path, typed) for _ in range(clicks)))
        self._visits.write(outcome_of(answers), button.act, link.token, [typed["form_id"]], message=link.message)

    async def _scan(self, link: _Link) -> None:
        taken, ids = await self._visitor.scan(f"/i/{link.token}")
        self._visits.write("scanned", ",".join(taken), link.token, ids, message=link.message)

    async def _reply(self, chance: random.Random, address: str, mail_id: str | None) -> None:
        """Answer the message by its own channel."""
        await asyncio.sleep(chance.uniform(0.1, 5.0))
        await self._write(chance, address, mail_id, chance.choice(_SAID))

    async def _stop(self, chance: random.Random, address: str, mail_id: str | None) -> None:
        await asyncio.sleep(chance.uniform(0.1, 5.0))
        await self._write(chance, address, mail_id, "STOP")
        self._stops.write(address)

    async def _write(self, chance: random.Random, address: str, mail_id: str | None, said: str) -> None:
        """A provider may bring it twice."""
        mark = f"{chance.getrandbits(48):x}"
        headers = f"Message-ID: <{mark}@debtors.example>\nIn-Reply-To: {mail_id}\nMIME-Version: 1.0\n"
        for _ in range(2 if chance.random() < 0.3 else 1):
            if "@" in address:
                await self._site.mail(address, said, headers)
            else:
                await self._site.text(address, said, f"SM{mark:>032}")


def _typed(chance: random.Random, button: Button) -> dict[str, str]:
    """What somebody fills in and chooses, with the words and the sum that the form asks for."""
    typed = button.filled(chance)
    if button.act == "wrong":
        typed["text"] = "two of the pumps do not run"
    if button.act == "instalments":
        typed["wish"] = "We would like to pay in ten instalments."
    if button.act == "call":
        typed |= {"where": "other", "number": "+15551239999"}
    if button.act == "paid":
        typed["from"] = "from our account at the savings bank"
    if button.act in {"promise", "wrong"} and chance.random() < 0.3:
        typed["amount"] = "300.00"
    return typed

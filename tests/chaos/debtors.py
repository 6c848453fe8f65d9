"""Debtors who act on the page that the link of a message opens, and scanners that open every link.

A person fills in one form of the page, at times with a double click, at times together with somebody else of their
firm, at times by the link of an old message. A scanner follows every link of the page and presses every button, with
what the page put into the fields and nothing else. What became of each is written into a file for the checker.
"""

import asyncio
import json
import random
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.records import VISITS
from tests.chaos.site import Site

_LINK = re.compile(r"/i/([0-9A-Za-z]{22})(?![0-9A-Za-z])")
_FORMS = ("promise", "split", "wrong", "paid", "call")
_ACTS, _SCANS, _OLD = 0.4, 0.2, 0.08
"""Of the links that arrive: by how many a person acts, which a scanner opens; and how often an old one is used."""
_REPLIES = 0.12
"""Of the mails: how many are answered."""
_SAID = ("I paid yesterday.", "We will pay on Friday.", "This invoice is wrong.", "Please call me.", "Who are you?")
_LOOKS = 0.5
_AGAIN_AFTER = 0.5
_TRIES = 40
_PASSED = date(2027, 2, 20)
_DONE, _REFUSED = 303, 422


@dataclass
class _Button:
    """A form of a page: where it goes, what the page put into it, and what a person may give."""

    act: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)
    first_days: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class _Page(HTMLParser):
    """The forms of a page, and the addresses that it leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.buttons: list[_Button] = []
        self.links: list[str] = []
        self._inside: _Button | None = None
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        name, value = known.get("name", ""), known.get("value", "")
        if tag == "a":
            self.links.append(known.get("href", ""))
        elif tag == "form" and known.get("method") == "post":
            self._inside = _Button(known["action"].rpartition("/")[2], known["action"])
            self.buttons.append(self._inside)
        elif self._inside is None:
            return
        elif tag == "input" and known.get("type") == "hidden":
            self._inside.fields[name] = value
        elif tag == "input" and known.get("type") == "date":
            self._inside.first_days[name] = known.get("min", "")
        elif tag == "input" and known.get("type") in {"radio", "checkbox"}:
            self._inside.choices[name].append(value)
        elif tag == "select":
            self._select = name
        elif tag == "option" and value:
            self._inside.choices[self._select].append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None


class Debtors:
    """`seed` decides who acts on which link, and how."""

    def __init__(self, seed: int, site: Site, state: Path) -> None:
        self._chance, self._site, self._file = random.Random(f"{seed} debtors"), site, state / VISITS
        self._lock, self._new = threading.Lock(), list[tuple[str, str]]()
        self._known: dict[str, list[str]] = defaultdict(list)
        self._mails = list[tuple[str, str]]()
        self._open, self._work = True, asyncio.TaskGroup()
        self._http = httpx.AsyncClient(base_url=site.url, timeout=40, trust_env=False)

    def read(self, address: str, text: str, mail_id: str | None) -> None:
        """A message came; `mail_id`: the Message-ID of a mail. May be called from any thread."""
        found = dict.fromkeys(_LINK.findall(text))
        with self._lock:
            self._new += [(address, token) for token in found]
            self._mails += [(address, mail_id)] if mail_id else []

    async def run(self) -> None:
        """Until `close` was called, and everything that was begun is done."""
        async with self._work:
            while self._open:
                await asyncio.sleep(_LOOKS)
                with self._lock:
                    new, self._new = self._new, []
                    mails, self._mails = self._mails, []
                for address, token in new:
                    self._answer(address, token)
                for address, mail_id in mails:
                    if self._chance.random() < _REPLIES:
                        self._work.create_task(self._reply(random.Random(self._chance.random()), address, mail_id))
        await self._http.aclose()

    def close(self) -> None:
        self._open = False

    def _answer(self, address: str, token: str) -> None:
        firm = address.rpartition("@")[2] or address
        chance = random.Random(self._chance.random())
        draw = chance.random()
        if draw < _ACTS:
            self._work.create_task(self._act(chance, token))
            if self._known[firm] and chance.random() < 0.3:  # somebody else of the firm, at the same moment
                self._work.create_task(self._act(chance, chance.choice(self._known[firm])))
        elif draw < _ACTS + _SCANS:
            self._work.create_task(self._scan(token))
        if self._known[firm] and chance.random() < _OLD:
            self._work.create_task(self._act(chance, self._known[firm][0]))
        self._known[firm].append(token)

    # Persons ---------------------------------------------------------------------------------------------

    async def _act(self, chance: random.Random, token: str) -> None:
        await asyncio.sleep(chance.uniform(0.2, 6.0))
        page = await self._page(token)
        offered = [one for one in page.buttons if one.act in _FORMS]
        if not offered:
            self._write("nothing", "", token, [])
            return
        button = chance.choice(offered)
        typed = _typed(chance, button)
        clicks = 2 if chance.random() < 0.3 else 1
        answers = await asyncio.gather(*(self._press(button.path, typed) for _ in range(clicks)))
        outcome = "done" if _DONE in answers else "refused" if _REFUSED in answers else f"{answers[-1]}"
        self._write(outcome, button.act, token, [typed["form_id"]])

    async def _press(self, path: str, typed: dict[str, str]) -> int:
        """The status of the answer; the same form is sent until somebody answers."""
        for _ in range(_TRIES):
            answer = await self._asked("POST", path, typed)
            if answer is not None and answer.status_code != 503:
                return answer.status_code
            await asyncio.sleep(_AGAIN_AFTER)
        return 503

    async def _reply(self, chance: random.Random, address: str, mail_id: str) -> None:
        """Answer the mail, which a provider may bring twice. Somebody in our company looks at it a while later."""
        await asyncio.sleep(chance.uniform(0.1, 5.0))
        mark = f"{chance.getrandbits(48):x}"
        said = chance.choice(_SAID)
        headers = f"Message-ID: <{mark}@debtors.example>\nIn-Reply-To: {mail_id}\nMIME-Version: 1.0\n"
        for _ in range(2 if chance.random() < 0.3 else 1):
            await self._site.mail(address, said, headers)
        await asyncio.sleep(chance.uniform(2.0, 12.0))
        if chance.random() < 0.8:
            await self._handle()

    async def _handle(self) -> None:
        """Say of the oldest reply that it is handled, as a clerk does."""
        waiting = (await self._site.ask("GET", "/api/replies")).json()
        found = waiting if isinstance(waiting, list) else waiting["replies"]
        if found:
            await self._site.ask("POST", f"/api/replies/{found[0]['reply_id']}/handled")

    # Scanners --------------------------------------------------------------------------------------------

    async def _scan(self, token: str) -> None:
        page = await self._page(token)
        for address in page.links:
            if address.startswith("/"):
                await self._asked("GET", address)
                await self._asked("HEAD", address)
        pressed = [(one.act, await self._press(one.path, one.fields)) for one in page.buttons]
        taken = [act for act, status in pressed if status == _DONE and act != "language"]  # that is a cookie's
        ids = [one.fields["form_id"] for one in page.buttons if "form_id" in one.fields]
        self._write("scanned", ",".join(taken), token, ids)

    # Both ------------------------------------------------------------------------------------------------

    async def _page(self, token: str) -> _Page:
        for _ in range(_TRIES):
            answer = await self._asked("GET", f"/i/{token}")
            if answer is not None and answer.status_code != 503:
                if answer.status_code >= 500:
                    raise RuntimeError(f"a customer's page answered {answer.status_code} {answer.text}")
                return _Page(answer.text if answer.status_code == 200 else "")
            await asyncio.sleep(_AGAIN_AFTER)
        return _Page("")

    async def _asked(self, method: str, path: str, fields: dict[str, str] | None = None) -> httpx.Response | None:
        try:
            answer = await self._http.request(method, path, data=fields)
        except httpx.TransportError:
            self._site.expect_life()
            return None
        if answer.status_code == 500:
            raise RuntimeError(f"{path.partition('/i/')[0]} answered 500 {answer.text}")
        return answer

    def _write(self, outcome: str, act: str, token: str, ids: list[str]) -> None:
        line: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "outcome": outcome, "act": act}
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(line | {"link": token[:6], "form_ids": ids}) + "\n")


def _typed(chance: random.Random, button: _Button) -> dict[str, str]:
    """What somebody fills in: always a day that the page offers, and a choice."""
    typed = dict(button.fields)
    for name, first in button.first_days.items():
        day = date.fromisoformat(first) + timedelta(days=chance.randint(0, 3)) if first else _PASSED
        typed[name] = day.isoformat()
    typed |= {name: chance.choice(values) for name, values in button.choices.items()}
    if button.act == "wrong":
        typed["text"] = "two of the pumps do not run"
    if button.act == "call":
        typed |= {"where": "other", "number": "+15551239999"}
    if button.act == "paid":
        typed["from"] = "from our account at the savings bank"
    if button.act in {"promise", "wrong"} and chance.random() < 0.3:
        typed["amount"] = "300.00"
    return typed

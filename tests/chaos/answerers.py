"""Clerks who read what customers wrote, by the console's page of the reply: they answer, record what it says, or say
that nothing needs an answer.

With double clicks, by phrases and in words of their own, and at times two of them at one reply. Some replies nobody
comes to. What became of each form is written into a file for the checker.
"""

import asyncio
import json
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.chaos.clerks import Clerk
from tests.chaos.pages import Button, Page
from tests.chaos.records import ANSWERS
from tests.chaos.site import Site
from tests.chaos.town import BEGINS

_LOOKS = 1.0
_COMES = (0.5, 9.0)
"""Seconds after which somebody comes to a reply: days of its case."""
_AGAIN_AFTER = 0.4
_WAYS = {"answer": 40, "handled": 20, "tell": 20, "by key": 8, "leave": 12}
_TOLD = ("payment_announced", "promise_to_pay", "call_requested", "pause")
_BOTH = 0.3
"""At so many of the replies two clerks are at work."""


@dataclass
class _Sent:
    """A form of the page of a reply, and what it came to.

    outcome  how it was done, or "refused", "overtaken" or "gone"
    mark     in the clerk's own words; empty: none were typed
    """

    reply_id: str
    clerk: str
    form: str
    form_id: str
    outcome: str
    mark: str = ""
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class Answerers:
    """`seed` decides what is done with which reply."""

    def __init__(self, seed: int, site: Site, state: Path, clerks: Sequence[Clerk]) -> None:
        self._seed, self._site, self._clerks, self._file = seed, site, clerks, state / ANSWERS
        self._lock, self._seen = threading.Lock(), set[str]()
        self._open, self._work = True, asyncio.TaskGroup()

    async def run(self) -> None:
        """Until `close` was called, and everything that was begun is done."""
        async with self._work:
            while self._open:
                await asyncio.sleep(_LOOKS)
                for one in (await self._site.ask("GET", "/api/replies")).json():
                    if one["reply_id"] not in self._seen:
                        self._seen.add(one["reply_id"])
                        self._work.create_task(self._come_to(one["reply_id"]))

    def close(self) -> None:
        self._open = False

    async def _come_to(self, reply_id: str) -> None:
        chance = random.Random(f"{self._seed} {reply_id}")
        await asyncio.sleep(chance.uniform(*_COMES))
        way = chance.choices(list(_WAYS), list(_WAYS.values()))[0]
        first, second = chance.sample(self._clerks, k=2)
        if way == "leave":
            return
        if way == "by key":
            await self._site.ask("POST", f"/api/replies/{reply_id}/handled")
            return
        work = [self._treat(chance, first, reply_id, way)]
        if chance.random() < _BOTH:
            work.append(self._treat(chance, second, reply_id, chance.choice(("answer", "handled"))))
        await asyncio.gather(*work)

    async def _treat(self, chance: random.Random, clerk: Clerk, reply_id: str, way: str) -> None:
        """Open the page and send one of its forms; what is only recorded is handled by another form then."""
        path = f"/console/replies/{reply_id}"
        page = Page(await clerk.page(path))
        await asyncio.sleep(chance.choice((0.0, 0.0, 0.5, 2.0)))
        if way == "tell":
            told = [one for one in page.buttons if "/tell/" in one.path and one.act in _TOLD]
            if not told:
                return
            button = chance.choice(told)
            typed = _told(chance, button)
            sent = await self._send(chance, clerk, reply_id, button.path, typed)
            if typed.get("handled") or sent.outcome == "gone":
                return
            page, way = Page(await clerk.page(path)), chance.choice(("answer", "handled"))
        answer, handled = page.button(f"{path}/answer"), page.button(f"{path}/handled")
        if way == "answer" and answer is not None:
            mark = f"{chance.getrandbits(48):x}" if chance.random() < 0.7 else ""
            sent = await self._send(chance, clerk, reply_id, answer.path, _answered(chance, answer, mark), mark)
            if sent.outcome != "refused":
                return  # else it cannot leave there: somebody is called, say
        if handled is not None:
            await self._send(chance, clerk, reply_id, handled.path, dict(handled.fields))

    async def _send(
        self, chance: random.Random, clerk: Clerk, reply_id: str, path: str, typed: dict[str, str], mark: str = ""
    ) -> _Sent:
        """Press the button, twice at times, until the form is taken or refused, and note what it came to."""
        clicks = 2 if chance.random() < 0.3 else 1
        answer = await _pressed(clerk, path, typed, clicks)
        if answer.status_code == 409:  # others have done something meanwhile, which the clerk has read now
            renewed = Page(answer.text).button(path)
            if renewed is not None:
                typed |= {name: renewed.fields[name] for name in ("form_id", "seen")}
                answer = await _pressed(clerk, path, typed, clicks)
        sent = _Sent(
            reply_id, clerk.user_id, path.partition(reply_id)[2].strip("/"), typed["form_id"], _outcome(answer), mark
        )
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(vars(sent)) + "\n")
        return sent


async def _pressed(clerk: Clerk, path: str, typed: dict[str, str], clicks: int) -> httpx.Response:
    """Of several clicks the answer to the one that was carried out, or else to the last."""
    answers = await asyncio.gather(*(_until_answered(clerk, path, typed) for _ in range(clicks)))
    return next((one for one in answers if one.status_code == 303), answers[-1])


async def _until_answered(clerk: Clerk, path: str, typed: dict[str, str]) -> httpx.Response:
    while True:
        answer = await clerk.post(path, typed)
        if answer is not None:
            return answer
        await asyncio.sleep(_AGAIN_AFTER)


def _outcome(answer: httpx.Response) -> str:
    if answer.status_code == 303:
        return parse_qs(urlsplit(answer.headers["Location"]).query)["done"][0]
    return {422: "refused", 409: "overtaken", 404: "gone"}[answer.status_code]


def _answered(chance: random.Random, form: Button, mark: str) -> dict[str, str]:
    """Phrases, own words, or both; without own words at least one phrase."""
    phrases = sorted(name for name in form.choices if name.startswith("phrase."))
    typed: dict[str, Any] = {name: value for name, value in form.fields.items() if name not in phrases}
    chosen = chance.sample(phrases, k=min(len(phrases), chance.randint(0 if mark else 1, 2)))
    typed |= dict.fromkeys(chosen, "yes")
    typed.pop("preview", None)
    return typed | ({"text": f"Thank you, we have noted it under {mark}."} if mark else {})


def _told(chance: random.Random, form: Button) -> dict[str, str]:
    """The form as the page filled it in by what the reply says; a day that it lacks is one of the next."""
    typed = dict(form.fields)
    for name in form.first_days:
        if name not in typed or form.act == "promise_to_pay":
            typed[name] = (BEGINS.date() + timedelta(days=chance.randint(20, 60))).isoformat()
    if form.act == "payment_announced":
        typed["paid_on"] = date(2027, 2, 20).isoformat()
    return typed | ({"handled": "yes"} if chance.random() < 0.7 else {})

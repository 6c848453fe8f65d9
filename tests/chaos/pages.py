"""Pages of the web service as whoever opens them has them: the forms with what they hold, and what became of them.

A form is sent until somebody answers. What each came to is written into a file for the checker.
"""

import asyncio
import json
import random
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.records import STOPS, VISITS
from tests.chaos.site import Site

DONE, REFUSED = 303, 422
_AGAIN_AFTER = 0.5
_TRIES = 40
_PASSED = date(2027, 2, 20)
_OWN = frozenset({"language"})
"""What a scanner may press: it changes a cookie and nothing else."""


@dataclass
class Button:
    """A form of a page: where it goes, what the page put into it, and what a person may give."""

    act: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)
    first_days: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def filled(self, chance: random.Random) -> dict[str, str]:
        """What somebody fills in: always a day that the page offers, and a choice."""
        typed = dict(self.fields)
        for name, first in self.first_days.items():
            day = date.fromisoformat(first) + timedelta(days=chance.randint(0, 3)) if first else _PASSED
            typed[name] = day.isoformat()
        return typed | {name: chance.choice(values) for name, values in self.choices.items()}


class Page(HTMLParser):
    """The forms of a page, and the addresses that it leads to. Of a choice a browser sends the first, or the one
    that the page has chosen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.buttons: list[Button] = []
        self.links: list[str] = []
        self._inside: Button | None = None
        self._select = ""
        self.feed(text)

    def button(self, path: str) -> Button | None:
        """The form that is sent there."""
        return next((one for one in self.buttons if one.path == path), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(known.get("href", ""))
        elif tag == "form" and known.get("method") == "post":
            path = known.get("action", "")
            self._inside = Button(path.rpartition("/")[2], path)
            self.buttons.append(self._inside)
        elif self._inside is not None and tag == "input":
            _take_input(self._inside, known)
        elif self._inside is not None and tag == "select":
            self._select = known.get("name", "")
        elif self._inside is not None and tag == "option":
            value = known.get("value", "")
            self._inside.choices[self._select] += [value] if value else []
            if self._select not in self._inside.fields or "selected" in known:
                self._inside.fields[self._select] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None


def _take_input(inside: Button, known: Mapping[str, str]) -> None:
    name, value, kind = known.get("name", ""), known.get("value", ""), known.get("type", "text")
    if kind in {"radio", "checkbox"}:
        inside.choices[name].append(value)
        if "checked" in known:
            inside.fields[name] = value
    elif kind == "date":
        inside.first_days[name] = known.get("min", "")
        inside.fields |= {name: value} if value else {}
    elif name and kind != "file":
        inside.fields[name] = value


class Visitor:
    """Whoever opens a page without a login. Nobody's answer of 500 is overlooked."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._http = httpx.AsyncClient(base_url=site.url, timeout=40, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def page(self, path: str) -> Page:
        """What is shown there; nothing where there is nothing, or nobody answers."""
        for _ in range(_TRIES):
            answer = await self.ask("GET", path)
            if answer is not None and answer.status_code != 503:
                return Page(answer.text if answer.status_code == 200 else "")
            await asyncio.sleep(_AGAIN_AFTER)
        return Page("")

    async def press(self, path: str, typed: Mapping[str, str]) -> int:
        """The status of the answer; the same form is sent until somebody answers."""
        for _ in range(_TRIES):
            answer = await self.ask("POST", path, typed)
            if answer is not None and answer.status_code != 503:
                return answer.status_code
            await asyncio.sleep(_AGAIN_AFTER)
        return 503

    async def scan(self, path: str) -> tuple[list[str], list[str]]:
        """Follow each link of a page, and press each button with what the page put into its fields.

        Returns which forms were taken, and the ids of all.
        """
        page = await self.page(path)
        for address in page.links:
            if address.startswith("/"):
                await self.ask("GET", address)
                await self.ask("HEAD", address)
        pressed = [(one.act, await self.press(one.path, one.fields)) for one in page.buttons]
        taken = [act for act, status in pressed if status == DONE and act not in _OWN]
        return taken, [one.fields["form_id"] for one in page.buttons if "form_id" in one.fields]

    async def ask(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> httpx.Response | None:
        """None: nobody answered, which is fine while the service was killed."""
        try:
            answer = await self._http.request(method, path, data=fields)
        except httpx.TransportError:
            self._site.expect_life()
            return None
        if answer.status_code == 500:
            raise RuntimeError(f"{path[:3]} answered 500 {answer.text}")
        return answer


class _Lines:
    """A file with a line of JSON for each thing that happened, and when."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()

    def append(self, **facts: Any) -> None:
        line = {"at": datetime.now(UTC).isoformat()} | facts
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")


class Visits:
    """What became of the forms of customers' pages."""

    def __init__(self, state: Path) -> None:
        self._lines = _Lines(state / VISITS)

    def write(
        self, outcome: str, act: str, link: str, form_ids: Sequence[str], *, message: str = "", customer: str = ""
    ) -> None:
        """message: which one the link came with, as its provider names it. customer: whose restriction it shows."""
        about = {"link": link[:6], "message": message, "customer": customer}
        self._lines.append(outcome=outcome, act=act, form_ids=list(form_ids), **about)


class Stops:
    """The addresses from which our service took the word STOP, and when it had."""

    def __init__(self, state: Path) -> None:
        self._lines = _Lines(state / STOPS)

    def write(self, address: str) -> None:
        self._lines.append(address=address)


def outcome_of(statuses: Sequence[int]) -> str:
    """What a form came to that was pressed as often: done if one of them was."""
    return "done" if DONE in statuses else "refused" if REFUSED in statuses else f"{statuses[-1]}"

"""Clerks who tell cases what happened through the console's forms: in a hurry, and two at one case at times.

Each sends what the page's form holds, as a browser does, until it is answered. What became of each form is written
into a file for the checker.
"""

import asyncio
import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from dunwell.domain.principals import SYSTEM, Role
from dunwell.services.users import Users
from dunwell.store.database import Database
from tests.chaos.records import FORMS
from tests.chaos.site import Site
from tests.chaos.town import Deed

_ROLES = (Role.AGENT, Role.AGENT, Role.MANAGER)
_PASSWORD = "storms and forms of 2027"
_FROM_OUR_PAGE = {"Sec-Fetch-Site": "same-origin"}
_LONGEST_ANSWER = 40.0  # seconds; a form waits for a case, and for its own first sending
_AGAIN_AFTER = 0.4
_MOST_SIGN_OUTS = 30
"""From one address the console takes fifty sign-ins in a quarter of an hour."""
_WHEN_RECORDED = (3.5, 6.0)
"""Seconds after which a second clerk sends what the first one's form was confirmed to have done."""


@dataclass(frozen=True)
class Way:
    """How a clerk treats one form.

    waits     seconds from the page until the button is pressed
    clicks    how often it is pressed at once
    back      afterwards the clerk goes back and presses it again
    ends      the session ends while the form is filled in
    insists   sends it again when somebody else did something meanwhile
    followed  another clerk has the same page open, and sends the same a while after the first one was answered
    """

    waits: float
    clicks: int
    back: bool
    ends: bool
    insists: bool
    followed: bool

    @classmethod
    def drawn(cls, chance: random.Random) -> "Way":
        return cls(
            waits=chance.choice((0.0, 0.0, 0.5, 3.0, 8.0)),
            clicks=2 if chance.random() < 0.4 else 1,
            back=chance.random() < 0.25,
            ends=chance.random() < 0.12,
            insists=chance.random() < 0.6,
            followed=chance.random() < 0.3,
        )


ONCE = Way(waits=0, clicks=1, back=False, ends=False, insists=False, followed=False)


@dataclass(frozen=True)
class Answer:
    """What a form was answered. `outcome`: how it was done, or "refused", "overtaken" or "gone"."""

    status: int
    text: str
    outcome: str


class Clerks:
    """The clerks of a storm. `seed` decides what they do with which form."""

    def __init__(self, site: Site, state: Path, seed: int) -> None:
        self._site, self._file, self._seed = site, state / FORMS, seed
        self._lock = threading.Lock()
        self._sign_outs = 0
        self._told = Counter[str]()
        self._all: list[Clerk] = []

    def hire(self, database: Database) -> None:
        """Store the users, each with a password. Blocking."""
        users, now = Users(database), datetime.now(UTC)
        for number, role in enumerate(_ROLES):
            email = f"clerk{number}@dunwell.example"
            user_id, link = users.add(email, role, SYSTEM, now)
            users.use_link(link, _PASSWORD, now)
            self._all.append(Clerk(user_id, email, self._site))

    @property
    def all(self) -> Sequence["Clerk"]:
        return self._all

    @property
    def manager(self) -> "Clerk":
        return self._all[_ROLES.index(Role.MANAGER)]

    def may_sign_out(self) -> bool:
        """Whether one more may lose the session, and count it."""
        self._sign_outs += 1
        return self._sign_outs <= _MOST_SIGN_OUTS

    async def close(self) -> None:
        for clerk in self._all:
            await clerk.http.aclose()

    async def tell(self, deed: Deed) -> bool:
        """Tell the case by a form. False when it was refused, or there is no such form just now."""
        what = f"{self._seed} {deed.invoice_id} {deed.signal} {deed.after}"
        self._told[what] += 1  # some things are told twice
        chance = random.Random(f"{what} {self._told[what]}")
        way, (clerk, other) = Way.drawn(chance), chance.sample(self._all, k=2)
        form = await _opened(clerk, deed, f"{chance.getrandbits(48):x}")
        second = await _opened(other, deed, f"{chance.getrandbits(48):x}") if way.followed else None
        if form is None:
            return False
        await asyncio.sleep(way.waits)
        if way.ends and self.may_sign_out():
            await clerk.sign_out()
        answer = await form.send(way)
        self._write(deed, form, answer)
        if second is not None:
            await asyncio.sleep(chance.uniform(*_WHEN_RECORDED))
            self._write(deed, second, await second.send(ONCE))
        return answer.status == 303

    def _write(self, deed: Deed, form: "Form", answer: Answer) -> None:
        line = {
            "invoice_id": deed.invoice_id,
            "event": deed.signal,
            "content": deed.content,
            "note": form.fields["note"],
            "seen": int(form.fields["seen"]),
        }
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(form.line(answer) | line) + "\n")


async def _opened(clerk: "Clerk", deed: Deed, mark: str) -> "Form | None":
    """The form filled in; None when the page does not offer it. `mark` makes its note one of its own."""
    case = f"/console/cases/{deed.invoice_id}"
    path = f"{case}/{deed.signal}"
    hidden = hidden_fields(await clerk.page(case), path)
    if hidden is None:
        return None
    typed = dict(_typed("", {name: value for name, value in deed.content.items() if name not in {"by", "currency"}}))
    return Form(clerk, path, hidden | typed | {"note": f"{deed.signal} of {deed.invoice_id}, {mark}"})


@dataclass
class Form:
    """One form of one page, filled in.

    sent_at  when it was sent by a clerk who had seen what the page showed
    retries  how often it was sent again for want of an answer
    """

    clerk: "Clerk"
    path: str
    fields: dict[str, str]
    retries: int = 0
    sent_at: datetime | None = None

    def line(self, answer: Answer) -> dict[str, Any]:
        """What the checker reads of every form."""
        return {
            "at": datetime.now(UTC).isoformat(),
            "form_id": self.fields["form_id"],
            "clerk": self.clerk.user_id,
            "sent_at": self.sent_at.isoformat() if self.sent_at else None,
            "retries": self.retries,
            "outcome": answer.outcome,
        }

    async def send(self, way: Way) -> Answer:
        """Press the button so, until the form is taken, refused, or left alone for what others did."""
        self.sent_at = datetime.now(UTC)
        answer = await self._pressed(way.clicks)
        while answer.outcome == "overtaken" and way.insists:
            renewed = hidden_fields(answer.text, self.path)
            if renewed is None:  # what others did leaves nothing to be told
                return answer
            self.fields |= renewed
            self.sent_at = datetime.now(UTC)
            answer = await self._pressed(way.clicks)
        if way.back:
            again = await self._pressed(1)
            if answer.status == 303 != again.status:
                return Answer(again.status, again.text, f"{answer.outcome}, then {again.outcome}")
            answer = answer if answer.status == 303 else again
        return answer

    async def _pressed(self, clicks: int) -> Answer:
        """Of several clicks the browser shows the answer to the last; one that was carried out is one for all."""
        answers = await asyncio.gather(*(self._sent() for _ in range(clicks)))
        return next((one for one in answers if one.status == 303), answers[-1])

    async def _sent(self) -> Answer:
        while True:
            answer = await self.clerk.post(self.path, self.fields)
            if answer is not None:
                return Answer(answer.status_code, answer.text, _outcome(answer))
            self.retries += 1
            await asyncio.sleep(_AGAIN_AFTER)


def _outcome(answer: httpx.Response) -> str:
    if answer.status_code == 303:
        return parse_qs(urlsplit(answer.headers["Location"]).query)["done"][0]
    return {422: "refused", 409: "overtaken", 404: "gone"}[answer.status_code]


def _typed(prefix: str, content: Any) -> Iterator[tuple[str, str]]:
    """The fields of a form that say this: what is in another has its name with a dot."""
    if isinstance(content, Mapping | list):
        inner = content.items() if isinstance(content, Mapping) else enumerate(content)
        for name, value in inner:
            yield from _typed(f"{prefix}.{name}" if prefix else str(name), value)
    else:
        yield prefix, str(content)


@dataclass
class Clerk:
    """A user with a browser, which keeps the session's cookie."""

    user_id: str
    email: str
    site: Site
    http: httpx.AsyncClient = field(init=False)
    signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)
    signed_in: int = 0
    """How often; from one address the console takes fifty sign-ins in a quarter of an hour."""

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(
            base_url=self.site.url, timeout=_LONGEST_ANSWER, trust_env=False, headers=_FROM_OUR_PAGE
        )

    async def page(self, path: str) -> str:
        """What is shown there; empty where there is nothing."""
        while True:
            answer = await self._asked("GET", path)
            if answer is not None and answer.status_code == 303:
                await self._sign_in("")
            elif answer is not None and answer.status_code in {200, 404}:
                return answer.text if answer.status_code == 200 else ""
            else:
                await asyncio.sleep(_AGAIN_AFTER)

    async def post(self, path: str, fields: Mapping[str, str]) -> httpx.Response | None:
        """The answer to a form; None when there was none yet. Signs in where the session has ended, and goes on."""
        answer = await self._asked("POST", path, fields)
        while answer is not None and answer.status_code == 401:
            sign_in = hidden_fields(answer.text, "/console/sign-in") or {}
            kept = await self._sign_in(sign_in["again"])
            answer = await self._asked("POST", path, hidden_fields(kept, path)) if kept else None
        if answer is None or answer.status_code == 503:
            return None
        if answer.status_code not in {303, 404, 409, 422}:
            raise RuntimeError(f"{path} answered {answer.status_code} {answer.text}")
        return answer

    async def upload(self, path: str, name: str, content: bytes, fields: Mapping[str, str]) -> str:
        """The page that a form with a file is answered with."""
        while True:
            try:
                answer = await self.http.post(path, data=fields, files={"file": (name, content)})
            except httpx.TransportError:
                self.site.expect_life()
            else:
                if answer.status_code in {200, 422}:
                    return answer.text
                if answer.status_code in {303, 401}:
                    await self._sign_in("")
                elif answer.status_code != 503:
                    raise RuntimeError(f"{path} answered {answer.status_code} {answer.text}")
            await asyncio.sleep(_AGAIN_AFTER)

    async def press(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        """The answer to a button, however often it takes."""
        while True:
            answer = await self._asked("POST", path, fields)
            if answer is not None and answer.status_code == 401:
                await self._sign_in("")
            elif answer is not None and answer.status_code in {200, 303, 404, 422}:
                return answer
            elif answer is not None and answer.status_code != 503:
                raise RuntimeError(f"{path} answered {answer.status_code} {answer.text}")
            await asyncio.sleep(_AGAIN_AFTER)

    async def sign_out(self) -> None:
        """In another tab, say."""
        await self._asked("POST", "/console/sign-out", {})

    async def _sign_in(self, again: str) -> str:
        """What is shown then; empty when nobody answered, or another tab of the clerk's has signed in meanwhile."""
        typed, before = {"email": self.email, "password": _PASSWORD, "again": again}, self.signed_in
        async with self.signing_in:
            if self.signed_in != before:
                return ""
            answer = await self._asked("POST", "/console/sign-in", typed)
            self.signed_in += answer is not None and answer.status_code in {200, 303}
        if answer is None or answer.status_code == 503:
            await asyncio.sleep(_AGAIN_AFTER)
            return ""
        if answer.status_code not in {200, 303}:
            raise RuntimeError(f"a clerk could not sign in: {answer.status_code} {answer.text}")
        return answer.text

    async def _asked(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> httpx.Response | None:
        try:
            return await self.http.request(method, path, data=fields)
        except httpx.TransportError:
            self.site.expect_life()
            return None


@dataclass
class Offered:
    """A form that a page offers: its hidden fields, and what may be chosen in the others."""

    hidden: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class _Forms(HTMLParser):
    """The forms of a page that is posted, by their action, once the page was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Offered] = {}
        self._inside: Offered | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = Offered() if known.get("method") == "post" else None
            if self._inside is not None:
                self.found[known.get("action", "")] = self._inside
        elif self._inside is None:
            return
        elif tag == "input" and known.get("type") == "hidden":
            self._inside.hidden[known["name"]] = known["value"]
        elif tag == "select":
            self._select = known["name"]
        elif tag == "option" and known.get("value"):
            self._inside.choices[self._select].append(known["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None


def forms_of(page: str) -> Mapping[str, Offered]:
    """The forms of the page, by where each is sent."""
    read = _Forms()
    read.feed(page)
    return read.found


def hidden_fields(page: str, action: str) -> dict[str, str] | None:
    """The hidden fields of the page's form with this action; None where there is no such form."""
    offered = forms_of(page).get(action)
    return offered.hidden if offered is not None else None

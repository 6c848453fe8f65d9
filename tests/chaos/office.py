"""Those in our company who import the bank's statements and decide about money that nobody could match."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.bank import FORMATS, LAYOUT, Bank, Statement
from tests.chaos.clerks import Clerk, hidden_fields
from tests.chaos.site import Site

_CLOSES = (4.0, 7.0)
"""Seconds of a bank's day."""
_LOOKS = 1.5
_TRIES = 8
_BEFORE_ANOTHER_TRY = 3.0

Command = Callable[..., None]


_NOTHING_NEW = "Nothing in this file is new"


class Office:
    """Imports each statement, some twice, some at the same moment as one of another format, and decides."""

    def __init__(self, seed: int, bank: Bank, site: Site, clerk: Clerk, command: Command, folder: Path) -> None:
        self._chance = random.Random(f"{seed} office")
        self._bank, self._site, self._clerk, self._command, self._folder = bank, site, clerk, command, folder
        self._files: list[tuple[float, Statement]] = []
        self._seen: set[str] = set()
        self._open, self._work = True, asyncio.TaskGroup()
        folder.mkdir(exist_ok=True)

    async def run(self) -> None:
        """Until `close` was called and everything is imported and decided."""
        async with self._work:
            watching = self._work.create_task(self._watch())
            while self._open:
                await asyncio.sleep(self._chance.uniform(*_CLOSES))
                await self._close_day()
            await self._close_day()
            watching.cancel()

    def close(self) -> None:
        self._open = False

    async def again(self, since: float) -> None:
        """Import once more what was imported since then, on the clock of `time.monotonic`."""
        for at, file in self._files.copy():
            if at >= since:
                await self._by_api(file)

    # Statements ------------------------------------------------------------------------------------------

    async def _close_day(self) -> None:
        formats = self._chance.sample(FORMATS, k=2 if self._chance.random() < 0.35 else 1)
        files = self._bank.close_day(*formats)
        twice = [one for one in files if self._chance.random() < 0.3]
        ways = [self._chance.choices((self._by_page, self._by_api, self._by_command), (5, 3, 1))[0] for _ in files]
        imports = [way(one) for way, one in zip(ways, files, strict=True)]
        await asyncio.gather(*imports, *(self._by_api(one) for one in twice))
        # What had begun when a copy of the database was made and ended later is not in it.
        self._files += [(time.monotonic(), one) for one in files]

    async def _by_page(self, file: Statement) -> None:
        """Look at the preview, and press the button twice at times."""
        here = "/console/statements"
        page = await self._clerk.upload(f"{here}/preview", file.name, file.content, {"layout": file.layout})
        fields = hidden_fields(page, f"{here}/book")
        if fields is None and _NOTHING_NEW in page:
            return  # the other door was faster
        if fields is None:
            raise RuntimeError(f"the preview of {file.name} has no form: {page}")
        fields |= {"accept_partial": "yes"}
        clicks = 2 if self._chance.random() < 0.3 else 1
        await asyncio.gather(*(self._clerk.press(f"{here}/book", fields) for _ in range(clicks)))

    async def _by_api(self, file: Statement) -> None:
        layout = f"&layout={LAYOUT.replace(' ', '%20')}" if file.layout else ""
        path = f"/api/statements?book=true&accept_partial=true&name={file.name}{layout}"
        answer = await self._site.ask("POST", path, file.content)
        if answer.status_code != 200:
            raise RuntimeError(f"{file.name} was answered {answer.status_code} {answer.text}")

    async def _by_command(self, file: Statement) -> None:
        """As somebody who tries again while the engine or the database is away."""
        path = self._folder / file.name
        path.write_bytes(file.content)
        layout = ("--layout", file.layout) if file.layout else ()
        for left in reversed(range(_TRIES)):
            try:
                await asyncio.to_thread(
                    self._command, "statement", str(path), "--book", "--accept-partial", "--json", *layout
                )
                return
            except RuntimeError:
                if not left:
                    raise
                await asyncio.sleep(_BEFORE_ANOTHER_TRY)

    # What nobody could match -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOKS)
            answer = await self._site.ask("GET", "/api/incoming-payments")
            for one in answer.json():
                if one["source"] == "bank" and one["entry_id"] not in self._seen:
                    self._seen.add(one["entry_id"])
                    self._work.create_task(self._decide(one))

    async def _decide(self, one: dict[str, Any]) -> None:
        """Confirm, reject, split by hand, set aside or leave it; what was booked is undone at times."""
        chance = random.Random(f"{one['text']} {self._bank.files}")
        await asyncio.sleep(chance.uniform(0.3, 6.0))
        numbers = [proposal["number"] for proposal in one["proposals"]]
        kinds = ("confirm", "reject", "match", "leave") if numbers else ("match", "aside", "leave")
        what = chance.choices(kinds, (50, 20, 15, 15) if numbers else (50, 20, 30))[0]
        number = chance.choice(numbers) if numbers else 0
        await self._do(chance, one, what, number)
        if what in {"confirm", "match"} and chance.random() < 0.35:
            await asyncio.sleep(chance.uniform(0.2, 5.0))
            await self._do(chance, one, "undo", 0)
            if chance.random() < 0.7:
                await asyncio.sleep(chance.uniform(0.2, 3.0))
                await self._do(chance, one, "match", 0)

    async def _do(self, chance: random.Random, one: dict[str, Any], what: str, number: int) -> None:
        if what == "leave":
            return
        invoice_id = self._bank.owners[one["text"].split()[-1]]
        entry, clicks = one["entry_id"], 2 if chance.random() < 0.3 else 1
        part = f"proposals/{number}/{what}" if what in {"confirm", "reject"} else what
        if chance.random() < 0.5:
            typed = {"match": {"invoice.1": invoice_id}, "aside": {"reason": "bank-interest"}}.get(what, {})
            form = {"form_id": f"{chance.getrandbits(128):032x}"} | typed
            work = [self._clerk.press(f"/console/unmatched/{entry}/{part}", form) for _ in range(clicks)]
        else:
            part = "set-aside" if what == "aside" else part
            said: dict[str, dict[str, Any]] = {
                "match": {"invoices": [{"invoice_id": invoice_id}]},
                "aside": {"reason": "bank-interest"},
            }
            path = f"/api/incoming-payments/{entry}/{part}"
            work = [self._site.ask("POST", path, said.get(what)) for _ in range(clicks)]
        await asyncio.gather(*work)

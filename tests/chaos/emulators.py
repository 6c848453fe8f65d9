"""Emulated providers that misbehave by a seed, and a log of what they took and said that outlives them all."""

import json
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from dunwell.commands.approval import submissions
from dunwell.domain.links import SAMPLE
from dunwell.gateways.twilio.whatsapp import SCHEME
from dunwell.settings import Settings
from dunwell.texts.approved import ApprovedTexts
from tests.builders import the_catalogue
from tests.gateways.fakes import Answer, FakeSendGrid, FakeTwilio, Received, Reply

_LONGER_THAN_ANYBODY_WAITS = 11.0
_OWN_LINK = re.compile(r"/i/[0-9A-Za-z]{22}(?![0-9A-Za-z])")


@dataclass(frozen=True)
class Taken:
    """A message that a provider accepted: its message id (e-mail) or sid (SMS), and where its fate is to be told."""

    provider: str
    id: str
    to: str
    callback: str = ""


class Log:
    """One JSON object a line: {at, provider, event, id, ...}. Written at once, by any thread.

    event: accepted by the provider; reported: about to be told what became of it; heard: the report was answered
    with success.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.taken = SimpleQueue[Taken]()
        """What providers accepted and have not begun to report."""
        self.listeners: list[Callable[[str, bool], None]] = []
        """Told of each message that a provider is asked to take, before it answers: its address, and whether it is
        taken."""

        self.readers: list[Callable[[Taken, str, str | None], None]] = []
        """Told of each message that a provider took, its text, and of a mail its Message-ID."""

    def write(self, provider: str, event: str, id_: str, **more: str) -> None:
        line = {"at": datetime.now(UTC).isoformat(), "provider": provider, "event": event, "id": id_} | more
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def called(self, address: str, answer: Answer) -> None:
        """A provider is asked to take a message, and is going to answer so."""
        for listener in self.listeners:
            listener(address, answer.well or answer.accepts)

    def accept(self, taken: Taken, text: str, mail_id: str | None = None, **more: str) -> None:
        self.write(taken.provider, "accepted", taken.id, **more)
        self.taken.put(taken)
        for reader in self.readers:
            reader(taken, text, mail_id)


class Temper:
    """How a provider answers next. Calm until `stormy`; `long` allows answers that come too late."""

    def __init__(self, seed: int, *, long: bool) -> None:
        self._chance = random.Random(seed)
        self._long = long
        self.stormy = True

    def answer(self) -> Answer:
        if not self.stormy:
            return Answer()
        late = (
            Answer(delay=_LONGER_THAN_ANYBODY_WAITS, accepts=True) if self._long else Answer(drop=True, accepts=True)
        )
        moods = [
            (60, Answer()),
            (18, Answer(delay=self._chance.uniform(0.05, 0.5), accepts=True)),
            (7, Answer(429, code=20429)),
            (5, Answer(500)),
            (4, Answer(503)),
            (3, Answer(drop=True, accepts=True)),
            (2, Answer(drop=True)),
            (1, late),
        ]
        return self._chance.choices([mood for _, mood in moods], [weight for weight, _ in moods])[0]


class StormySendGrid(FakeSendGrid):
    """Its lists of suppressed addresses are refused at times; only mails are accepted, and noted."""

    def __init__(self, log: Log, temper: Temper) -> None:
        super().__init__()
        self._log, self._temper = log, temper

    def handle(self, request: Received) -> Reply | None:
        answer = self._temper.answer()
        if request.method == "POST":
            self._log.called(request.json["personalizations"][0]["to"][0]["email"], answer)
        self.next(answer)
        return super().handle(request)

    def accept(self, request: Received) -> Reply:
        reply = super().accept(request)
        if request.method == "POST" and reply.status < 300:
            person = request.json["personalizations"][0]
            taken = Taken("sendgrid", person["custom_args"]["message_id"], person["to"][0]["email"])
            mail_id = request.json.get("headers", {}).get("Message-ID")
            self._log.accept(taken, request.json["content"][0]["value"], mail_id)
        return reply


class StormyTwilio(FakeTwilio):
    """SMS and WhatsApp. The list of messages, by which lost answers are looked up, is read in peace."""

    def __init__(self, log: Log, temper: Temper) -> None:
        super().__init__()
        self._log, self._temper = log, temper

    def approve(self, file: Path) -> None:
        """Approve all English texts for WhatsApp, and write the file that says so."""
        blocks = []
        for number, one in enumerate(submissions(the_catalogue(), ["en"], ApprovedTexts({}), Settings())):
            sid = f"HX{number:032x}"
            self.contents[sid] = one.text.words
            blocks.append(f'[[{one.message}.en]]\nsid = "{sid}"\ntext = {json.dumps(one.text.words)}\n')
        file.write_text("\n".join(blocks), encoding="utf-8")

    def handle(self, request: Received) -> Reply | None:
        answer = self._temper.answer() if request.method == "POST" else Answer()
        if request.method == "POST":
            self._log.called(request.form["To"].removeprefix(SCHEME), answer)
        self.next(answer)
        return super().handle(request)

    def accept(self, request: Received) -> Reply:
        known = len(self.messages)
        reply = super().accept(request)
        for message in self.messages[known:]:
            taken = Taken("twilio", message["sid"], message["to"], request.form.get("StatusCallback", ""))
            body = _OWN_LINK.sub(f"/i/{SAMPLE}", message["body"])  # as the outbox has it
            self._log.accept(taken, message["body"], to=message["to"].removeprefix(SCHEME), body=body)
        return reply

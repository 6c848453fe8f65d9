"""Emulated providers that misbehave by a seed, and a log of what they took and said that outlives them all."""

import json
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

from tests.gateways.fakes import Answer, FakeSendGrid, FakeTwilio, Received, Reply

_LONGER_THAN_ANYBODY_WAITS = 11.0


class Log:
    """One JSON object a line: {at, provider, event: accepted|reported, id, ...}. Written at once, by any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.taken: set[str] = set()
        """What a provider accepted: message ids of e-mails, sids of SMS."""

    def write(self, provider: str, event: str, id_: str, **more: str) -> None:
        line = {"at": datetime.now(UTC).isoformat(), "provider": provider, "event": event, "id": id_} | more
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            if event == "accepted":
                self.taken.add(id_)


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
    def __init__(self, log: Log, temper: Temper) -> None:
        super().__init__()
        self._log, self._temper = log, temper

    def handle(self, request: Received) -> Reply | None:
        self.next(self._temper.answer())
        return super().handle(request)

    def accept(self, request: Received) -> Reply:
        reply = super().accept(request)
        if reply.status < 300:
            message_id = self.mails[-1]["personalizations"][0]["custom_args"]["message_id"]
            self._log.write("sendgrid", "accepted", message_id)
        return reply


class StormyTwilio(FakeTwilio):
    """Its list of messages, by which lost answers are looked up, is read in peace."""

    def __init__(self, log: Log, temper: Temper) -> None:
        super().__init__()
        self._log, self._temper = log, temper

    def handle(self, request: Received) -> Reply | None:
        self.next(self._temper.answer() if request.method == "POST" else Answer())
        return super().handle(request)

    def accept(self, request: Received) -> Reply:
        known = len(self.messages)
        reply = super().accept(request)
        for message in self.messages[known:]:
            self._log.write("twilio", "accepted", message["sid"], to=message["to"], body=message["body"])
        return reply

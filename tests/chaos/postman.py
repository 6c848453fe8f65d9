"""What became of the messages, told to the web service as SendGrid and Twilio tell it: signed, in batches, repeatedly
and in any order, until it is taken."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.emulators import Log, Taken
from tests.chaos.site import Site

_ROUND = 0.2
_MOST_IN_A_BATCH = 6
_DAWDLES = 0.3
"""The chance of a report to wait for a later round, while others overtake it."""
_LATE = (2.0, 8.0)
"""Seconds that a bounce takes at times: what the message was about may be gone by then."""


@dataclass(frozen=True)
class Report:
    """One thing a provider says of a message: its own `word`, and the `state` that this means for us.

    state "": nothing that counts. not_before: on the clock of `time.monotonic`.
    """

    taken: Taken
    word: str
    state: str = ""
    more: tuple[tuple[str, str], ...] = ()
    not_before: float = 0.0


_MAIL: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "delivered": ("delivered", "delivered", {"response": "250 OK"}),
    "bounced": ("bounce", "bounced", {"type": "bounce", "status": "5.1.1", "reason": "550 no such user"}),
    "failed": ("bounce", "failed", {"type": "blocked", "status": "5.7.1", "reason": "550 policy"}),
}
_SMS: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "delivered": ("delivered", "delivered", {}),
    "bounced": ("undelivered", "failed", {"ErrorCode": "30006"}),
    "failed": ("undelivered", "failed", {"ErrorCode": "30003"}),
}
"""By fate: the provider's word, our state, and what else it says."""


class Postman:
    """fates: out of a hundred messages, how many are reported as delivered, as bounced, as failed, and not at all."""

    def __init__(
        self,
        chance: random.Random,
        fates: tuple[int, int, int, int],
        log: Log,
        site: Site,
        suppressed: dict[str, list[str]],
    ) -> None:
        """suppressed: SendGrid's lists, which learn of each address that bounced."""
        self._chance, self._fates, self._suppressed = chance, fates, suppressed
        self._log, self._site = log, site
        self._bag: list[Report] = []
        self._over = False

    async def run(self) -> None:
        """Until `finish` was called and all is told."""
        async with asyncio.TaskGroup() as letters:
            while not (self._over and self._log.taken.empty() and not self._bag):
                while not self._log.taken.empty():
                    self._bag += self._reports(self._log.taken.get())
                going = self._some()
                texts = [one for one in going if one.taken.provider == "twilio"]
                for text in texts:
                    letters.create_task(self._tell_status(text))
                mails = [one for one in going if one.taken.provider == "sendgrid"]
                while mails:
                    size = self._chance.randint(1, _MOST_IN_A_BATCH)
                    letters.create_task(self._tell_batch(mails[:size]))
                    mails = mails[size:]
                await asyncio.sleep(_ROUND)

    def finish(self) -> None:
        """Tell what is left, and then no more."""
        self._over = True

    def _reports(self, taken: Taken) -> list[Report]:
        """All that will be said of a message, some of it twice. Its fate stands in the log before anybody hears."""
        fate = self._chance.choices(("delivered", "bounced", "failed", ""), self._fates)[0]
        if not fate or not (taken.callback or taken.provider == "sendgrid"):
            return []
        word, state, more = (_MAIL if taken.provider == "sendgrid" else _SMS)[fate]
        self._log.write(taken.provider, "reported", taken.id, status=state)
        before = ("processed", "deferred") if taken.provider == "sendgrid" else ("queued", "sent")
        said = [Report(taken, one) for one in before]
        late = fate == "bounced" and self._chance.random() < 0.5
        when = time.monotonic() + self._chance.uniform(*_LATE) if late else 0.0
        said += [Report(taken, word, state, tuple(more.items()), when)] * 2
        return self._chance.sample(said, k=len(said)) + self._chance.sample(said, k=1)

    def _some(self) -> list[Report]:
        """Shuffled, and without those that dawdle or are late."""
        self._chance.shuffle(self._bag)
        now = time.monotonic()
        stays = [not self._over and (self._chance.random() < _DAWDLES or one.not_before > now) for one in self._bag]
        going = [one for one, stay in zip(self._bag, stays, strict=True) if not stay]
        self._bag = [one for one, stay in zip(self._bag, stays, strict=True) if stay]
        return going

    async def _tell_batch(self, batch: Sequence[Report]) -> None:
        self._suppressed.setdefault("bounces", []).extend(one.taken.to for one in batch if one.state == "bounced")
        await self._site.sendgrid([_event(one) for one in batch])
        for one in batch:
            self._note(one)

    async def _tell_status(self, report: Report) -> None:
        sms = report.taken
        fields = {"MessageSid": sms.id, "SmsSid": sms.id, "AccountSid": "AC1", "To": sms.to, "From": "+15005550006"}
        fields |= {"MessageStatus": report.word, "SmsStatus": report.word, **dict(report.more)}
        await self._site.twilio(sms.callback, fields)
        self._note(report)

    def _note(self, report: Report) -> None:
        taken = report.taken
        self._log.write(taken.provider, "heard", taken.id, word=report.word, status=report.state)


def _event(report: Report) -> dict[str, str | int]:
    mail = report.taken
    return {
        "email": mail.to,
        "timestamp": int(datetime.now(UTC).timestamp()),
        "event": report.word,
        "sg_event_id": f"{mail.id}.{report.word}",
        "sg_message_id": f"{mail.id}.filter",
        "message_id": mail.id,
        **dict(report.more),
    }

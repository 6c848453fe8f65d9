"""Sends each user who wants it what waits for them, by e-mail, once on the morning of a business day."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dunwell.domain.channels import Channel
from dunwell.domain.principals import Role
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt
from dunwell.services.dependencies import Dependencies
from dunwell.services.loop import repeat
from dunwell.store import digests
from dunwell.store.tables import DigestRow, UserRow
from dunwell.views.digest import digest_lines, digest_text

EVERY = 60.0
"""Seconds between two looks for whose morning it is."""
OPENS, CLOSES = time(7), time(12)
"""The morning, in the user's own time zone: a digest that could not be sent by its end is not sent later."""

_RETRY = timedelta(minutes=10)
_LOST = timedelta(minutes=10)
"""After so long without an answer, the process that called the provider is gone."""

_log = logging.getLogger("dunwell.client")


@dataclass(frozen=True)
class Digest:
    """The digest of a day. `lines`: how many things wait; 0: nothing is sent."""

    day: date
    subject: str
    body: str
    lines: int


class Digests:
    """Several processes may send at once: a digest belongs to the one that wrote its row. `console`: its address."""

    def __init__(
        self, deps: Dependencies, console: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._deps, self._database, self._console, self._clock = deps, deps.database, console, clock

    async def run(self) -> None:
        """Send until cancelled."""
        await repeat(lambda: asyncio.to_thread(self.send_due), EVERY, "digests", _log)

    def send_due(self) -> None:
        """Send the digest of everybody whose morning it is and who has not had it yet."""
        with self._database.reading() as session:
            readers = [one for one in digests.readers(session) if self._is_morning(one)]
            known = {one.user_id: digests.get(session, one.user_id, self._day(one)) for one in readers}
        for user in readers:
            self._send(user, known[user.user_id])

    def preview(self, role: Role, zone: str) -> Digest:
        """Return what somebody of this role would be sent now."""
        now = self._clock()
        day = now.astimezone(ZoneInfo(zone)).date()
        until = datetime.combine(day, time.max, ZoneInfo(zone))
        with self._database.reading() as session:
            lines = digest_lines(session, role, now, until)
        subject = f"Dunwell, {day:%a} {day.day} {day:%b}: {lines[0][0]}" if lines else "Dunwell: nothing waits"
        return Digest(day, subject, digest_text(lines, self._console) if lines else "", len(lines))

    def _day(self, user: UserRow) -> date:
        return self._clock().astimezone(ZoneInfo(user.digest_zone or "UTC")).date()

    def _is_morning(self, user: UserRow) -> bool:
        """Whether it is a business day of our own country, and morning where the user is."""
        zone, country = user.digest_zone or "UTC", self._deps.sender.country
        local = self._clock().astimezone(ZoneInfo(zone))
        if not OPENS <= local.time() < CLOSES:
            return False
        if country is None:
            return local.weekday() < 5
        window = (f"{OPENS:%H:%M}", f"{CLOSES:%H:%M}")
        days = self._deps.business_days.calendar(country, zone, window, local.date(), local.date())
        return days.is_business_day(local.date())

    def _send(self, user: UserRow, row: DigestRow | None) -> None:
        now = self._clock()
        if row is None:
            found = self.preview(user.role, user.digest_zone or "UTC")
            state = MessageState.CLAIMED if found.lines else MessageState.WITHHELD
            with self._database.writing_beside_customers() as session:
                claimed = digests.claim(session, user.user_id, found.day, now, state, found.subject, found.body)
            if claimed and found.lines:
                self._call(user, found.day, found.subject, found.body)
        elif row.state is MessageState.CLAIMED and row.next_at is not None and row.next_at <= now:
            with self._database.writing_beside_customers() as session:
                taken = digests.take(session, user.user_id, row.day, now)
            if taken:
                self._call(user, row.day, row.subject, row.body)
        elif row.state is MessageState.CLAIMED and row.next_at is None and now - row.at > _LOST:
            self._settle(user, row.day, MessageState.UNKNOWN, "the call was begun and no answer came")

    def _call(self, user: UserRow, day: date, subject: str, body: str) -> None:
        """Hand the digest to the provider. It is tried again only where the provider surely did not take it."""
        gateway = self._deps.gateway(Channel.EMAIL, rehearsal=False)
        pace = self._deps.rate_limits.get(gateway.name)
        if pace is not None:
            pace.wait()
        envelope = Envelope(
            message_id=digests.message_id_of(user.user_id, day),
            channel=Channel.EMAIL,
            to=user.email,
            to_name=user.name,
            subject=subject,
            text=body,
        )
        try:
            receipt = gateway.send(envelope)
        except DeliveryError as error:
            if error.maybe_sent:
                self._settle(user, day, MessageState.UNKNOWN, error.reason)
            elif error.permanent:
                self._settle(user, day, MessageState.FAILED, error.reason)
            else:
                self._settle(user, day, MessageState.CLAIMED, error.reason, next_at=self._clock() + _RETRY)
        else:
            self._settle(user, day, receipt.state, receipt.code, receipt=receipt)

    def _settle(
        self,
        user: UserRow,
        day: date,
        state: MessageState,
        reason: str | None,
        *,
        next_at: datetime | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        with self._database.writing_beside_customers() as session:
            digests.settle(
                session,
                user.user_id,
                day,
                state,
                reason=reason,
                next_at=next_at,
                provider=receipt.provider if receipt else None,
                provider_id=receipt.provider_id if receipt else None,
            )

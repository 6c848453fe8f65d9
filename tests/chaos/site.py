"""The web service as its operator runs it, and the way in: signed webhooks and the HTTP API, told until answered."""

import asyncio
import base64
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from twilio.request_validator import RequestValidator

from dunwell.domain.principals import Role
from dunwell.gateways.signed_post import SIGNATURE_HEADER
from dunwell.gateways.timed_signature import sign as signed
from dunwell.local.temporal_server import free_port
from dunwell.store.database import Database
from tests.web.conftest import a_key, as_shown, sign
from tests.web.principals import bearer, give_keys

WEB_LOG = "web.log"
PROCESS = [sys.executable, "-P", str(Path(__file__).parent / "process.py")]
"""What starts a process of the storm, with its name behind it."""

_KILLED = -signal.SIGKILL
_NOT_READY = 1
"""Its exit code when it was started while the database or the engine was away; so is that of a crash."""
_LONGEST_ANSWER = 30.0  # seconds; a case has ten to answer, and a busy machine is slow
_AGAIN_AFTER = 0.3
_GIVES_UP = 15.0
_AGAIN = (409, 502, 503, 504)
_AT_ONCE = 40  # callers in the door: the client's pool compares each that waits in it with each of its lines


class Site:
    """One web service of one run, on one port, with keys of its own. `tree` is the code that it runs."""

    def __init__(self, state: Path, tree: Path) -> None:
        self._log = state / WEB_LOG
        self._state, self._tree = state, tree
        self._port = free_port()
        self._sendgrid_key = a_key()
        self.twilio_token = secrets.token_hex(16)
        self._stripe_secret, self._payment_secret = f"whsec_{secrets.token_hex(16)}", secrets.token_hex(32)
        self._link_secret, self._mail_secret = secrets.token_hex(32), secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: Mapping[str, str] = {}
        self._started_at = 0  # where in its log its last start is
        self._door = asyncio.Semaphore(_AT_ONCE)
        self._http = httpx.AsyncClient(base_url=self.url, timeout=_LONGEST_ANSWER, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def settings(self) -> dict[str, str]:
        """What the web service needs beside the worker's own settings, and the worker to be reported to."""
        return {
            "WEB_ADDRESS": f"127.0.0.1:{self._port}",
            "PUBLIC_URL": self.url,
            "SENDGRID_WEBHOOK_PUBLIC_KEY": as_shown(self._sendgrid_key),
            "TWILIO_AUTH_TOKEN": self.twilio_token,
            "STRIPE_WEBHOOK_SECRET": self._stripe_secret,
            "PAYMENT_WEBHOOK_SECRET": self._payment_secret,
            "LINK_SECRET": self._link_secret,
            "INBOUND_MAIL_SECRET": self._mail_secret,
        }

    # Its life --------------------------------------------------------------------------------------------

    def start(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        with self._log.open("ab") as log:
            self._started_at = log.tell()
            self._process = subprocess.Popen(
                [*PROCESS, "web"],
                env={**environment, "PYTHONPATH": str(self._tree)},
                cwd=self._state,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """As the power would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    async def close(self) -> None:
        self.kill()
        await self._http.aclose()

    async def until_open(self) -> None:
        """Wait for its first answer, whatever it says, and store the key that its callers send."""
        await self._until_answered("GET", "/healthz", b"", {}, final=range(200, 600))
        await asyncio.to_thread(self._give_keys)

    def _give_keys(self) -> None:
        database = Database(self._environment["DATABASE_URL"])
        give_keys(database)
        database.close()

    # What is told to it ----------------------------------------------------------------------------------

    async def tell_case(self, invoice_id: str, event: str, content: Mapping[str, str], key: str) -> bool:
        """An event by the HTTP API, as one request however often it takes.

        False when it was refused, or long not answered.
        """
        headers = bearer(Role.ADMINISTRATOR) | {"Idempotency-Key": key}
        body, path = json.dumps(content).encode(), f"/api/cases/{invoice_id}/{event}"
        answer = await self._until_answered("POST", path, body, headers, final=(200, 202, 422))
        return answer.status_code < 300

    async def ask(self, method: str, path: str, content: bytes | Mapping[str, Any] | None = None) -> httpx.Response:
        """The answer of the HTTP API to an administrator's key: 200, 404 or 422, however often it takes.

        content  a file, or what becomes JSON
        """
        body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        return await self._until_answered(method, path, body, bearer(Role.ADMINISTRATOR), final=(200, 404, 422))

    async def stripe(self, event: Mapping[str, Any]) -> None:
        """An event, signed as Stripe signs."""
        await self._signed("/webhooks/stripe", event, "Stripe-Signature", self._stripe_secret)

    async def mail(self, sender: str, text: str, headers: str) -> None:
        """A mail that somebody wrote to us, as SendGrid's Inbound Parse posts it."""
        to = "billing@dunwell.example"
        fields = {
            "from": f"Somebody <{sender}>",
            "to": to,
            "subject": "Re: your invoice",
            "text": text,
            "headers": headers,
            "envelope": json.dumps({"to": [to], "from": sender}),
            "charsets": json.dumps({"to": "UTF-8", "text": "utf-8"}),
        }
        form = httpx.Request("POST", self.url, files={name: (None, value) for name, value in fields.items()})
        form.read()
        secret = base64.b64encode(f"dunwell:{self._mail_secret}".encode()).decode()
        sent = {"Content-Type": form.headers["Content-Type"], "Authorization": f"Basic {secret}"}
        await self._until_answered("POST", "/webhooks/sendgrid/inbound", form.content, sent, final=(200,))

    async def text(self, sender: str, text: str, sid: str) -> None:
        """An SMS or a WhatsApp message that somebody wrote to us, as Twilio posts it."""
        ours = "whatsapp:+14155238886" if sender.startswith("whatsapp:") else "+15005550006"
        fields = {"MessageSid": sid, "SmsSid": sid, "AccountSid": "AC1", "From": sender, "To": ours}
        await self._twilio(f"{self.url}/webhooks/twilio/inbound", fields | {"Body": text, "NumMedia": "0"}, 200)

    async def payments(self, told: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """One payment or several to the webhook that any program may call."""
        await self._signed("/webhooks/payments", told, SIGNATURE_HEADER, self._payment_secret)

    async def _signed(self, path: str, told: object, header: str, secret: str) -> None:
        body = json.dumps(told).encode()

        def anew() -> dict[str, str]:  # whoever sends an event again signs it again
            return {"Content-Type": "application/json", header: signed(body, secret, int(time.time()))}

        await self._until_answered("POST", path, body, anew, final=(200, 204))

    async def sendgrid(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """A batch of events, signed as SendGrid signs."""
        body, stamp = json.dumps(batch).encode(), str(int(datetime.now(UTC).timestamp()))
        headers = {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Signature": sign(self._sendgrid_key, stamp, body),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        }
        await self._until_answered("POST", "/webhooks/sendgrid", body, headers, final=(200,))

    async def twilio(self, callback: str, fields: Mapping[str, str]) -> None:
        """A form to the address that came with the SMS."""
        await self._twilio(callback, fields, 204)

    async def _twilio(self, callback: str, fields: Mapping[str, str], taken: int) -> None:
        """Signed as Twilio signs, until it is answered with the status that says that it was taken."""
        signature = RequestValidator(self.twilio_token).compute_signature(callback, dict(fields))
        form = httpx.Request("POST", callback, data=fields)
        headers = {"Content-Type": form.headers["Content-Type"], "X-Twilio-Signature": signature}
        await self._until_answered("POST", callback, form.content, headers, final=(taken,))

    async def _until_answered(
        self,
        method: str,
        address: str,
        body: bytes,
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]],
        *,
        final: Sequence[int],
    ) -> httpx.Response:
        """The first answer with a status in `final`. Silence, 409, 502 to 504 and a line that is cut mean: once more.

        409: an earlier try of the same request, which a kill cut off, has no answer yet. That may last minutes, so
        whoever asks gives up before: it is final after a while.

        Raises RuntimeError for any other answer, and when the service ended though nobody killed it.
        """
        begun = time.monotonic()
        while True:
            try:
                async with self._door:
                    made = headers() if callable(headers) else headers
                    answer = await self._http.request(method, address, content=body, headers=dict(made))
            except httpx.TransportError:
                self.expect_life()
            else:
                given_up = answer.status_code == 409 and time.monotonic() - begun > _GIVES_UP
                if answer.status_code in final or given_up:
                    return answer
                if answer.status_code not in _AGAIN:
                    raise RuntimeError(f"{address} answered {answer.status_code} {answer.text}: read {self._log}")
            await asyncio.sleep(_AGAIN_AFTER)

    def expect_life(self) -> None:
        """Nobody answered: fine while it was killed. One that found no database or engine is started again.

        Raises RuntimeError when it ended though nobody killed it.
        """
        code = self._process.poll() if self._process is not None else None
        if code in (None, _KILLED):
            return
        if code == _NOT_READY and b"Traceback" not in self._log.read_bytes()[self._started_at :]:
            self.start(self._environment)  # as whatever supervises it would
        else:
            raise RuntimeError(f"the web service ended by itself with code {code}: read {self._log}")

"""The web service against its own description, and the providers' doors against bytes of any kind."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.result import Ok

from dunwell.web.app import make_app
from dunwell.web.service import Service
from tests.fuzz.nonsense import mutated, spoiled, value
from tests.fuzz.tally import Tally
from tests.web.conftest import MAIL_SECRET, TOKEN, Site, an_event
from tests.web.test_billing_webhooks import BODIES, post

_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Host": "inside.example:8080"}


def described_doors(service: Service, count: int) -> Tally:
    """`count` requests for each operation of the description. Called on a thread of its own: it blocks."""
    tally = Tally("web by its description")
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", make_app(service), headers=_HEADERS)
    with quiet():
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            _ask(found.ok(), count, tally)
    return tally


@contextmanager
def quiet() -> Iterator[None]:
    """Thousands of refusals need no line each; afterwards the log is as it was."""
    log = logging.getLogger("dunwell.web")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _ask(operation: Any, count: int, tally: Tally) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Case[Any]) -> None:
        tally.tried += 1
        try:
            answer = case.call(headers=_HEADERS)
        except Exception:
            tally.crashes += 1
            return
        tally.refused += 400 <= answer.status_code < 500
        tally.fives += answer.status_code >= 500

    ask()


async def providers_doors(site: Site, random: Random, count: int) -> Tally:
    """Most requests carry a right signature, so that what lies behind the door is reached."""
    tally = Tally("webhooks")
    with quiet():
        for _ in range(count):
            await _count_knock(site, random, tally)
    return tally


async def _count_knock(site: Site, random: Random, tally: Tally) -> None:
    try:
        answer = await _knock(site, random)
    except UnicodeEncodeError:
        return  # cannot be put on a wire at all
    except Exception:
        tally.tried += 1
        tally.crashes += 1
        return
    tally.tried += 1
    tally.refused += 400 <= answer.status_code < 500
    tally.fives += answer.status_code >= 500


async def _knock(site: Site, random: Random) -> httpx.Response:
    return await (_mail(site, random) if random.randrange(9) == 0 else _event(site, random))


async def _event(site: Site, random: Random) -> httpx.Response:
    kind = random.randrange(8)
    if kind == 0:
        path = random.choice(
            ["sendgrid", "sendgrid/inbound", "twilio/status", "twilio/inbound", "lob", "stripe", "payments"]
        )
        return await site.http.post(f"/webhooks/{path}", content=random.randbytes(random.randrange(3000)))
    if kind == 1:
        return await site.sendgrid(random.randbytes(random.randrange(500)))
    if kind == 2:
        batch = [an_event(random.choice(["delivered", "bounce", "dropped", "unsubscribe", "open"])) for _ in range(2)]
        return await site.sendgrid(spoiled(random, httpx.Request("POST", "http://x", json=batch).content))
    if kind == 3:
        return await site.sendgrid([mutated(random, an_event(random.choice(["delivered", "bounce"])))])
    if kind in {4, 5}:
        path = random.choice(["lob", *BODIES])
        return await (_letter(site, random) if path == "lob" else post(site, path, mutated(random, BODIES[path])))
    good: Mapping[str, str] = {
        "MessageSid": "SM1",
        "MessageStatus": "undelivered",
        "ErrorCode": "30003",
        "Body": "STOP",
    }
    fields = {key: str(one) for key, one in mutated(random, dict(good)).items()}
    fields |= {"From": random.choice(["+4915112345678", str(value(random, 0))]), "To": str(value(random, 0))[:40]}
    return await site.twilio(random.choice(["status", "inbound"]), fields)


async def _mail(site: Site, random: Random) -> httpx.Response:
    """A mail that came in: taken apart, as it went over the wire, or a form that is torn."""
    fields = {
        "from": "Ada <ada@acme.example>",
        "to": "reply+aaaa@reply.northwind.example",
        "subject": "Re: Invoice",
        "text": "We pay on Friday",
        "html": "<p>We <b>pay</b></p><blockquote>You owe",
        "headers": "Message-ID: <a@b>\nIn-Reply-To: <0123456789abcdef0123456789abcdef@c>\nAuto-Submitted: no",
        "envelope": '{"to":["a@b.example"],"from":"c@d.example"}',
        "charsets": '{"text":"utf-8"}',
    }
    torn = {name: str(one).encode("utf-8", "replace") for name, one in mutated(random, dict(fields)).items()}
    if random.random() < 0.3:
        raw = "\r\n".join(f"{name}: {fields[name]}" for name in ("from", "to", "subject")).encode()
        torn["email"] = spoiled(
            random, raw + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--"
        )
    if random.random() < 0.3:
        torn["text"] = random.randbytes(random.randrange(300))
    sent: list[tuple[str, Any]] = [(name[:50], (None, value)) for name, value in torn.items() if name.isascii()]
    sent.append(("attachment1", ("a.pdf", random.randbytes(random.randrange(200)))))
    request = site.http.build_request("POST", "/webhooks/sendgrid/inbound", files=sent)
    body = request.read()
    if random.random() < 0.3:
        body = spoiled(random, body)
    headers = {"Content-Type": request.headers["Content-Type"]}
    return await site.http.post("/webhooks/sendgrid/inbound", content=body, headers=headers, auth=("x", MAIL_SECRET))


async def _letter(site: Site, random: Random) -> httpx.Response:
    letter = {"id": "ltr_1", "metadata": {"message_id": "m1"}}
    event = {"id": "evt_1", "event_type": {"id": "letter.delivered"}, "reference_id": "ltr_1", "body": letter}
    return await site.lob(mutated(random, event))

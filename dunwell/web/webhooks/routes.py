"""The doors for providers. Nothing that its provider did not sign is read, let alone kept."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from dunwell.gateways.events import ProviderEvent, UnverifiedWebhook
from dunwell.gateways.lob import webhook as lob_events
from dunwell.gateways.sendgrid import webhook as sendgrid_events
from dunwell.gateways.twilio import webhook as twilio_events
from dunwell.web.request_body import Problem, decoded, raw
from dunwell.web.service import Service, service_of

router = APIRouter(prefix="/webhooks", include_in_schema=False)

_SENDGRID, _TWILIO, _LOB = "sendgrid", "twilio", "lob"
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

_log = logging.getLogger("dunwell.web")


@router.post("/sendgrid")
async def sendgrid(request: Request) -> Response:
    """A batch of events about our mails."""
    service = service_of(request)
    if service.sendgrid_key is None:
        raise Problem(503, "Set SENDGRID_WEBHOOK_PUBLIC_KEY to the verification key that SendGrid shows.")
    body = await raw(request)
    try:
        sendgrid_events.verify(body, request.headers, service.sendgrid_key)
    except UnverifiedWebhook as forged:
        raise _refused(_SENDGRID, forged) from None
    batch = decoded(body)
    if not isinstance(batch, list):
        raise Problem(400, "A batch of events is a JSON list.")
    events = [event for event in batch if isinstance(event, dict)]
    kept = await _take(service, _SENDGRID, [sendgrid_events.read(event) for event in events])
    return JSONResponse({"received": len(batch), "new": kept})


@router.post("/twilio/status")
async def twilio_status(request: Request) -> Response:
    """What became of one of our SMS."""
    service, fields = await _from_twilio(request)
    provider_event = twilio_events.read_status(fields)
    await _take(service, _TWILIO, [provider_event] if provider_event else [])
    return Response(status_code=204)


@router.post("/twilio/inbound")
async def twilio_inbound(request: Request) -> Response:
    """An SMS from a debtor. Twilio itself answers STOP and START, so nothing is said here."""
    service, fields = await _from_twilio(request)
    provider_event = twilio_events.read_inbound(fields)
    await _take(service, _TWILIO, [provider_event] if provider_event else [])
    return Response(_EMPTY_TWIML, media_type="text/xml")


@router.post("/lob")
async def lob(request: Request) -> Response:
    """What became of one of our letters."""
    service = service_of(request)
    if service.lob_secret is None:
        raise Problem(503, "Set LOB_WEBHOOK_SECRET to the secret that Lob shows beside the webhook.")
    body = await raw(request)
    try:
        lob_events.verify(body, request.headers, service.lob_secret, datetime.now(UTC))
    except UnverifiedWebhook as forged:
        raise _refused(_LOB, forged) from None
    event = decoded(body)
    if not isinstance(event, dict):
        raise Problem(400, "An event of Lob is a JSON object.")
    provider_event = lob_events.read(event)
    kept = await _take(service, _LOB, [provider_event] if provider_event else [])
    return JSONResponse({"new": kept})


async def _from_twilio(request: Request) -> tuple[Service, dict[str, str]]:
    service = service_of(request)
    if service.twilio_token is None:
        raise Problem(503, "Set TWILIO_AUTH_TOKEN: Twilio signs its requests with it.")
    body = await raw(request)
    try:
        fields = twilio_events.form(body)
    except ValueError:
        raise Problem(400, "The body is no form: Twilio sends application/x-www-form-urlencoded.") from None
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{service.public_url}{request.url.path}{query}"
    signature = request.headers.get(twilio_events.SIGNATURE_HEADER)
    try:
        twilio_events.verify(url, fields, signature, service.twilio_token)
    except UnverifiedWebhook as forged:
        raise _refused(_TWILIO, forged) from None
    return service, fields


def _refused(provider: str, forged: UnverifiedWebhook) -> Problem:
    _log.warning("a webhook was refused: %s: %s", provider, forged)
    return Problem(403, str(forged))


async def _take(service: Service, provider: str, provider_event: Sequence[ProviderEvent]) -> Any:
    """The answer is given when everything is in the database; cases hear of it right after."""
    count = (
        await asyncio.to_thread(service.inbox.take, provider, provider_event, datetime.now(UTC))
        if provider_event
        else 0
    )
    service.dispatcher.wake()
    return count

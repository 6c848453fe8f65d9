"""The webhooks of providers: a route for each in the registry. Signatures are verified before anything is stored."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dunwell.domain.billing_events import BillingEvent
from dunwell.domain.received_mail import ReceivedMail
from dunwell.gateways import registry
from dunwell.gateways.events import ProviderEvent, UnverifiedWebhook
from dunwell.gateways.provider import Event, UnreadableWebhook, Webhook, WebhookRequest
from dunwell.services import mail_reading, reply_owner
from dunwell.web.request_body import Problem, parse_json, read_body
from dunwell.web.service import Service, service_of

_log = logging.getLogger("dunwell.web")


def _endpoint(webhook: Webhook) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        """Answer once all events are stored. Cases are told afterwards: of messages here, of money by the worker."""
        service = service_of(request)
        key = service.keys.webhooks.get(webhook.path)
        if key is None:
            raise Problem(503, webhook.closed)
        try:
            webhook.admit(request.headers, key)
            asked = await _request(request, service, webhook.most)
            events = webhook.read(asked, key)
        except UnverifiedWebhook as error:
            _log.warning("a webhook was refused: %s: %s", webhook.provider, error)
            raise Problem(403, str(error)) from None
        except UnreadableWebhook as unreadable:
            raise Problem(400, str(unreadable)) from None
        new = await asyncio.to_thread(_keep, service, webhook.provider, events, asked.at)
        service.dispatcher.wake()
        answer = webhook.reply(events, new)
        return Response(answer.body, answer.status, media_type=answer.media_type)

    return receive


def _keep(service: Service, provider: str, events: Sequence[Event], now: datetime) -> int:
    """Store the events, each once. Returns how many were new."""
    messages = [one for one in events if isinstance(one, ProviderEvent)]
    mails = [one for one in events if isinstance(one, ReceivedMail)]
    messages += [_read_mail(service, one, now) for one in mails]
    billing = [one for one in events if isinstance(one, BillingEvent)]
    new = service.billing_inbox.take(provider, billing, now)
    if messages:
        new += service.inbox.take(provider, messages, now)
    return new


def _read_mail(service: Service, mail: ReceivedMail, now: datetime) -> ProviderEvent:
    event = mail_reading.read(mail, service.deps.reply_addresses, now)
    with service.database.reading() as session:
        return reply_owner.with_token(session, service.deps.links, event, now)


async def _request(request: Request, service: Service, most: int) -> WebhookRequest:
    query = f"?{request.url.query}" if request.url.query else ""
    return WebhookRequest(
        url=f"{service.public_url}{request.url.path}{query}",
        headers=request.headers,
        body=await read_body(request, most),
        at=datetime.now(UTC),
        decode=parse_json,
    )


router = APIRouter(prefix="/webhooks", include_in_schema=False)
for _webhook in registry.webhooks():
    router.add_api_route(f"/{_webhook.path}", _endpoint(_webhook), methods=["POST"])

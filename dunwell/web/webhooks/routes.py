"""The doors for providers, one for each webhook of the registry. Nothing that its provider did not sign is kept."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dunwell.gateways import registry
from dunwell.gateways.events import UnverifiedWebhook
from dunwell.gateways.provider import UnreadableWebhook, Webhook, WebhookRequest
from dunwell.web.request_body import Problem, decoded, raw
from dunwell.web.service import Service, service_of

_log = logging.getLogger("dunwell.web")


def _door(webhook: Webhook) -> Callable[[Request], Awaitable[Response]]:
    async def take_in(request: Request) -> Response:
        """The answer is given when everything is in the database; cases hear of it right after."""
        service = service_of(request)
        key = service.keys.webhooks.get(webhook.path)
        if key is None:
            raise Problem(503, webhook.closed)
        asked = await _request(request, service)
        try:
            told = webhook.read(asked, key)
        except UnverifiedWebhook as forged:
            _log.warning("a webhook was refused: %s: %s", webhook.provider, forged)
            raise Problem(403, str(forged)) from None
        except UnreadableWebhook as unreadable:
            raise Problem(400, str(unreadable)) from None
        new = await asyncio.to_thread(service.inbox.take, webhook.provider, told, asked.at) if told else 0
        service.dispatcher.wake()
        reply = webhook.reply(told, new)
        return Response(reply.body, reply.status, media_type=reply.media_type)

    return take_in


async def _request(request: Request, service: Service) -> WebhookRequest:
    query = f"?{request.url.query}" if request.url.query else ""
    return WebhookRequest(
        url=f"{service.public_url}{request.url.path}{query}",
        headers=request.headers,
        body=await raw(request),
        at=datetime.now(UTC),
        decode=decoded,
    )


router = APIRouter(prefix="/webhooks", include_in_schema=False)
for _webhook in registry.webhooks():
    router.add_api_route(f"/{_webhook.path}", _door(_webhook), methods=["POST"])

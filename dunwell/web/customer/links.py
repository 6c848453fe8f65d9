"""Opens the links by which customers act without a login, and answers those that open nothing.

Unknown, torn, revoked and expired links get one and the same answer after the same work, so that nobody learns which
of them a link is.
"""

import asyncio
from datetime import UTC, datetime

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from dunwell.domain.links import SAMPLE, LinkKind
from dunwell.services.links import Link
from dunwell.web.customer import fresh_link
from dunwell.web.customer.error_pages import away, to_anybody
from dunwell.web.service import Service, service_of


class LinkOpensNothing(Exception):
    """A link that nobody made, that is not whole, was revoked or has expired; or no link can be looked up now.

    answer  the page to show
    """

    def __init__(self, answer: HTMLResponse) -> None:
        super().__init__("this link opens nothing")
        self.answer = answer


class opened:
    """A dependency that returns the link of this kind whose token is the path parameter `token`.

    Raises LinkOpensNothing, which the application answers with a page.
    """

    def __init__(self, kind: LinkKind) -> None:
        self._kind = kind

    async def __call__(self, request: Request, token: str = "") -> Link:
        try:
            link = await asyncio.to_thread(_find, service_of(request), token, self._kind)
        except SQLAlchemyError:
            raise LinkOpensNothing(away(request)) from None
        if token == SAMPLE:
            raise LinkOpensNothing(to_anybody(request, "sample_link", "sample_link_means", 200))
        if link is None or link.expired:
            offers = self._kind is LinkKind.PAGE and request.method in {"GET", "HEAD"}
            form = fresh_link.offer(request) if offers else Markup()
            raise LinkOpensNothing(to_anybody(request, "bad_link", "bad_page_link", 404, form))
        return link


async def opens_nothing(_: Request, error: Exception) -> Response:
    """Answer a request whose link opens nothing."""
    if not isinstance(error, LinkOpensNothing):
        raise error
    return error.answer


def _find(service: Service, token: str, kind: LinkKind) -> Link | None:
    links = service.deps.links
    if links is None:
        return None
    with service.database.reading() as session:
        return links.find(session, token, kind, datetime.now(UTC))

"""Takes in that somebody wants a new link, on the page of a link that opens nothing.

Everybody gets the same answer after the same work; a new link is sent only for one that has expired, later, and to
the address on file.
"""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from dunwell.domain.links import LinkKind
from dunwell.services.attempts import Attempts
from dunwell.services.links import PATHS
from dunwell.services.submissions import AlreadyDone, Submission
from dunwell.texts.mail import BUTTON
from dunwell.web.customer.error_pages import away, labels_for, to_anybody
from dunwell.web.customer.typed import read_sent
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of

router = APIRouter(prefix=PATHS[LinkKind.PAGE], include_in_schema=False)

_MOST, _WITHIN = 60, 60 * 60
"""How often, within so many seconds, one network address may ask for new links; behind a proxy that is everybody."""
_WANTED = "wanted"
_FORM = Markup(
    '<p>{means}</p><form method="post"><input type="hidden" name="form_id" value="{form_id}">'
    '<p><label><input type="checkbox" name="wanted" value="yes" required> {choice}</label></p>'
    '<button class="button" style="border:0;font:inherit;cursor:pointer;{style}">{send}</button></form>'
)


def offer(request: Request) -> Markup:
    """Return the form that asks for a new link. It posts to the address of its page, which it does not repeat."""
    labels = labels_for(request)
    return _FORM.format(
        means=labels["fresh_link_means"],
        form_id=uuid4().hex,
        choice=labels["fresh_link_choice"],
        send=labels["fresh_link"],
        style=BUTTON,
    )


@router.post("")
@router.post("/{token:path}")
async def ask(request: Request, token: str = "") -> Response:
    """Note that a new link is wanted. Answers the same for every link."""
    service, now = service_of(request), datetime.now(UTC)
    try:
        sent = await read_sent(request)
    except Problem:
        return to_anybody(request, "bad_link", "fresh_link_unchosen", 422, offer(request))
    if sent.fields.get(_WANTED) != "yes" or not sent.form_id:
        return to_anybody(request, "bad_link", "fresh_link_unchosen", 422, offer(request))
    if not request.app.state.fresh_links.admit(request.client.host if request.client else ""):
        return to_anybody(request, "page_away", "page_away_means", 429)
    try:
        await asyncio.to_thread(_note, service, token, sent.form_id, now)
    except SQLAlchemyError:
        return away(request)
    return to_anybody(request, "fresh_link", "fresh_link_asked", 200)


def limits() -> Attempts:
    """Return what limits the requests of each network address."""
    return Attempts(_MOST, _WITHIN)


def _note(service: Service, token: str, form_id: str, now: datetime) -> None:
    with service.database.writing_beside_customers() as session:
        try:
            Submission.of("link", form_id[:60], PATHS[LinkKind.PAGE], {}).take(session, now)
        except AlreadyDone:
            return
        if service.deps.links is not None:
            service.deps.links.ask_for_fresh(session, token, LinkKind.PAGE, now)

"""Renders the console's templates, and answers its errors as pages."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError

from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.principals import NotAllowed, Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.store.database import problem_of
from dunwell.web.clock import now
from dunwell.web.console.formats import FILTERS, full_stop, plain, sentence
from dunwell.web.console.wording import in_console
from dunwell.web.request_body import Problem

HERE = Path(__file__).parent
PREFIX = "/console"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
NAVIGATION = (
    ("", "Today", Right.TASKS_READ),
    ("/replies", "Replies", Right.MESSAGES_READ),
    ("/cases", "Cases", Right.CASES_READ),
    ("/customers", "Customers", Right.CUSTOMERS_READ),
    ("/messages", "Messages", Right.MESSAGES_READ),
    ("/letters", "Letters", Right.LETTERS_READ),
    ("/policies", "Policies", Right.POLICIES_READ),
    ("/unmatched", "Unmatched money", Right.PAYMENTS_READ),
    ("/approvals", "Approvals", Right.APPROVALS_READ),
    ("/figures", "Figures", Right.FIGURES_READ),
    ("/invoices", "New invoices", Right.INVOICES_WRITE),
    ("/statements", "Bank statements", Right.STATEMENTS_WRITE),
    ("/audit", "Audit", Right.AUDIT_READ),
)
"""Address, name and right of the pages that every page leads to."""
_UNKNOWN = frozenset({"invoice", "customer", "contact", "task", "message", "reply"})
"""The fields of refusals that say that there is no such thing."""

_log = logging.getLogger("dunwell.web")


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=in_console,
    )
    made.filters.update(FILTERS)
    made.tests["rehearsal"] = is_rehearsal
    made.globals.update(Right=Right, prefix=PREFIX, navigation=NAVIGATION)
    return made


_TEMPLATES = _environment()

Position = Annotated[int, Query(ge=0, le=1_000_000_000)]
"""Where in a list a page begins. A database takes no number of any size."""


def page(
    request: Request, template: str, principal: Principal | None = None, status: int = 200, /, **facts: Any
) -> Response:
    """Return a template as a response. `principal` is who is signed in: the navigation goes by their rights."""
    known = {
        "principal": principal,
        "now": now(request),
        "here": request.url.path.removeprefix(PREFIX),
        "done": None,
    }
    text = _TEMPLATES.get_template(template).render(known | facts)
    return HTMLResponse(text, status, HEADERS)


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of a page. Without JavaScript, or back in the history, it is a whole page."""
    return request.headers.get("HX-Request") == "true"


def redirect(path: str, **query: str) -> Response:
    """Return the redirect that follows a form: the browser then GETs `path`. Nothing personal belongs in `query`."""
    address = f"{path}?{urlencode(query)}" if query else path
    return RedirectResponse(address, 303, HEADERS)


def file_response(content: str | bytes, name: str, media_type: str) -> Response:
    """Return a file that the browser saves under this name."""
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def problem_page(request: Request, status: int, title: str, reason: str) -> Response:
    """Return a page that says what is wrong and what to do."""
    principal: Principal | None = getattr(request.state, "principal", None)
    return page(request, "problem.html", principal, status, title=title, reason=reason)


_TITLES: Mapping[int, str] = {
    400: "That cannot be read",
    401: "Please sign in",
    403: "Not yours to do",
    404: "Nothing here",
    413: "Too large",
    422: "That does not work",
    503: "Not just now",
}


class ConsoleRoute(APIRoute):
    """A route whose errors are answered as pages, and whose answers have the console's headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            response = await _answered(handle, request)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return guarded


async def _answered(handle: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Response:
    try:
        return await handle(request)
    except (Problem, NotAllowed, Refused, NoAnswer, ServerAway, RequestValidationError, SQLAlchemyError) as error:
        status, reason = _said(error)
        response = problem_page(request, status, _TITLES.get(status, "A problem"), reason)
        response.headers.update((error.headers if isinstance(error, Problem) else None) or {})
        return response


def _refusal(refused: Refused) -> str:
    """Return a refusal as a sentence, with the name of its field as people read it."""
    return full_stop(sentence(f"{plain(refused.field)}: {refused.reason}"))


def _said(error: Exception) -> tuple[int, str]:
    """Return status and text of an expected error."""
    match error:
        case Problem():
            return error.status, error.reason
        case NotAllowed():
            return 403, str(error)
        case Refused():
            unknown = error.field in _UNKNOWN
            return (404, full_stop(f"The {error.field} {error.reason}")) if unknown else (422, _refusal(error))
        case RequestValidationError():
            return 422, sentence(f"{plain(error.errors()[0]['loc'][-1])} cannot be read.")
        case SQLAlchemyError():
            what = problem_of(error)
            _log.error("the database %s (%s)", what, type(error).__name__)
            return 503, f"The database {what}: do the same again later."
    return 503, str(error)

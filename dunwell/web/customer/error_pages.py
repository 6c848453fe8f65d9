"""The pages of a link that leads nowhere, and of one that cannot be looked up now.

Who opens such a link is not known, so its page speaks the language that the browser asks for.
"""

from collections.abc import Iterator

from fastapi import Request
from fastapi.responses import HTMLResponse

from dunwell.web.customer.pages import HEADERS, customer_page
from dunwell.web.service import service_of

_MOST_LANGUAGES = 20
"""How many languages of a request are looked at."""


def bad_link(request: Request, label: str) -> HTMLResponse:
    """Answer 404 with what this label says. The answer does not repeat the link."""
    return to_anybody(request, "bad_link", label, 404)


def away(request: Request) -> HTMLResponse:
    """Answer 503, because the database cannot be used."""
    return to_anybody(request, "page_away", "page_away_means", 503)


def to_anybody(request: Request, title: str, text: str, status: int) -> HTMLResponse:
    """Answer a page with these two labels, in the language that the browser asks for."""
    deps = service_of(request).deps
    language = deps.catalogue.spoken(*_asked_for(request.headers.get("accept-language", "")))
    labels = deps.catalogue.labels(language)
    page = customer_page(deps, language, labels[title], [labels[text]])
    return HTMLResponse(page, status, {**HEADERS, "Vary": "Accept-Language"})


def _asked_for(header: str) -> Iterator[str]:
    """Yield the languages of an Accept-Language header, the most wanted first."""
    wanted = []
    for place, one in enumerate(header.split(",")[:_MOST_LANGUAGES]):
        language, _, weight = one.partition(";")
        try:
            wanted.append((-float(weight.strip().removeprefix("q=") or 1), place, language.strip()))
        except ValueError:
            continue
    return (language for weight, _, language in sorted(wanted) if weight < 0)

"""The pages of a link that leads nowhere, and of one that cannot be looked up now.

Who opens such a link is not known, so its page speaks the language that the browser asks for.
"""

from collections.abc import Iterator, Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from dunwell.web.customer.pages import HEADERS, customer_page
from dunwell.web.service import service_of

_NO_FORM = Markup()
_MOST_LANGUAGES = 20
"""How many languages of a request are looked at."""


def bad_link(request: Request, label: str) -> HTMLResponse:
    """Answer 404 with what this label says. The answer does not repeat the link."""
    return to_anybody(request, "bad_link", label, 404)


def away(request: Request) -> HTMLResponse:
    """Answer 503, because the database cannot be used."""
    return to_anybody(request, "page_away", "page_away_means", 503)


def to_anybody(request: Request, title: str, text: str, status: int, form: Markup = _NO_FORM) -> HTMLResponse:
    """Answer a page with these two labels and a form, if one is given, in the language that the browser asks for."""
    deps, language, labels = service_of(request).deps, _language(request), labels_for(request)
    page = customer_page(deps, language, labels[title], [labels[text]], form=form)
    return HTMLResponse(page, status, {**HEADERS, "Vary": "Accept-Language"})


def labels_for(request: Request) -> Mapping[str, str]:
    """Return the labels in the language that the browser asks for."""
    return service_of(request).deps.catalogue.labels(_language(request))


def _language(request: Request) -> str:
    return service_of(request).deps.catalogue.spoken(*_asked_for(request.headers.get("accept-language", "")))


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

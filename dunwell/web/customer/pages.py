"""Pages for customers, who have no login: their frame and their headers."""

from collections.abc import Sequence

from markupsafe import Markup

from dunwell.services.dependencies import Dependencies
from dunwell.texts.mail import BUTTON, html_page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


_NO_FORM = Markup()


def customer_page(
    deps: Dependencies,
    language: str,
    title: str,
    said: Sequence[str],
    *,
    button: bool = False,
    form: Markup = _NO_FORM,
) -> str:
    """Return a page in this language: its title, paragraphs, a button that posts to the same address, or a form."""
    content = Markup("<h1>{}</h1>").format(title) + Markup().join(Markup("<p>{}</p>").format(one) for one in said)
    if button:
        content += Markup('<form method="post"><button class="button" style="{}">{}</button></form>').format(
            f"border:0;font:inherit;cursor:pointer;{BUTTON}", title
        )
    content += form
    return html_page(content, title, deps.catalogue.locale(language), deps.sender.company)

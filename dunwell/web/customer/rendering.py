"""Renders the pages for customers that have forms, from templates, in a customer's language and without script."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_time
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dunwell.services.dependencies import Dependencies
from dunwell.texts.catalogue import Catalogue
from dunwell.texts.formatting import PAGE, Formatter, grouped_iban
from dunwell.texts.page_words import filled
from dunwell.web.customer.pages import HEADERS as FRAME_HEADERS

HERE = Path(__file__).parent
HEADERS = {
    **FRAME_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}
"""No page of these runs a script or asks another host for anything."""


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["iban"] = grouped_iban
    return made


_TEMPLATES = _environment()


@dataclass(frozen=True)
class Writer:
    """Writes words, days and amounts in a language, a tag that `Catalogue.spoken` returned."""

    catalogue: Catalogue
    language: str

    @cached_property
    def locale(self) -> Locale:
        return self.catalogue.locale(self.language)

    @cached_property
    def _words(self) -> Mapping[str, str]:
        return {**self.catalogue.labels(self.language), **self.catalogue.pages(self.language)}

    @cached_property
    def _formatter(self) -> Formatter:
        return Formatter(self.locale, PAGE)

    def say(self, word: str, /, **facts: object) -> Markup:
        """Return a word or sentence of the pages, else of the labels, with its facts.

        Each fact is isolated, so that a name or number keeps its direction in text that runs from right to left.
        """
        shown = {name: Markup("<bdi>{}</bdi>").format(fact) for name, fact in facts.items()}
        text = filled(str(escape(self._words[word])), shown)
        return Markup(text.replace(".</bdi>.", ".</bdi>"))  # a date or a name may bring the full stop of its own

    def plain(self, word: str, /, **facts: object) -> str:
        """Return the same as text, for titles and options of a choice."""
        return filled(self._words[word], {name: str(fact) for name, fact in facts.items()})

    def day(self, value: date) -> str:
        return self._formatter.day(value, value) or ""

    def clock(self, value: datetime) -> str:
        """The time of day of a local time."""
        return format_time(value.time(), "short", locale=self.locale)

    def money(self, value: Decimal | str, currency: str, digits: int = 2) -> str:
        return self._formatter.money(Decimal(value), currency, digits) or ""


def page(
    deps: Dependencies,
    template: str,
    language: str,
    status: int = 200,
    /,
    *,
    refresh: int | None = None,
    **facts: Any,
) -> Response:
    """Return a template, which extends frame.html, as a response.

    language  a tag that `Catalogue.spoken` returned
    refresh   in so many seconds the browser asks for the page again
    """
    writer = Writer(deps.catalogue, language)
    known = {
        "writer": writer,
        "say": writer.say,
        "plain": writer.plain,
        "day": writer.day,
        "clock": writer.clock,
        "money": writer.money,
        "lang": str(writer.locale).replace("_", "-"),
        "direction": writer.locale.text_direction,
        "sender": deps.sender,
        "refresh": refresh,
    }
    text = _TEMPLATES.get_template(template).render(known | facts)
    return HTMLResponse(text, status, HEADERS)

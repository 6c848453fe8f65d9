"""Commands about the message catalogue: the check and the preview page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, StrictUndefined

from dunwell.bootstrap import MESSAGES
from dunwell.commands.common import REFUSED
from dunwell.commands.output import say, warn
from dunwell.commands.sample_messages import VARIANTS, SampleCustomer, sample, sample_customer
from dunwell.texts.catalogue import Catalogue, CatalogueError, Composed, Traits
from dunwell.texts.sms import SmsCost, sms_cost

_PAGE = Path(__file__).with_suffix(".html")
"""The template of the preview page: one file without scripts and without external resources."""


@dataclass(frozen=True)
class Shown:
    """One message of the preview page."""

    key: str
    language: str
    customer: SampleCustomer
    grouped: bool
    variant: str | None
    traits: Traits
    words: Composed
    sms: SmsCost

    @property
    def anchor(self) -> str:
        variant = "-" + "-".join(self.variant.replace(",", "").split()) if self.variant else ""
        return f"{self.language}-{self.key}" + ("-grouped" if self.grouped else "") + variant

    @property
    def label(self) -> str:
        """How it differs from the usual form of the message; empty for the usual form."""
        return "several invoices" if self.grouped else self.variant or ""


def check_messages() -> None:
    """Try every message in every language, and say what is wrong with the first that fails."""
    try:
        catalogue = Catalogue.load(MESSAGES)
        catalogue.check()
    except CatalogueError as error:
        warn(str(error))
        raise typer.Exit(REFUSED) from None
    say(f"ok: {len(catalogue.keys)} messages in {len(catalogue.languages)} languages")


def preview_messages(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the page is written.")] = Path(
        "messages.html"
    ),
    language: Annotated[str | None, typer.Option("--language", metavar="CODE", help="Only this one.")] = None,
) -> None:
    """Write one page with every message as debtors get it: mail, plain text, SMS with its cost, call script."""
    catalogue = Catalogue.load(MESSAGES)
    if language is not None and language not in catalogue.languages:
        raise typer.BadParameter(f"--language: there are {', '.join(catalogue.languages)}")
    shown = list(show(catalogue, [language] if language else catalogue.languages))
    try:
        out.write_text(_page(shown), encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{out}: cannot be written: {error.strerror or type(error).__name__}") from None
    say(f"{out}: {len(shown)} messages; open it in a browser")


def show(catalogue: Catalogue, languages: Iterable[str], **ours: object) -> Iterator[Shown]:
    """Yield every message of these languages, in the order of the files, with its variants.

    Messages that ask for payment are also shown for several invoices. `ours`: facts of the sender, instead of the
    samples'.
    """
    for language in languages:
        customer = sample_customer(language)
        for key, traits in catalogue.traits.items():
            forms: list[tuple[bool, str | None]] = [(False, None)]
            forms += [(True, None)] if traits.asks else []
            forms += [(False, variant) for variant in VARIANTS.get(key, ())]
            for grouped, variant in forms:
                facts = sample(key, customer, grouped=grouped, variant=variant).model_copy(update=ours)
                words = catalogue.compose(key, customer.region, facts)
                yield Shown(key, language, customer, grouped, variant, traits, words, sms_cost(words.short))


def _page(shown: list[Shown]) -> str:
    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_PAGE.read_text(encoding="utf-8")).render(shown=shown)

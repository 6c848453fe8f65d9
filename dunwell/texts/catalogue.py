"""What Dunwell says: the message catalogue, one TOML file a language, and the composer that fills it in.

A catalogue file is written by people who know the language, not the program. They get every fact ready for
print: money and dates as the locale writes them, plurals as functions, shared sentences by name. A fact that
a case lacks is false in `{% if %}` and an error where it would be printed, so no gap ever reaches a debtor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from babel import Locale
from babel.languages import get_official_languages
from markdown_it.token import Token

from dunwell.domain.cleaning import one_line
from dunwell.texts.catalogue_file import (
    CatalogueError,
    Draft,
    Traits,
    check_agrees,
    did_you_mean,
    parsed_locale,
    read_draft,
    tag,
)
from dunwell.texts.formatting import (
    BODY,
    CALL,
    LONG_OVERDUE,
    SAMPLE,
    SHORT,
    SUBJECT,
    TIGHT,
    Facts,
    Formatter,
    Instalment,
    OtherInvoice,
    Voice,
)
from dunwell.texts.mail import html_document
from dunwell.texts.markup import literal, one_stop, parse, plain_text, tidy, unbroken, whole_numbers
from dunwell.texts.sms import shortened
from dunwell.texts.templates import TEMPLATE_FAULTS, LanguageTemplates, Text, compiled

__all__ = [
    "FALLBACK",
    "Catalogue",
    "CatalogueError",
    "Composed",
    "Facts",
    "Instalment",
    "OtherInvoice",
    "Traits",
    "in_country",
]

FALLBACK = "en"
"""The language of last resort; a catalogue must have it."""


_ALONE: Mapping[str, object] = {
    "others": (),
    "beside": (),
    "holding": (),
    "suspended": False,
    "missing": None,
    "iban": None,
    "consumer": False,
}
"""The sample without other invoices, and without what else is said only sometimes."""

_LONG_OVERDUE: Mapping[str, object] = {"due_on": SAMPLE.issued_on, "today": SAMPLE.issued_on + 2 * LONG_OVERDUE}
"""The sample where its age changes the tone."""


@dataclass(frozen=True)
class Composed:
    """A message ready to leave. Each of its forms is written when it is first asked for, and kept.

    A form that cannot be written raises CatalogueError naming message, field, language and what is missing.
    """

    _book: LanguageTemplates
    _key: str
    _locale: Locale
    _facts: Facts
    _preface: str

    @cached_property
    def subject(self) -> str:
        """The subject line."""
        return unbroken(self._write("subject", SUBJECT))

    @cached_property
    def text(self) -> str:
        """The body as plain text."""
        return one_stop(plain_text(self._tokens))

    @cached_property
    def html(self) -> str:
        """The body as a page."""
        sender, url = one_line(self._facts.sender_company), self._facts.payment_url
        return one_stop(html_document(self._tokens, self.subject, self._locale, url, sender))

    @cached_property
    def markdown(self) -> str:
        """What text and page are made of, for whoever lays it out in another way."""
        return one_stop(self._body)

    @cached_property
    def short(self) -> str:
        """For an SMS. Where telling of other invoices costs a further one, words that can be spared make room."""
        text = unbroken(self._write("short", SHORT))
        if self._facts.others:
            alone = unbroken(self._write("short", SHORT, self._facts.model_copy(update={"others": ()})))
            tight = unbroken(self._write("short", TIGHT))
            text = shortened(text, alone, tight)
        return one_stop(text)

    @cached_property
    def call(self) -> str:
        """What a caller says, and notes."""
        return one_stop(tidy(self._write("call", CALL)))

    def forms(self) -> dict[str, str]:
        """All that people read."""
        return {name: getattr(self, name) for name in ("subject", "text", "html", "short", "call")}

    @cached_property
    def _body(self) -> str:
        return whole_numbers(f"{literal(self._preface)}\n\n{self._write('body', BODY)}{self._small_print}")

    @cached_property
    def _tokens(self) -> list[Token]:
        return parse(self._body)

    @property
    def _small_print(self) -> str:
        """What stands below every body: what is enclosed, and how to stop mails."""
        labels, facts = self._book.labels, self._facts
        lines = [literal(labels["enclosed"].replace("{number}", number)) for number in facts.enclosed]
        if facts.unsubscribe_url:
            lines.append(f"[{literal(labels['unsubscribe'])}](<{one_line(facts.unsubscribe_url)}>)")
        return "".join(f"\n\n{line}" for line in lines)

    def _write(self, field: str, voice: Voice, facts: Facts | None = None) -> str:
        book, script = self._book, self._book.scripts[self._key]
        text: Text = getattr(script, field)
        try:
            return text.template.render(book.context(facts or self._facts, Formatter(self._locale, voice)))
        except TEMPLATE_FAULTS as error:
            raise CatalogueError(
                str(error), file=book.file, message=self._key, field=field, language=book.code
            ) from error


class Catalogue:
    """All messages in all languages; safe to share between threads. A language is compiled when it is first used."""

    def __init__(self, drafts: Mapping[str, Draft]) -> None:
        self._drafts = drafts
        self._books: dict[str, LanguageTemplates] = {}
        self.languages: tuple[str, ...] = tuple(sorted(drafts))
        messages = drafts[FALLBACK].messages
        self.keys: frozenset[str] = frozenset(messages)
        self.traits: Mapping[str, Traits] = MappingProxyType({key: one.traits for key, one in messages.items()})

    @classmethod
    def load(cls, folder: Path) -> "Catalogue":
        """Read every *.toml in `folder` and check that each has the right shape and that all languages agree.

        The texts themselves are left to `check`, which takes about half a second a language.
        Raises CatalogueError naming file, message, field and reason.
        """
        drafts = {}
        for path in sorted(folder.glob("*.toml")):
            draft = read_draft(path)
            drafts[draft.language.code] = draft
        if FALLBACK not in drafts:
            raise CatalogueError(f"{FALLBACK}.toml is missing; every catalogue needs it", file=folder.name)
        for draft in drafts.values():
            check_agrees(draft, drafts[FALLBACK])
        return cls(drafts)

    def check(self) -> None:
        """Compile every language and try each message with every fact there is, with other invoices and without, and
        long overdue.

        For whoever is about to send, or to judge a ladder. Raises CatalogueError naming file, message, field
        and reason.
        """
        for book in map(self._book, self.languages):
            for key in book.scripts:
                for changes in ({}, _ALONE, _LONG_OVERDUE, {**_ALONE, **_LONG_OVERDUE}):
                    Composed(book, key, book.locale, SAMPLE.model_copy(update=changes), "").forms()

    def _book(self, code: str) -> LanguageTemplates:
        if code not in self._books:  # two threads may both compile it: the same twice does no harm
            draft = self._drafts[code]
            self._books[code] = compiled(draft)
        return self._books[code]

    def spoken(self, *wanted: str) -> str:
        """The first of the BCP 47 tags `wanted` in whose language there are messages, else English.

        For `compose`: the tag keeps its region, which says how dates and money are written.
        """
        known = {_base(code) for code in self.languages}
        return next((one for one in wanted if _base(one) in known), FALLBACK)

    def locale(self, language: str) -> Locale:
        """How dates and money are written in `language`, a tag that `spoken` gave."""
        return _regional(self._drafts[self.language_for(language)].locale, language)

    def language_for(self, wanted: str) -> str:
        """The best language there is for BCP 47 tag `wanted`: exact, base, same base, then English."""
        spoken = tag(self.spoken(wanted))
        by_tag = {tag(code): code for code in self.languages}
        relatives = [code for code in self.languages if _base(code) == _base(spoken)]
        return by_tag.get(spoken) or by_tag.get(_base(spoken)) or relatives[0]

    def labels(self, language: str) -> Mapping[str, str]:
        """The words outside messages (LABELS) in the best language there is for `language`; places as {name}."""
        return MappingProxyType(self._drafts[self.language_for(language)].language.labels)

    def compose(self, key: str, language: str, facts: Facts, *, preface: str = "") -> Composed:
        """Write message `key` for `facts`. `preface` is a plain sentence above the body, as on a copy.

        `language` is a language of the catalogue, or a regional form of one: "es-MX" takes the words of
        "es" and writes dates and money the Mexican way. Raises CatalogueError for a message or language that
        there is none of.
        """
        code = self.language_for(language)
        if _base(code) != _base(language):
            reason = f"no such language; there are {', '.join(self.languages)}"
            raise CatalogueError(reason, message=key, language=language)
        if key not in self.keys:
            reason = f"no such message{did_you_mean(key, self.traits)}"
            raise CatalogueError(reason, message=key, language=language)
        return Composed(self._book(code), key, self.locale(language), facts, preface)


def in_country(language: str, country: str) -> str:
    """`language` with the region `country`, unless it names one or is not spoken there: "es", "MX" gives "es-MX"."""
    known = parsed_locale(language)
    if known is None or known.territory is not None:
        return language
    spoken = get_official_languages(country, regional=True, de_facto=True)
    regional = f"{language}-{country}"
    return regional if known.language in spoken and parsed_locale(regional) is not None else language


def _base(language: str) -> str:
    return tag(language).partition("-")[0]


def _regional(locale: Locale, wanted: str) -> Locale:
    """The wanted region's locale where it writes the same language in the same script, else `locale`."""
    region = parsed_locale(wanted)
    if region is None or region.territory is None:
        return locale
    same = region.language == locale.language and region.script == locale.script
    return region if same else locale

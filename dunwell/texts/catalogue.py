"""The message catalogue, one TOML file a language, and the composer that fills in its messages.

The files are written by people who know the language, not the program. Templates get every fact already formatted:
money and dates as the locale writes them, plurals as functions, shared sentences by name. A fact that a case lacks is
false in `{% if %}` and an error where it would be printed, so that no message has a gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from babel import Locale
from babel.languages import get_official_languages
from markdown_it.token import Token

from dunwell.domain.cleaning import one_line
from dunwell.domain.clerk_answer import CLERK_ANSWER, Phrase
from dunwell.domain.spelling import did_you_mean
from dunwell.texts.approved import NumberedText, numbered
from dunwell.texts.catalogue_file import (
    CatalogueError,
    Draft,
    Traits,
    check_agrees,
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
    SHORT_TIGHT,
    SUBJECT,
    AnswerWords,
    Claimed,
    Facts,
    FieldStyle,
    Formatter,
    Instalment,
    OtherInvoice,
    spelling,
)
from dunwell.texts.mail import html_document
from dunwell.texts.markup import (
    bind,
    escaped,
    merge_full_stops,
    parse,
    plain_text,
    single_line,
    tidy,
)
from dunwell.texts.sms import shortened, sms_parts
from dunwell.texts.templates import TEMPLATE_ERRORS, LanguageTemplates, Text, compile_language

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

FRESH_LINK = "fresh-link"
"""The message that brings a new link in place of one that has expired."""
FALLBACK = "en"
"""The language used when there are no messages in a customer's language. Every catalogue must have it."""


_ALONE: Mapping[str, object] = {
    "others": (),
    "beside": (),
    "met": (),
    "holding": (),
    "suspended": False,
    "not_settled": False,
    "taken_back": None,
    "taken_back_on": None,
    "plan_ended": None,
    "missing": None,
    "iban": None,
    "claims": (),
    "accruing": None,
    "consumer": False,
}
"""Changes to the sample: no other invoices, and none of the other optional facts."""

_SETTLED: Mapping[str, object] = {"settled": True, "asked": Decimal(0), "claims": SAMPLE.claims}
"""Changes to the sample for a message about what is left of the claim once the invoice is paid."""

_LONG_OVERDUE: Mapping[str, object] = {"due_on": SAMPLE.issued_on, "today": SAMPLE.issued_on + 2 * LONG_OVERDUE}
"""Changes to the sample that make the invoice long overdue, which changes the tone of messages."""


@dataclass(frozen=True)
class Composed:
    """A composed message. Each of its forms is rendered when it is first read, and cached.

    A form that cannot be rendered raises CatalogueError naming message, field, language and the missing fact.
    """

    _language: LanguageTemplates
    _key: str
    _locale: Locale
    _facts: Facts
    _preface: str

    @cached_property
    def subject(self) -> str:
        """The subject line."""
        return single_line(self._write("subject", SUBJECT))

    @cached_property
    def text(self) -> str:
        """The body as plain text."""
        return merge_full_stops(plain_text(self._tokens))

    @cached_property
    def html(self) -> str:
        """The body as an HTML page."""
        facts = self._facts
        ways = [url for url in (facts.payment_url, facts.page_url) if url]
        sender = one_line(facts.sender_company)
        return merge_full_stops(html_document(self._tokens, self.subject, self._locale, ways, sender))

    @cached_property
    def markdown(self) -> str:
        """The body as Markdown, from which text and page are made; letters are laid out from it."""
        return merge_full_stops(self._body)

    @cached_property
    def short(self) -> str:
        """The text of an SMS, without the payment reference if that would need one more SMS.

        If naming other invoices needs one more, a shorter wording is tried. Where nothing is to be paid, the link to
        the customer's page is left out likewise.
        """
        bare = self._facts.model_copy(update={"reference": ""})
        if not self._facts.owing and self._key != FRESH_LINK:
            bare = bare.model_copy(update={"page_url": None})
        text = single_line(self._write("short", SHORT, bare))
        if self._facts.others:
            alone = single_line(self._write("short", SHORT, bare.model_copy(update={"others": ()})))
            tight = single_line(self._write("short", SHORT_TIGHT, bare))
            text = shortened(text, alone, tight)
            style = SHORT_TIGHT if text == tight else SHORT
        else:
            style = SHORT
        full = single_line(self._write("short", style))
        return merge_full_stops(full if sms_parts(full) == sms_parts(text) else text)

    @cached_property
    def numbered(self) -> NumberedText:
        """The short text for a provider that approves texts, with its facts apart."""
        return numbered(merge_full_stops(single_line(self._write("short", SHORT, marked=True))))

    @property
    def key(self) -> str:
        """Which message this is."""
        return self._key

    @property
    def claimed(self) -> tuple[tuple[Claimed, ...], date | None]:
        """What it claims beside its invoices, and the day by which the total is to be paid; None for nothing."""
        return self._facts.claims, self._facts.claim_until

    @property
    def owing(self) -> bool:
        """Whether anything is to be paid."""
        return self._facts.owing

    @property
    def reference(self) -> str:
        """The payment reference of all its invoices."""
        return self._facts.reference

    @property
    def language(self) -> str:
        """The language of the catalogue whose words these are."""
        return self._language.code

    @cached_property
    def call(self) -> str:
        """The call script."""
        return merge_full_stops(bind(tidy(self._write("call", CALL))))

    def forms(self) -> dict[str, str]:
        """Return every form by name."""
        return {name: getattr(self, name) for name in ("subject", "text", "html", "short", "call")}

    @cached_property
    def _body(self) -> str:
        return bind(f"{escaped(self._preface)}\n\n{self._write('body', BODY)}{self._small_print}")

    @cached_property
    def _tokens(self) -> list[Token]:
        return parse(self._body, self._locale.language)

    @property
    def _small_print(self) -> str:
        """The lines below every body: the attached invoices, and how to stop e-mails."""
        labels, facts = self._language.labels, self._facts
        lines = [escaped(labels["enclosed"].replace("{number}", number)) for number in facts.enclosed]
        if facts.unsubscribe_url:
            lines.append(f"[{escaped(labels['unsubscribe'])}](<{one_line(facts.unsubscribe_url)}>)")
        return "".join(f"\n\n{line}" for line in lines)

    def _write(self, field: str, style: FieldStyle, facts: Facts | None = None, *, marked: bool = False) -> str:
        language = self._language
        text: Text = getattr(language.messages[self._key], field)
        formatter = Formatter(self._locale, style)
        try:
            return text.template.render(language.context(facts or self._facts, formatter, marked=marked))
        except TEMPLATE_ERRORS as error:
            raise CatalogueError(
                str(error), file=language.file, message=self._key, field=field, language=language.code
            ) from error


class Catalogue:
    """All messages in all languages. A language is compiled when it is first used. Threads may share a catalogue."""

    def __init__(self, drafts: Mapping[str, Draft]) -> None:
        self._drafts = drafts
        self._compiled: dict[tuple[str, Callable[[str], str]], LanguageTemplates] = {}
        self.languages: tuple[str, ...] = tuple(sorted(drafts))
        messages = drafts[FALLBACK].messages
        self.keys: frozenset[str] = frozenset(messages)
        self.traits: Mapping[str, Traits] = MappingProxyType({key: one.traits for key, one in messages.items()})

    @classmethod
    def load(cls, folder: Path) -> "Catalogue":
        """Read every *.toml in `folder`, and check that all have the right shape and the same messages.

        Raises CatalogueError naming file, message, field and reason. Templates are not compiled here: `check` does
        that, and takes about half a second a language.
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
        """Compile every language and render each message with every fact, without optional ones, and long overdue.

        To be called before messages are sent or policies are checked. Raises CatalogueError naming file, message,
        field and reason.
        """
        for language in (self._templates(code, self.locale(code)) for code in self.languages):
            self._check_answers(language)
            for key in self.keys:
                paid = _SETTLED if self.traits[key].accessory else {}
                for changes in ({}, _ALONE, _LONG_OVERDUE, {**_ALONE, **_LONG_OVERDUE}):
                    facts = SAMPLE.model_copy(update={**changes, **paid})
                    Composed(language, key, language.locale, facts, "").forms()

    def _check_answers(self, language: LanguageTemplates) -> None:
        answer = AnswerWords(phrases=tuple(Phrase), words="\N{HORIZONTAL ELLIPSIS}")
        for changes in ({}, {**_ALONE, "open": Decimal(0), "asked": Decimal(0)}):
            facts = SAMPLE.model_copy(update={**changes, "answer": answer})
            Composed(language, CLERK_ANSWER, language.locale, facts, "").forms()

    def _templates(self, code: str, locale: Locale) -> LanguageTemplates:
        spelled = spelling(locale)
        if (code, spelled) not in self._compiled:  # two threads may both compile it, with the same result
            self._compiled[code, spelled] = compile_language(self._drafts[code], spelled)
        return self._compiled[code, spelled]

    def spoken(self, *wanted: str) -> str:
        """Return the first of the BCP 47 tags `wanted` whose language has messages, else English.

        The tag keeps its region, by which `compose` formats dates and money.
        """
        known = {_base(code) for code in self.languages}
        return next((one for one in wanted if _base(one) in known), FALLBACK)

    def locale(self, language: str) -> Locale:
        """Return the locale for dates and money in `language`, a tag that `spoken` returned."""
        return _regional(self._drafts[self.language_for(language)].locale, language)

    def language_for(self, wanted: str) -> str:
        """Return the code of the best language for the BCP 47 tag `wanted`: exact, base, same base, then English."""
        spoken = tag(self.spoken(wanted))
        by_tag = {tag(code): code for code in self.languages}
        relatives = [code for code in self.languages if _base(code) == _base(spoken)]
        return by_tag.get(spoken) or by_tag.get(_base(spoken)) or relatives[0]

    def labels(self, language: str) -> Mapping[str, str]:
        """Return the LABELS in the best language for the BCP 47 tag `language`, with names such as {name} in them."""
        return self._spelled(language, self._drafts[self.language_for(language)].language.labels)

    def pages(self, language: str) -> Mapping[str, str]:
        """Return the words of customers' pages, PAGES, in the same way."""
        return self._spelled(language, self._drafts[self.language_for(language)].language.pages)

    def _spelled(self, language: str, words: Mapping[str, str]) -> Mapping[str, str]:
        spelled = spelling(self.locale(language))
        return MappingProxyType({name: spelled(text) for name, text in words.items()})

    def name_of(self, language: str) -> str:
        """Return what the language of this code calls itself, such as "Español"."""
        return self._drafts[language].language.name

    def compose(self, key: str, language: str, facts: Facts, *, preface: str = "") -> Composed:
        """Compose message `key` for `facts`. `preface` is a plain sentence above the body, as on a copy.

        `language` is a language of the catalogue or a regional form of one: "es-MX" uses the messages of "es" and
        the Mexican formats of dates and money. Raises CatalogueError for an unknown message or language.
        """
        code = self.language_for(language)
        if _base(code) != _base(language):
            reason = f"no such language; there are {', '.join(self.languages)}"
            raise CatalogueError(reason, message=key, language=language)
        if key not in self.keys and key != CLERK_ANSWER:
            reason = f"no such message; {did_you_mean(key, self.traits)}"
            raise CatalogueError(reason, message=key, language=language)
        locale = self.locale(language)
        return Composed(self._templates(code, locale), key, locale, facts, preface)


def in_country(language: str, country: str) -> str:
    """Return `language` with the region `country`: "es-MX" for "es" and "MX".

    Unchanged when it names a region already or is no official language of that country.
    """
    known = parsed_locale(language)
    if known is None or known.territory is not None:
        return language
    spoken = get_official_languages(country, regional=True, de_facto=True)
    regional = f"{language}-{country}"
    return regional if known.language in spoken and parsed_locale(regional) is not None else language


def _base(language: str) -> str:
    return tag(language).partition("-")[0]


def _regional(locale: Locale, wanted: str) -> Locale:
    """Return the wanted region's locale if it has the same language and script, else `locale`."""
    region = parsed_locale(wanted)
    if region is None or region.territory is None:
        return locale
    same = region.language == locale.language and region.script == locale.script
    return region if same else locale

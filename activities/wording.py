"""What Dunwell says: the message catalogue, one TOML file a language, and the composer that fills it in.

A catalogue file is written by people who know the language, not the program. They get every fact ready for
print: money and dates as the locale writes them, plurals as functions, shared sentences by name. A fact that
a case lacks is false in `{% if %}` and an error where it would be printed, so no gap ever reaches a debtor.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from babel import Locale, UnknownLocaleError
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markdown_it.token import Token
from pydantic import Field, StrictBool, StrictStr, ValidationError

from activities.layout import html_document, literal, one_line, one_stop, parse, plain_text, sms_parts, tidy
from activities.phrases import (
    BODY,
    CALL,
    FACT_NAMES,
    SAMPLE,
    SHORT,
    SUBJECT,
    TIGHT,
    Facts,
    Instalment,
    OtherInvoice,
    Pen,
    Voice,
    counter,
    words,
)
from domain.model import Value

__all__ = [
    "CONSEQUENCES",
    "FALLBACK",
    "LABELS",
    "Catalogue",
    "CatalogueError",
    "Composed",
    "Facts",
    "Instalment",
    "OtherInvoice",
    "Traits",
]

CONSEQUENCES = frozenset({"restricted", "suspended", "legal", "handed_over"})
"""What a message may announce, or say has happened."""

LABELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "copy": frozenset({"name"}),
        "invoice": frozenset(),
        "our_reference": frozenset(),
        "pay_slip": frozenset(),
        "payable_to": frozenset(),
        "account": frozenset(),
        "bank": frozenset(),
        "amount": frozenset(),
        "reference": frozenset(),
        "pay_by": frozenset(),
        "scan_to_pay": frozenset(),
        "page": frozenset({"n", "total"}),
        "enclosed": frozenset({"number"}),
        "unsubscribe": frozenset(),
        "stop_means": frozenset(),
        "stop_done": frozenset(),
        "stop_reply": frozenset({"address"}),
    }
)
"""The labels a language must have, each with the places, such as {name}, that the program fills in."""

FALLBACK = "en"
"""The language of last resort; a catalogue must have it."""


class Traits(Value):
    """What a message does: announces a consequence, states one that happened, asks for money."""

    announces: bool = False
    states: str | None = None
    asks: bool = False


class CatalogueError(Exception):
    """A catalogue that cannot be used, or a message that cannot be composed: where, and why."""

    def __init__(
        self,
        reason: str,
        *,
        file: str | None = None,
        message: str | None = None,
        field: str | None = None,
        language: str | None = None,
    ) -> None:
        places = (
            file,
            f"message {message!r}" if message else None,
            f"field {field!r}" if field else None,
            f"language {language!r}" if language else None,
        )
        super().__init__(f"{', '.join(place for place in places if place)}: {reason}")
        self.reason = reason
        self.file = file
        self.message = message
        self.field = field
        self.language = language


# ---- the shape of a catalogue file


class _Message(Value):
    subject: StrictStr = Field(min_length=1)
    body: StrictStr = Field(min_length=1)
    short: StrictStr = Field(min_length=1)
    call: StrictStr = Field(min_length=1)
    asks: StrictBool = False
    announces: StrictBool = False
    states: StrictStr | None = None

    @property
    def traits(self) -> Traits:
        return Traits(announces=self.announces, states=self.states, asks=self.asks)


class _Language(Value):
    code: StrictStr
    name: StrictStr = Field(min_length=1)
    plurals: dict[str, dict[str, StrictStr]]
    consequences: dict[str, StrictStr]
    consequences_short: dict[str, StrictStr]
    labels: dict[str, StrictStr]
    fragments: dict[str, StrictStr]


# ---- templates

_CONSEQUENCE_NAMES = frozenset({"consequence", "consequence_short", "consequence_on"})


class _Absent(StrictUndefined):
    """A fact this case does not have: false in a condition, an error where it would be printed."""

    def __bool__(self) -> bool:  # type: ignore[override]  # Jinja2 types every operation as failing
        return False

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"needs {self._undefined_name}, which this case does not have"


_TEMPLATES = ImmutableSandboxedEnvironment(undefined=_Absent, trim_blocks=True, lstrip_blocks=True)
_TEMPLATE_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError)


@dataclass(frozen=True)
class _Text:
    """One compiled template and the facts it uses, those of its shared fragments included."""

    template: Template
    uses: frozenset[str]


class _Spoken:
    """A fragment inside another template: rendered with the same facts, and only where it is printed."""

    __slots__ = ("_context", "_text")

    def __init__(self, text: _Text, context: Mapping[str, object]) -> None:
        self._text = text
        self._context = context

    def __str__(self) -> str:
        return self._text.template.render(self._context)


@dataclass(frozen=True)
class _Script:
    """One message of one language, compiled."""

    subject: _Text
    body: _Text
    short: _Text
    call: _Text


@dataclass(frozen=True)
class _Book:
    """One language, compiled."""

    file: str
    code: str
    locale: Locale
    plurals: Mapping[str, Mapping[str, str]]
    labels: Mapping[str, str]
    fragments: Mapping[str, _Text]
    consequences: Mapping[str, _Text]
    consequences_short: Mapping[str, _Text]
    scripts: Mapping[str, _Script]

    def context(self, facts: Facts, pen: Pen) -> Mapping[str, object]:
        """Every name that a template of this language may use."""
        context = words(facts, pen)
        for name, forms in self.plurals.items():
            context[name] = counter(forms, pen.locale)
        for name, text in self.fragments.items():
            context[name] = _Spoken(text, context)
        for name, sentences in (
            ("consequence", self.consequences),
            ("consequence_short", self.consequences_short),
        ):
            if facts.consequence in CONSEQUENCES:
                context[name] = _Spoken(sentences[facts.consequence], context)
            elif facts.consequence is not None:
                hint = f"unknown consequence {facts.consequence!r}; known: {_listed(CONSEQUENCES)}"
                context[name] = _Absent(hint)
        return context


@dataclass(frozen=True)
class Composed:
    """A message ready to leave. Each of its forms is written when it is first asked for, and kept.

    A form that cannot be written raises CatalogueError naming message, field, language and what is missing.
    """

    _book: _Book
    _key: str
    _locale: Locale
    _facts: Facts
    _preface: str

    @cached_property
    def subject(self) -> str:
        """The subject line."""
        return one_line(self._write("subject", SUBJECT))

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
        text = one_line(self._write("short", SHORT))
        if self._facts.others:
            alone = one_line(self._write("short", SHORT, self._facts.model_copy(update={"others": ()})))
            tight = one_line(self._write("short", TIGHT))
            if sms_parts(alone) < sms_parts(text) > sms_parts(tight):
                return one_stop(tight)
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
        return f"{literal(self._preface)}\n\n{self._write('body', BODY)}{self._small_print}"

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
        text: _Text = getattr(script, field)
        try:
            return text.template.render(book.context(facts or self._facts, Pen(self._locale, voice)))
        except _TEMPLATE_FAULTS as error:
            raise CatalogueError(
                str(error), file=book.file, message=self._key, field=field, language=book.code
            ) from error


# ---- reading a catalogue file: its shape, at once

_T = TypeVar("_T", bound=Value)


@dataclass(frozen=True)
class _Draft:
    """One language as its file has it: the shape is right, the templates are not compiled yet."""

    file: str
    language: _Language
    locale: Locale
    messages: Mapping[str, _Message]


@dataclass(frozen=True)
class _Reader:
    """Reads one catalogue file and checks its shape."""

    file: str

    def read(self, path: Path) -> _Draft:
        tables = self._tables(path)
        language = self._language(tables.pop("language", None), path.stem)
        locale = self._locale(language.code)
        self._check_plurals(language, locale)
        self._check_consequences(language)
        self._check_labels(language.labels)
        messages = {key: self._message(key, table) for key, table in tables.items()}
        return _Draft(self.file, language, locale, messages)

    def _tables(self, path: Path) -> dict[str, object]:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise CatalogueError(f"this is no TOML file: {error}", file=self.file) from error

    def _language(self, table: object, stem: str) -> _Language:
        if table is None:
            raise CatalogueError("the [language] table is missing", file=self.file, field="language")
        language = self._checked(_Language, table, prefix="language.")
        if language.code != stem:
            reason = f"is {language.code!r}, but the file is named {stem}.toml; make them the same"
            raise CatalogueError(reason, file=self.file, field="language.code")
        return language

    def _locale(self, code: str) -> Locale:
        locale = _parsed_locale(code)
        if locale is None:
            reason = f"{code!r} is no language known to CLDR; use a code such as 'fr' or 'pt-BR'"
            raise CatalogueError(reason, file=self.file, field="language.code")
        return locale

    def _message(self, key: str, table: object) -> _Message:
        message = self._checked(_Message, table, message=key)
        if message.states is not None and message.states not in CONSEQUENCES:
            reason = f"{message.states!r} is no consequence; use one of {_listed(CONSEQUENCES)}"
            raise CatalogueError(reason, file=self.file, message=key, field="states")
        return message

    def _checked(self, model: type[_T], table: object, prefix: str = "", message: str = "") -> _T:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = prefix + ".".join(str(part) for part in first["loc"])
            reason = first["msg"]
            if first["type"] == "extra_forbidden":
                reason = f"unknown field{_did_you_mean(field.removeprefix(prefix), model.model_fields)}"
            raise CatalogueError(reason, file=self.file, message=message or None, field=field or None) from error

    def _check_plurals(self, language: _Language, locale: Locale) -> None:
        wanted = {"other"} | {locale.plural_form(count) for count in range(200)}
        for name, forms in language.plurals.items():
            if missing := wanted - forms.keys():
                reason = f"plural forms missing: {_listed(missing)}"
                raise CatalogueError(reason, file=self.file, field=f"language.plurals.{name}")

    def _check_consequences(self, language: _Language) -> None:
        for field in ("consequences", "consequences_short"):
            have = getattr(language, field).keys()
            if have != CONSEQUENCES:
                reason = f"needs exactly {_listed(CONSEQUENCES)}; it has {_listed(have)}"
                raise CatalogueError(reason, file=self.file, field=f"language.{field}")

    def _check_labels(self, labels: Mapping[str, str]) -> None:
        if labels.keys() != LABELS.keys():
            missing, unknown = LABELS.keys() - labels.keys(), labels.keys() - LABELS.keys()
            reason = f"missing: {_listed(missing)}; unknown: {_listed(unknown)}"
            raise CatalogueError(reason, file=self.file, field="language.labels")
        for name, text in labels.items():
            have = frozenset(re.findall(r"\{(.*?)\}", text))
            if not text.strip() or have != LABELS[name]:
                reason = (
                    f"{text!r} must be a text with these braces: {_listed(f'{{{place}}}' for place in LABELS[name])}"
                )
                raise CatalogueError(reason, file=self.file, field=f"language.labels.{name}")


# ---- compiling a language: its templates, when they are first needed


@dataclass(frozen=True)
class _Compiler:
    """Compiles the templates of one catalogue file and checks what they speak of."""

    file: str

    def compile(self, draft: _Draft) -> _Book:
        language = draft.language
        known = dict.fromkeys(FACT_NAMES | language.plurals.keys(), frozenset[str]())
        fragments = self._shared("language.fragments", language.fragments, known, chain=True)
        consequences, consequences_short = (
            self._shared(f"language.{field}", table, known)
            for field, table in (
                ("consequences", language.consequences),
                ("consequences_short", language.consequences_short),
            )
        )
        known |= {"consequence": frozenset(), "consequence_short": frozenset()}
        return _Book(
            self.file,
            language.code,
            draft.locale,
            language.plurals,
            language.labels,
            fragments,
            consequences,
            consequences_short,
            {key: self._script(key, message, known) for key, message in draft.messages.items()},
        )

    def _shared(
        self, field: str, table: Mapping[str, str], known: dict[str, frozenset[str]], *, chain: bool = False
    ) -> dict[str, _Text]:
        """Compile a table of shared texts. With `chain`, each may use those above it, so none can loop."""
        texts = {}
        for name, source in table.items():
            texts[name] = self._text(source, known, field=f"{field}.{name}")
            if chain:
                if name in known or name in _CONSEQUENCE_NAMES:
                    raise CatalogueError(
                        "this name is taken; choose another", file=self.file, field=f"{field}.{name}"
                    )
                known[name] = texts[name].uses
        return texts

    def _script(self, key: str, message: _Message, known: Mapping[str, frozenset[str]]) -> _Script:
        texts = {
            field: self._text(str(getattr(message, field)), known, field=field, message=key)
            for field in ("subject", "body", "short", "call")
        }
        for field, text in texts.items():
            self._check_announcement(key, field, message.announces, text)
            if message.asks and not text.uses & {"others", "bills"}:
                reason = "asks for payment, but never tells of {{ others }}, the invoices that share the message"
                raise CatalogueError(reason, file=self.file, message=key, field=field)
        return _Script(**texts)

    def _check_announcement(self, key: str, field: str, announces: bool, text: _Text) -> None:
        """The trait must tell the truth: a ladder is checked against it, so that no threat is empty."""
        speaks = bool(text.uses & {"consequence", "consequence_short"})
        if announces and not speaks and field != "subject":
            reason = "the message is marked announces = true, but this text never says {{ consequence }}"
        elif not announces and text.uses & _CONSEQUENCE_NAMES:
            reason = "speaks of a consequence, but the message is not marked announces = true"
        else:
            return
        raise CatalogueError(reason, file=self.file, message=key, field=field)

    def _text(
        self, source: str, known: Mapping[str, frozenset[str]], *, field: str, message: str | None = None
    ) -> _Text:
        try:
            parsed = _TEMPLATES.parse(source)
            names = find_undeclared_variables(parsed)
            template = _TEMPLATES.from_string(parsed)
        except TemplateSyntaxError as error:
            reason = f"line {error.lineno} of the text: {error.message}"
            raise CatalogueError(reason, file=self.file, message=message, field=field) from error
        for name in sorted(names - known.keys()):
            reason = f"unknown name {name!r}{_did_you_mean(name, known)}"
            raise CatalogueError(reason, file=self.file, message=message, field=field)
        return _Text(template, frozenset(names).union(*(known[name] for name in names)))


def _did_you_mean(word: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {_listed(known)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


# ---- the catalogue


class Catalogue:
    """All messages in all languages; safe to share between threads. A language is compiled when it is first used."""

    def __init__(self, drafts: Mapping[str, _Draft]) -> None:
        self._drafts = drafts
        self._books: dict[str, _Book] = {}
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
            draft = _Reader(f"{folder.name}/{path.name}").read(path)
            drafts[draft.language.code] = draft
        if FALLBACK not in drafts:
            raise CatalogueError(f"{FALLBACK}.toml is missing; every catalogue needs it", file=folder.name)
        for draft in drafts.values():
            _check_agrees(draft, drafts[FALLBACK])
        return cls(drafts)

    def check(self) -> None:
        """Compile every language and try each message with every fact there is, with other invoices and without.

        For whoever is about to send, or to judge a ladder. Raises CatalogueError naming file, message, field
        and reason.
        """
        for book in map(self._book, self.languages):
            for key in book.scripts:
                Composed(book, key, book.locale, SAMPLE, "").forms()
                Composed(book, key, book.locale, SAMPLE.model_copy(update={"others": ()}), "").forms()

    def _book(self, code: str) -> _Book:
        if code not in self._books:  # two threads may both compile it: the same twice does no harm
            draft = self._drafts[code]
            self._books[code] = _Compiler(draft.file).compile(draft)
        return self._books[code]

    def spoken(self, *wanted: str) -> str:
        """The first of the BCP 47 tags `wanted` in whose language there are messages, else English.

        For `compose`: the tag keeps its region, which says how dates and money are written.
        """
        known = {_base(code) for code in self.languages}
        return next((tag for tag in wanted if _base(tag) in known), FALLBACK)

    def locale(self, language: str) -> Locale:
        """How dates and money are written in `language`, a tag that `spoken` gave."""
        return _regional(self._drafts[self.language_for(language)].locale, language)

    def language_for(self, wanted: str) -> str:
        """The best language there is for BCP 47 tag `wanted`: exact, base, same base, then English."""
        tag = _tag(self.spoken(wanted))
        by_tag = {_tag(code): code for code in self.languages}
        relatives = [code for code in self.languages if _base(code) == _base(tag)]
        return by_tag.get(tag) or by_tag.get(_base(tag)) or relatives[0]

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
            reason = f"no such message{_did_you_mean(key, self.traits)}"
            raise CatalogueError(reason, message=key, language=language)
        return Composed(self._book(code), key, self.locale(language), facts, preface)


def _check_agrees(draft: _Draft, reference: _Draft) -> None:
    for key in sorted(reference.messages.keys() - draft.messages.keys()):
        raise CatalogueError(f"missing here, but {reference.file} has it", file=draft.file, message=key)
    for key in sorted(draft.messages.keys() - reference.messages.keys()):
        raise CatalogueError(f"{reference.file} has no such message", file=draft.file, message=key)
    for key, message in draft.messages.items():
        for field, expected in reference.messages[key].traits:
            actual = getattr(message, field)
            if actual != expected:
                reason = f"is {actual!r}, but {expected!r} in {reference.file}; traits must be the same"
                raise CatalogueError(reason, file=draft.file, message=key, field=field)


def _tag(language: str) -> str:
    return language.strip().replace("_", "-").casefold()


def _base(language: str) -> str:
    return _tag(language).partition("-")[0]


def _parsed_locale(language: str) -> Locale | None:
    try:
        return Locale.parse(_tag(language), sep="-")
    except (ValueError, UnknownLocaleError):
        return None


def _regional(locale: Locale, wanted: str) -> Locale:
    """The wanted region's locale where it writes the same language in the same script, else `locale`."""
    region = _parsed_locale(wanted)
    if region is None or region.territory is None:
        return locale
    same = region.language == locale.language and region.script == locale.script
    return region if same else locale

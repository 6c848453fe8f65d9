"""What Dunwell says: the message catalogue, one TOML file a language, and the composer that fills it in.

A catalogue file is written by people who know the language, not the program. They get every fact ready for
print: money and dates as the locale writes them, plurals as functions, shared sentences by name. A fact that
a case lacks is false in `{% if %}` and an error where it would be printed, so no gap ever reaches a debtor.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar
from unicodedata import category

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal, get_currency_symbol, parse_pattern
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from pydantic import Field, StrictBool, StrictStr, ValidationError

from domain.model import Value

CONSEQUENCES = frozenset({"restricted", "suspended", "legal", "handed_over"})
"""What a message may announce, or say has happened."""

FALLBACK = "en"
"""The language of last resort; a catalogue must have it."""


class Instalment(Value):
    """One part of an agreed payment plan."""

    on: date
    amount: Decimal


class Facts(Value):
    """All that a message may speak of: one invoice, one person, one day.

    Amounts are in `currency` with `digits` minor units. `open` is what is unpaid, `asked` is `open` minus a
    disputed part, `credit` is what was overpaid. `today` is the date in the debtor's zone. `earlier` holds
    the days on which earlier reminders of this invoice reached them. `consequence` is what the ladder does
    next (one of CONSEQUENCES) and `consequence_on` its date. `promise_on` and `promise_amount` describe the
    latest promise, `instalments` the agreed plan.
    """

    contact_name: str
    company: str
    number: str
    issued_on: date
    due_on: date
    today: date
    amount: Decimal
    paid: Decimal
    open: Decimal
    asked: Decimal
    currency: str
    digits: int
    payment_url: str | None = None
    earlier: tuple[date, ...] = ()
    consequence: str | None = None
    consequence_on: date | None = None
    promise_on: date | None = None
    promise_amount: Decimal | None = None
    instalments: tuple[Instalment, ...] = ()
    credit: Decimal = Decimal(0)
    sender_name: str
    sender_company: str
    reply_to: str | None = None


class Composed(Value):
    """A message ready to leave: subject line, plain text, HTML document, SMS text, script for a call."""

    subject: str
    text: str
    html: str
    short: str
    call: str


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
    fragments: dict[str, StrictStr]


# ---- how a value is written

_NO_BREAK = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"  # between an amount and its currency; kept in bodies


def _one_line(text: str) -> str:
    """`text` on one line, without control characters: a name can forge neither a header nor a paragraph."""
    return " ".join(_without_controls(text).split())


def _literal(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    tidy = re.sub(rf"[^\S{_NO_BREAK}]+", " ", _without_controls(text)).strip()
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", tidy)


def _without_controls(text: str) -> str:
    return "".join(char for char in text if char.isspace() or category(char) != "Cc")


@dataclass(frozen=True)
class _Voice:
    """How facts are written into one field of a message."""

    dates: Literal["medium", "long"]
    guard: Callable[[str], str]
    brief: bool = False  # for SMS: no needless year, and only currency signs of the basic SMS alphabet


_SUBJECT = _Voice("medium", _one_line)
_BODY = _Voice("long", _literal)
_SHORT = _Voice("medium", _one_line, brief=True)
_CALL = _Voice("long", _one_line)


@dataclass(frozen=True)
class _Pen:
    """Writes facts the way `locale` does, in one voice."""

    locale: Locale
    voice: _Voice

    def text(self, value: str | None) -> str | None:
        return self.voice.guard(value) if value else None

    def day(self, value: date | None, today: date) -> str | None:
        if value is None:
            return None
        if self.voice.brief and value.year == today.year:
            return self.text(format_skeleton("MMMd", value, locale=self.locale))
        return self.text(format_date(value, self.voice.dates, locale=self.locale))

    def days(self, values: tuple[date, ...], today: date) -> str | None:
        """The days in order, as a list in words; without the year while all are of this year."""
        ordered = sorted(set(values))
        if all(day.year == today.year for day in ordered):
            written = [format_skeleton("MMMMd", day, locale=self.locale) for day in ordered]
        else:
            written = [format_date(day, self.voice.dates, locale=self.locale) for day in ordered]
        return self.text(format_list(written, locale=self.locale))

    def money(self, value: Decimal | None, facts: Facts) -> str | None:
        """The amount with the invoice's own minor units; None for no amount."""
        if value is None:
            return None
        shape = self.locale.currency_formats["standard"].pattern
        symbol = get_currency_symbol(facts.currency, locale=self.locale)
        if self.voice.brief and not (symbol.isascii() or symbol in "£¥€"):
            shape, symbol = shape.replace("¤", "¤¤"), facts.currency  # "¤¤" is the currency's ISO code
        if symbol[-1:].isalpha():  # CLDR: a symbol that ends in a letter does not touch the digits
            shape = re.sub(r"¤(?=[#0])", "¤\N{NO-BREAK SPACE}", shape)
        pattern = parse_pattern(shape)
        pattern.frac_prec = (facts.digits, facts.digits)
        written = pattern.apply(value, self.locale, facts.currency, currency_digits=False, decimal_quantization=False)
        return self.text(written)


def _words(facts: Facts, pen: _Pen) -> dict[str, object]:
    """Every fact a template may use, ready for print. What the case does not have is left out."""

    def day(value: date | None) -> str | None:
        return pen.day(value, facts.today)

    def unless_zero(value: Decimal) -> str | None:
        return pen.money(value, facts) if value else None

    words: dict[str, object | None] = {
        "contact_name": pen.text(facts.contact_name),
        "company": pen.text(facts.company),
        "number": pen.text(facts.number),
        "sender_name": pen.text(facts.sender_name),
        "sender_company": pen.text(facts.sender_company),
        "reply_to": pen.text(facts.reply_to),
        "payment_url": pen.text(facts.payment_url),
        "issued_on": day(facts.issued_on),
        "due_on": day(facts.due_on),
        "today": day(facts.today),
        "days_left": max(0, (facts.due_on - facts.today).days),
        "days_late": max(0, (facts.today - facts.due_on).days),
        "amount": pen.money(facts.amount, facts),
        "open": pen.money(facts.open, facts),
        "asked": pen.money(facts.asked, facts),
        "paid": unless_zero(facts.paid),
        "disputed": unless_zero(facts.open - facts.asked),
        "credit": unless_zero(facts.credit),
        "earlier": pen.days(facts.earlier, facts.today) if facts.earlier else None,
        "consequence_on": day(facts.consequence_on),
        "promise_on": day(facts.promise_on),
        "promise_amount": pen.money(facts.promise_amount, facts),
        "instalments": [{"on": day(part.on), "amount": pen.money(part.amount, facts)} for part in facts.instalments]
        or None,
    }
    return {name: word for name, word in words.items() if word is not None}


_SAMPLE = Facts(
    contact_name="Ada Byron",
    company="Engine Works",
    number="A-1",
    issued_on=date(2026, 1, 2),
    due_on=date(2026, 2, 1),
    today=date(2026, 2, 15),
    amount=Decimal(100),
    paid=Decimal(10),
    open=Decimal(90),
    asked=Decimal(80),
    currency="EUR",
    digits=2,
    payment_url="https://pay.example/a-1",
    earlier=(date(2026, 2, 3), date(2026, 2, 9)),
    consequence="restricted",
    consequence_on=date(2026, 2, 20),
    promise_on=date(2026, 2, 18),
    promise_amount=Decimal(40),
    instalments=(Instalment(on=date(2026, 2, 18), amount=Decimal(40)),),
    credit=Decimal(5),
    sender_name="Max Weber",
    sender_company="Looms Ltd",
    reply_to="max@looms.example",
)
"""A case that has every fact: each template is tried with it when a catalogue is loaded."""

_FACT_NAMES = frozenset(_words(_SAMPLE, _Pen(Locale("en"), _CALL)))
_CONSEQUENCE_NAMES = frozenset({"consequence", "consequence_short", "consequence_on"})


# ---- templates


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
    traits: Traits


@dataclass(frozen=True)
class _Book:
    """One language, compiled."""

    file: str
    code: str
    locale: Locale
    plurals: Mapping[str, Mapping[str, str]]
    fragments: Mapping[str, _Text]
    consequences: Mapping[str, _Text]
    consequences_short: Mapping[str, _Text]
    scripts: Mapping[str, _Script]

    def compose(self, key: str, locale: Locale, facts: Facts) -> Composed:
        """Write message `key`. Raises CatalogueError naming message, field, language and what is missing."""
        script = self.scripts[key]

        def write(field: str, text: _Text, voice: _Voice) -> str:
            try:
                return text.template.render(self._context(facts, _Pen(locale, voice)))
            except _TEMPLATE_FAULTS as error:
                raise CatalogueError(
                    str(error), file=self.file, message=key, field=field, language=self.code
                ) from error

        subject = _one_line(write("subject", script.subject, _SUBJECT))
        tokens = _MARKDOWN.parse(write("body", script.body, _BODY))
        return Composed(
            subject=subject,
            text=_plain_text(tokens),
            html=_html_document(tokens, subject, locale, facts.payment_url),
            short=_one_line(write("short", script.short, _SHORT)),
            call=_tidy(write("call", script.call, _CALL)),
        )

    def _context(self, facts: Facts, pen: _Pen) -> Mapping[str, object]:
        context = _words(facts, pen)
        for name, forms in self.plurals.items():
            context[name] = _counter(forms, pen.locale)
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


def _counter(forms: Mapping[str, str], locale: Locale) -> Callable[[int], str]:
    def counted(count: int) -> str:
        form = forms.get(locale.plural_form(count), forms["other"])
        return form.replace("{n}", format_decimal(count, locale=locale))

    return counted


# ---- reading a catalogue file

_T = TypeVar("_T", bound=Value)


@dataclass(frozen=True)
class _Reader:
    """Checks and compiles one catalogue file."""

    file: str

    def read(self, path: Path) -> _Book:
        tables = self._tables(path)
        language = self._language(tables.pop("language", None), path.stem)
        locale = self._locale(language.code)
        self._check_plurals(language, locale)
        known = dict.fromkeys(_FACT_NAMES | language.plurals.keys(), frozenset[str]())
        fragments = self._shared("language.fragments", language.fragments, known, chain=True)
        consequences, consequences_short = (
            self._shared(f"language.{field}", table, known)
            for field, table in (
                ("consequences", language.consequences),
                ("consequences_short", language.consequences_short),
            )
        )
        self._check_consequences(language)
        known |= {"consequence": frozenset(), "consequence_short": frozenset()}
        scripts = {key: self._script(key, table, known) for key, table in tables.items()}
        return _Book(
            self.file,
            language.code,
            locale,
            language.plurals,
            fragments,
            consequences,
            consequences_short,
            scripts,
        )

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

    def _shared(
        self, field: str, table: Mapping[str, str], known: dict[str, frozenset[str]], *, chain: bool = False
    ) -> dict[str, _Text]:
        """Compile a table of shared texts. With `chain`, each may use those above it, so none can loop."""
        texts = {}
        for name, source in table.items():
            texts[name] = self._compile(source, known, field=f"{field}.{name}")
            if chain:
                if name in known or name in _CONSEQUENCE_NAMES:
                    raise CatalogueError(
                        "this name is taken; choose another", file=self.file, field=f"{field}.{name}"
                    )
                known[name] = texts[name].uses
        return texts

    def _script(self, key: str, table: object, known: Mapping[str, frozenset[str]]) -> _Script:
        message = self._checked(_Message, table, message=key)
        texts = {
            field: self._compile(str(getattr(message, field)), known, field=field, message=key)
            for field in ("subject", "body", "short", "call")
        }
        if message.states is not None and message.states not in CONSEQUENCES:
            reason = f"{message.states!r} is no consequence; use one of {_listed(CONSEQUENCES)}"
            raise CatalogueError(reason, file=self.file, message=key, field="states")
        for field, text in texts.items():
            self._check_announcement(key, field, message.announces, text)
        return _Script(**texts, traits=message.traits)

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

    def _compile(
        self, source: str, known: Mapping[str, frozenset[str]], *, field: str, message: str | None = None
    ) -> _Text:
        try:
            names = find_undeclared_variables(_TEMPLATES.parse(source))
            template = _TEMPLATES.from_string(source)
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
    """All messages in all languages. Immutable after `load`; safe to share between threads."""

    def __init__(self, books: Mapping[str, _Book]) -> None:
        self._books = books
        self.languages: tuple[str, ...] = tuple(sorted(books))
        scripts = books[FALLBACK].scripts
        self.keys: frozenset[str] = frozenset(scripts)
        self.traits: Mapping[str, Traits] = MappingProxyType({key: script.traits for key, script in scripts.items()})

    @classmethod
    def load(cls, folder: Path) -> "Catalogue":
        """Read every *.toml in `folder`, check that all languages agree, and try each message once.

        Raises CatalogueError naming file, message, field and reason.
        """
        books = {}
        for path in sorted(folder.glob("*.toml")):
            book = _Reader(f"{folder.name}/{path.name}").read(path)
            books[book.code] = book
        if FALLBACK not in books:
            raise CatalogueError(f"{FALLBACK}.toml is missing; every catalogue needs it", file=folder.name)
        for book in books.values():
            _check_agrees(book, books[FALLBACK])
            for key in book.scripts:
                book.compose(key, book.locale, _SAMPLE)
        return cls(books)

    def language_for(self, wanted: str) -> str:
        """The best language there is for BCP 47 tag `wanted`: exact, base, same base, then English."""
        tag = _tag(wanted)
        by_tag = {_tag(code): code for code in self.languages}
        relatives = [code for code in self.languages if _base(code) == _base(tag)]
        return by_tag.get(tag) or by_tag.get(_base(tag)) or (relatives or [FALLBACK])[0]

    def compose(self, key: str, language: str, facts: Facts) -> Composed:
        """Write message `key` for `facts`.

        `language` is a language of the catalogue, or a regional form of one: "es-MX" takes the words of
        "es" and writes dates and money the Mexican way. Raises CatalogueError naming message, language and
        what is missing.
        """
        book = self._books[self.language_for(language)]
        if _base(book.code) != _base(language):
            reason = f"no such language; there are {', '.join(self.languages)}"
            raise CatalogueError(reason, message=key, language=language)
        if key not in self.keys:
            reason = f"no such message{_did_you_mean(key, self.traits)}"
            raise CatalogueError(reason, message=key, language=language)
        return book.compose(key, _regional(book.locale, language), facts)


def _check_agrees(book: _Book, reference: _Book) -> None:
    for key in sorted(reference.scripts.keys() - book.scripts.keys()):
        raise CatalogueError(f"missing here, but {reference.file} has it", file=book.file, message=key)
    for key in sorted(book.scripts.keys() - reference.scripts.keys()):
        raise CatalogueError(f"{reference.file} has no such message", file=book.file, message=key)
    for key, script in book.scripts.items():
        for field, expected in reference.scripts[key].traits:
            actual = getattr(script.traits, field)
            if actual != expected:
                reason = f"is {actual!r}, but {expected!r} in {reference.file}; traits must be the same"
                raise CatalogueError(reason, file=book.file, message=key, field=field)


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


# ---- from Markdown to plain text and HTML

_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_BUTTON = (
    "display:inline-block;padding:14px 28px;border-radius:6px;background:#0b5d4b;color:#ffffff;"
    "font-weight:bold;text-decoration:none"
)
_LAYOUT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True).from_string(
    """\
<!doctype html>
<html lang="{{ lang }}" dir="{{ direction }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { margin: 0; background: #f3f4f6; color: #1f2933; }
main { max-width: 36em; margin: 0 auto; padding: 24px 20px; background: #ffffff;
  font: 16px/1.5 -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; overflow-wrap: anywhere; }
ul, ol { padding-inline-start: 1.2em; }
hr { border: 0; border-top: 1px solid #d5dae0; margin: 24px 0 12px; }
hr ~ p { color: #52606d; font-size: 14px; }
</style>
</head>
<body>
<main>
{{ content }}
</main>
</body>
</html>
"""
)


def _html_document(tokens: list[Token], title: str, locale: Locale, payment_url: str | None) -> str:
    pay_link = _MARKDOWN.normalizeLink(_one_line(payment_url)) if payment_url else None
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open" and child.attrGet("href") == pay_link:
                child.attrSet("style", _BUTTON)
    content = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return _LAYOUT.render(
        lang=str(locale).replace("_", "-"),
        direction=locale.text_direction,
        title=title,
        content=Markup(content.strip()),
    )


def _plain_text(tokens: list[Token]) -> str:
    """The Markdown as people write plain text: lists with marks, links as "label: address"."""
    blocks: list[str] = []
    counters: list[int | None] = []  # one per open list; None for a list without numbers
    mark = ""
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            ordered = token.type == "ordered_list_open"
            counters.append(int(token.attrGet("start") or 1) if ordered else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            counters.pop()
            mark = ""
            blocks.append("\n")
        elif token.type == "list_item_open":
            number = counters[-1]
            mark = "  " * (len(counters) - 1) + ("- " if number is None else f"{number}. ")
            counters[-1] = None if number is None else number + 1
        elif token.type == "inline":
            blocks.append(mark + _inline_text(token.children or []) + "\n")
            mark = " " * len(mark) if counters else ""
        elif token.type in ("paragraph_close", "heading_close") and not token.hidden:
            blocks.append("\n")
        elif token.type == "hr":
            blocks.append("---\n\n")
        elif token.type in ("code_block", "fence"):
            blocks.append(token.content + "\n")
    return _tidy("".join(blocks))


def _inline_text(tokens: list[Token]) -> str:
    text = ""
    links: list[tuple[int, str]] = []  # where each open link's label starts, and its address
    for token in tokens:
        if token.type == "softbreak":
            text += " "
        elif token.type == "hardbreak":
            text += "\n"
        elif token.type == "link_open":
            links.append((len(text), str(token.attrGet("href"))))
        elif token.type == "link_close":
            start, href = links.pop()
            text += "" if text[start:] == href else f": {href}"
        else:
            text += token.content
    return text


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines)

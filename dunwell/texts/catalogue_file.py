"""Reads a catalogue file, which holds one language, and checks its shape. Its templates are not compiled here."""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from babel import Locale, UnknownLocaleError
from pydantic import Field, StrictBool, StrictStr, ValidationError

from dunwell.domain.clerk_answer import Phrase
from dunwell.domain.model import Value
from dunwell.domain.refusal import refusal_of
from dunwell.domain.spelling import did_you_mean
from dunwell.domain.toml_text import TomlFault, parse_toml
from dunwell.texts.page_words import PAGES

CONSEQUENCES = frozenset({"restricted", "suspended", "legal", "handed_over"})
"""The consequences that a message may announce or state."""

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
        "bad_link": frozenset(),
        "bad_stop_link": frozenset(),
        "bad_pay_link": frozenset(),
        "page_away": frozenset(),
        "page_away_means": frozenset(),
        "statement": frozenset({"day"}),
        **dict.fromkeys(
            (
                *(
                    "page_link",
                    "page_link_settled",
                    "scan_to_answer",
                    "bad_page_link",
                    "sample_link",
                    "sample_link_means",
                ),
                *("fresh_link", "fresh_link_means", "fresh_link_choice", "fresh_link_unchosen", "fresh_link_asked"),
                *("customer_number", "nothing_open", "due", "invoiced", "open", "interest", "lump_sum", "costs"),
                *("in_dispute", "total_due", "payments", "date", "credit", "statement_note"),
            ),
            frozenset[str](),
        ),
    }
)
"""The labels that a language must have, each with the names in braces that the program fills in."""


ANSWER_SUBJECT, ANSWER_OPENING = "subject", "opening"
ANSWERS = frozenset(Phrase) | {ANSWER_SUBJECT, ANSWER_OPENING}
"""The texts of clerks' answers that a language must have: phrases, a subject where a reply has none, an opening."""


class Traits(Value):
    """What a message does.

    announces  it announces a consequence
    states     the consequence that it says has happened
    asks       it asks for payment
    accessory  it asks for what is left of interest and costs once the invoice is paid, and for nothing else
    """

    announces: bool = False
    states: str | None = None
    asks: bool = False
    accessory: bool = False


class CatalogueError(Exception):
    """A catalogue cannot be used, or a message cannot be composed. The text says where and why."""

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


class Message(Value):
    """A message of a file: its four texts as Jinja2 templates, and its traits."""

    subject: StrictStr = Field(min_length=1)
    body: StrictStr = Field(min_length=1)
    short: StrictStr = Field(min_length=1)
    call: StrictStr = Field(min_length=1)
    asks: StrictBool = False
    announces: StrictBool = False
    states: StrictStr | None = None
    accessory: StrictBool = False

    @property
    def traits(self) -> Traits:
        return Traits(announces=self.announces, states=self.states, asks=self.asks, accessory=self.accessory)


class Language(Value):
    """The [language] table: what all messages of the language share."""

    code: StrictStr
    name: StrictStr = Field(min_length=1)
    plurals: dict[str, dict[str, StrictStr]]
    consequences: dict[str, StrictStr]
    consequences_short: dict[str, StrictStr]
    labels: dict[str, StrictStr]
    pages: dict[str, StrictStr]
    answers: dict[str, StrictStr]
    fragments: dict[str, StrictStr]


_T = TypeVar("_T", bound=Value)


@dataclass(frozen=True)
class Draft:
    """A language as its file has it, checked in shape, its templates not compiled."""

    file: str
    language: Language
    locale: Locale
    messages: Mapping[str, Message]


def read_draft(path: Path) -> Draft:
    """Read one catalogue file. Raises CatalogueError naming file, message, field and reason."""
    return _Reader(f"{path.parent.name}/{path.name}").read(path)


@dataclass(frozen=True)
class _Reader:
    """Checks the shape of one catalogue file."""

    file: str

    def read(self, path: Path) -> Draft:
        tables = self._tables(path)
        language = self._language(tables.pop("language", None), path.stem)
        locale = self._locale(language.code)
        self._check_plurals(language, locale)
        self._check_consequences(language)
        self._check_words("labels", language.labels, LABELS)
        self._check_words("pages", language.pages, PAGES)
        self._check_names("answers", language.answers.keys(), ANSWERS)
        messages = {key: self._message(key, table) for key, table in tables.items()}
        return Draft(self.file, language, locale, messages)

    def _tables(self, path: Path) -> dict[str, object]:
        try:
            return parse_toml(path.read_bytes())
        except TomlFault as error:
            raise CatalogueError(str(error), file=self.file) from None

    def _language(self, table: object, stem: str) -> Language:
        if table is None:
            raise CatalogueError("the [language] table is missing", file=self.file, field="language")
        language = self._checked(Language, table, prefix="language.")
        if language.code != stem:
            reason = f"is {language.code!r}, but the file is named {stem}.toml; make them the same"
            raise CatalogueError(reason, file=self.file, field="language.code")
        return language

    def _locale(self, code: str) -> Locale:
        locale = parsed_locale(code)
        if locale is None:
            reason = f"{code!r} is no language known to CLDR; use a code such as 'fr' or 'pt-BR'"
            raise CatalogueError(reason, file=self.file, field="language.code")
        return locale

    def _message(self, key: str, table: object) -> Message:
        message = self._checked(Message, table, message=key)
        if message.states is not None and message.states not in CONSEQUENCES:
            reason = f"{message.states!r} is no consequence; use one of {listed(CONSEQUENCES)}"
            raise CatalogueError(reason, file=self.file, message=key, field="states")
        return message

    def _checked(self, model: type[_T], table: object, prefix: str = "", message: str = "") -> _T:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            refused = refusal_of(error)
            field, reason = prefix + refused.field, refused.reason
            if error.errors(include_url=False, include_input=False)[0]["type"] == "extra_forbidden":
                reason = f"unknown field; {did_you_mean(field.removeprefix(prefix), model.model_fields)}"
            raise CatalogueError(reason, file=self.file, message=message or None, field=field or None) from error

    def _check_plurals(self, language: Language, locale: Locale) -> None:
        wanted = {"other"} | {locale.plural_form(count) for count in range(200)}
        for name, forms in language.plurals.items():
            if missing := wanted - forms.keys():
                reason = f"plural forms missing: {listed(missing)}"
                raise CatalogueError(reason, file=self.file, field=f"language.plurals.{name}")

    def _check_consequences(self, language: Language) -> None:
        for field in ("consequences", "consequences_short"):
            have = getattr(language, field).keys()
            if have != CONSEQUENCES:
                reason = f"needs exactly {listed(CONSEQUENCES)}; it has {listed(have)}"
                raise CatalogueError(reason, file=self.file, field=f"language.{field}")

    def _check_words(self, table: str, words: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> None:
        self._check_names(table, words.keys(), wanted.keys())
        for name, text in words.items():
            have = frozenset(re.findall(r"\{(.*?)\}", text))
            if not text.strip() or have != wanted[name]:
                reason = (
                    f"{text!r} must be a text with these braces: {listed(f'{{{place}}}' for place in wanted[name])}"
                )
                raise CatalogueError(reason, file=self.file, field=f"language.{table}.{name}")

    def _check_names(self, table: str, have: Set[str], wanted: Set[str]) -> None:
        if have != wanted:
            reason = f"missing: {listed(wanted - have)}; unknown: {listed(have - wanted)}"
            raise CatalogueError(reason, file=self.file, field=f"language.{table}")


def check_agrees(draft: Draft, reference: Draft) -> None:
    """Raise CatalogueError unless both have the same messages with the same traits."""
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


def tag(language: str) -> str:
    """Return a BCP 47 tag normalised for comparison."""
    return language.strip().replace("_", "-").casefold()


def parsed_locale(language: str) -> Locale | None:
    """Return the CLDR locale of a BCP 47 tag; None when there is none."""
    try:
        return Locale.parse(tag(language), sep="-")
    except (ValueError, UnknownLocaleError):
        return None


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"

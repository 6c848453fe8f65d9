"""The compiled templates of one language, checked for the facts and consequences that they use."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from babel import Locale
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dunwell.domain.clerk_answer import CLERK_ANSWER
from dunwell.domain.spelling import did_you_mean
from dunwell.texts.approved import CONSTANT, mark
from dunwell.texts.catalogue_file import (
    ANSWER_OPENING,
    ANSWER_SUBJECT,
    CONSEQUENCES,
    CatalogueError,
    Draft,
    Message,
    listed,
)
from dunwell.texts.formatting import FACT_NAMES, AnswerWords, Facts, Formatter, counter, formatted_facts
from dunwell.texts.markup import paragraphs

_ANSWER = Message(
    subject="{{ answer_subject }}",
    body="{{ answer_opening }}\n\n{{ answer }}\n\n{{ sign_off }}",
    short="{{ sender_company }}: {{ answer }}{% if page_url %} {{ page_url }}{% endif %} {{ opt_out }}",
    call="{{ answer }}",
)
"""The frame of a clerk's answer, around phrases and words."""
_ANSWER_NAMES = frozenset({"answer", "answer_subject", "answer_opening"})
_CONSEQUENCE_NAMES = frozenset({"consequence", "consequence_short", "consequence_on"})


class _Absent(StrictUndefined):
    """A fact that the case lacks: false in a condition, an error where it would be printed."""

    def __bool__(self) -> bool:  # type: ignore[override]  # Jinja2 types every operation as failing
        return False

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"needs {self._undefined_name}, which this case does not have"


_REPLY_MARKS = re.compile(r"^(?:(?:re|aw|sv|rv|r|antw|vs|отг|res|bls)\s*:\s*)+", re.IGNORECASE)
"""What mail programs write before the subject of a reply, in several languages."""

_TEMPLATES = ImmutableSandboxedEnvironment(undefined=_Absent, trim_blocks=True, lstrip_blocks=True)
TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError)
"""What rendering a template may raise."""


@dataclass(frozen=True)
class Text:
    """A compiled template and the names it uses, with those of its fragments."""

    template: Template
    uses: frozenset[str]


class _Fragment:
    """A shared text inside another template: rendered with the same facts, and only where it is printed."""

    __slots__ = ("_context", "_text")

    def __init__(self, text: Text, context: Mapping[str, object]) -> None:
        self._text = text
        self._context = context

    def __str__(self) -> str:
        return self._text.template.render(self._context)


@dataclass(frozen=True)
class MessageTemplates:
    """The compiled templates of one message."""

    subject: Text
    body: Text
    short: Text
    call: Text


@dataclass(frozen=True)
class LanguageTemplates:
    """The compiled templates of one language. A clerk's answer is one of its messages, of which no ladder knows."""

    file: str
    code: str
    locale: Locale
    plurals: Mapping[str, Mapping[str, str]]
    labels: Mapping[str, str]
    fragments: Mapping[str, Text]
    answers: Mapping[str, Text]
    consequences: Mapping[str, Text]
    consequences_short: Mapping[str, Text]
    messages: Mapping[str, MessageTemplates]

    def context(self, facts: Facts, formatter: Formatter, *, marked: bool = False) -> Mapping[str, object]:
        """Return every name that a template of this language may use, with its value.

        With `marked`, each fact is put between marks (see approved.py).
        """
        context = formatted_facts(facts, formatter)
        for name, forms in self.plurals.items():
            context[name] = counter(forms, formatter)
        if marked:
            context = {name: value if name in CONSTANT else mark(value) for name, value in context.items()}
        if facts.page_url:
            label = self.labels["page_link" if facts.owing else "page_link_settled"]
            context["page_link"] = f"[{formatter.style.guard(label)}](<{context['page_url']}>)"
        for name, text in self.fragments.items():
            context[name] = _Fragment(text, context)
        if facts.answer is not None:
            context["answer_opening"] = _Fragment(self.answers[ANSWER_OPENING], context)
            context["answer_subject"] = self._answer_subject(facts.answer, context, formatter)
            context["answer"] = self._answer(facts.answer, context, formatter)
        for name, sentences in (
            ("consequence", self.consequences),
            ("consequence_short", self.consequences_short),
        ):
            if facts.consequence in CONSEQUENCES:
                context[name] = _Fragment(sentences[facts.consequence], context)
            elif facts.consequence is not None:
                hint = f"unknown consequence {facts.consequence!r}; known: {listed(CONSEQUENCES)}"
                context[name] = _Absent(hint)
        return context

    def _answer_subject(self, answer: AnswerWords, context: Mapping[str, object], formatter: Formatter) -> object:
        if not answer.subject:
            return _Fragment(self.answers[ANSWER_SUBJECT], context)
        return formatter.style.guard(f"Re: {_REPLY_MARKS.sub('', answer.subject)}")

    def _answer(self, answer: AnswerWords, context: Mapping[str, object], formatter: Formatter) -> str:
        """Return phrases and words, a paragraph each, or in one line for an SMS. Raises what a template may raise."""
        said = [self.answers[name].template.render(context) for name in answer.phrases]
        if formatter.style.brief:
            return " ".join([*said, formatter.style.guard(answer.words)])
        return "\n\n".join([*said, *paragraphs(answer.words, formatter.style.guard)])


def compile_language(draft: Draft, spelled: Callable[[str], str] = str) -> LanguageTemplates:
    """Compile the templates of a file. Raises CatalogueError naming file, message, field and reason.

    spelled  spells the file's words, but no facts, as a country does
    """
    return _Compiler(draft.file, spelled).compile(draft)


@dataclass(frozen=True)
class _Compiler:
    """Compiles and checks the templates of one catalogue file."""

    file: str
    spelled: Callable[[str], str]

    def compile(self, draft: Draft) -> LanguageTemplates:
        language = draft.language
        known = dict.fromkeys(FACT_NAMES | language.plurals.keys() | {"page_link"}, frozenset[str]())
        fragments = self._shared("language.fragments", language.fragments, known, chain=True)
        answers = self._shared("language.answers", language.answers, known)
        consequences, consequences_short = (
            self._shared(f"language.{field}", table, known)
            for field, table in (
                ("consequences", language.consequences),
                ("consequences_short", language.consequences_short),
            )
        )
        known |= {"consequence": frozenset(), "consequence_short": frozenset()}
        return LanguageTemplates(
            self.file,
            language.code,
            draft.locale,
            {
                name: {form: self.spelled(words) for form, words in forms.items()}
                for name, forms in language.plurals.items()
            },
            {name: self.spelled(words) for name, words in language.labels.items()},
            fragments,
            answers,
            consequences,
            consequences_short,
            {key: self._message(key, message, known) for key, message in draft.messages.items()}
            | {
                CLERK_ANSWER: self._message(
                    CLERK_ANSWER, _ANSWER, {**known, **dict.fromkeys(_ANSWER_NAMES, frozenset())}
                )
            },
        )

    def _shared(
        self, field: str, table: Mapping[str, str], known: dict[str, frozenset[str]], *, chain: bool = False
    ) -> dict[str, Text]:
        """Compile a table of shared texts. With `chain`, each may use only those above it, so that none can loop."""
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

    def _message(self, key: str, message: Message, known: Mapping[str, frozenset[str]]) -> MessageTemplates:
        texts = {
            field: self._text(str(getattr(message, field)), known, field=field, message=key)
            for field in ("subject", "body", "short", "call")
        }
        for field, text in texts.items():
            self._check_announcement(key, field, message.announces, text)
            if message.asks and not text.uses & {"others", "bills"}:
                reason = "asks for payment, but never tells of {{ others }}, the invoices that share the message"
                raise CatalogueError(reason, file=self.file, message=key, field=field)
            if message.accessory and (message.asks or not text.uses & {"claims", "claim_total"}):
                reason = (
                    "asks for what is left of a paid invoice: it is no message that asks = true, and each text names"
                )
                raise CatalogueError(f"{reason} {{{{ claim_total }}}}", file=self.file, message=key, field=field)
        if message.asks and not {"claims", "interest_since"} <= texts["body"].uses:
            reason = "asks for payment, but never tells of {{ claims }}, what is owed beside it: use {{ claim }}"
            raise CatalogueError(reason, file=self.file, message=key, field="body")
        if "page_link" not in texts["body"].uses:
            reason = "never shows {{ page_link }}, the way to the customer's own page: use {{ sign_off }}"
            raise CatalogueError(reason, file=self.file, message=key, field="body")
        return MessageTemplates(**texts)

    def _check_announcement(self, key: str, field: str, announces: bool, text: Text) -> None:
        """Raise CatalogueError if the trait `announces` is wrong: the policy check for empty threats relies on it."""
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
    ) -> Text:
        try:
            parsed = _TEMPLATES.parse(self.spelled(source))
            names = find_undeclared_variables(parsed)
            template = _TEMPLATES.from_string(parsed)
        except TemplateSyntaxError as error:
            reason = f"line {error.lineno} of the text: {error.message}"
            raise CatalogueError(reason, file=self.file, message=message, field=field) from error
        for name in sorted(names - known.keys()):
            reason = f"unknown name {name!r}; {did_you_mean(name, known)}"
            raise CatalogueError(reason, file=self.file, message=message, field=field)
        return Text(template, frozenset(names).union(*(known[name] for name in names)))

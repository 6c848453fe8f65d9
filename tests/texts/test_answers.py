"""Clerks' answers in every language: each phrase, its facts, the words between them, and the frame around them."""

import re
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.clerk_answer import CLERK_ANSWER, Phrase
from dunwell.texts.catalogue import Composed
from dunwell.texts.catalogue_file import ANSWERS
from dunwell.texts.formatting import SAMPLE, AnswerWords
from tests.builders import the_catalogue

LANGUAGES = the_catalogue().languages
SETTLED: dict[str, Any] = {"open": Decimal(0), "asked": Decimal(0), "paid": Decimal(100)}

NAMES_THE_INVOICE = set(Phrase) - {Phrase.SORRY, Phrase.LOOK, Phrase.WHO, Phrase.GOODBYE}
NAMES_AN_AMOUNT = {Phrase.DATE: "80", Phrase.FOUND: "90", Phrase.OUTCOME: "90", Phrase.COPY: "100"}


def composed(language: str, *phrases: Phrase, words: str = "", subject: str = "", **facts: Any) -> Composed:
    answer = AnswerWords(phrases=phrases, words=words, subject=subject)
    update = {"others": (), **facts, "answer": answer}
    return the_catalogue().compose(CLERK_ANSWER, language, SAMPLE.model_copy(update=update))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_phrase_says_its_facts_in_its_language(language: str) -> None:
    said = {phrase: composed(language, phrase) for phrase in Phrase}
    for phrase, message in said.items():
        for form, text in message.forms().items():
            assert "{" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL), (phrase, form)
        assert ("A-1" in message.short) == (phrase in NAMES_THE_INVOICE), phrase
        assert NAMES_AN_AMOUNT.get(phrase, "") in message.text, phrase
        assert message.short.endswith((".", "?", "STOP")) or "STOP" in message.short
    assert len({message.text for message in said.values()}) == len(Phrase)


def test_no_language_lacks_a_phrase_or_has_that_of_another() -> None:
    """What stands in a file is checked when it is read; that it is a translation, here."""
    for name in ANSWERS - {"opening"}:
        drafts = the_catalogue()._drafts.values()
        assert len({draft.language.answers[name] for draft in drafts}) == len(LANGUAGES), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_once_nothing_is_open_no_phrase_speaks_of_money_to_come(language: str) -> None:
    for phrase in (Phrase.FOUND, Phrase.OUTCOME):
        settled, open_ = composed(language, phrase, **SETTLED).short, composed(language, phrase).short
        assert settled != open_
        assert re.search(r"\b90\b", open_) and not re.search(r"\b(90|0[.,]00)\b", settled)


@pytest.mark.parametrize("language", LANGUAGES)
def test_whom_to_ask_is_said_as_far_as_it_is_known(language: str) -> None:
    both, mail = composed(language, Phrase.WHO).short, composed(language, Phrase.WHO, phone=None).short
    call = composed(language, Phrase.WHO, reply_to=None).short
    assert ("max@looms.example" in both, "+49 30 901820" in both) == (True, True)
    assert ("max@looms.example" in mail, "+49" in mail) == (True, False)
    assert ("@" in call, "+49 30 901820" in call) == (False, True)


def test_a_clerks_own_words_stay_as_they_typed_them() -> None:
    words = "First *line* <b>\r\nsecond_line\r\n\r\n\r\n# Not a heading\n{{ number }}"
    message = composed("en", Phrase.THANKS, words=words)
    assert "First *line* <b>\nsecond_line\n\n# Not a heading\n{{ number }}\n\nPay, name a date" in message.text
    assert "&lt;b&gt;" in message.html and "<b>" not in message.html and "<h1>" not in message.html
    assert "First *line* <b> second_line # Not a heading {{ number }} https://" in message.short


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("", "Your message about invoice A-1"),
        ("Invoice", "Re: Invoice"),
        ("RE: Aw: re:Invoice", "Re: Invoice"),
        ("Rest of it", "Re: Rest of it"),
        ("Bill\r\nBcc: eve@evil.example", "Re: Bill Bcc: eve@evil.example"),
    ],
)
def test_the_subject_goes_on_with_theirs(theirs: str, ours: str) -> None:
    assert composed("en", Phrase.THANKS, subject=theirs).subject == ours


def test_phrases_stand_in_the_order_chosen() -> None:
    text = composed("de", Phrase.GOODBYE, Phrase.THANKS).text
    assert text.index("Wenn noch etwas unklar ist") < text.index("Vielen Dank für Ihre Nachricht")

"""Codes within a sentence, as people read them: "the case is handed over", "says accounts payable"."""

import re

from dunwell.domain.events import OF_A_TALK
from dunwell.domain.statement_layout import COLUMN_FIELDS
from dunwell.domain.terms import Role, Stage

_WORDS = {
    code: "our account manager" if code == Role.ACCOUNT_MANAGER else code.replace("_", " ")
    for code in (*map(str, Role), *map(str, Stage), *OF_A_TALK, *COLUMN_FIELDS)
    if "_" in code
}
_CODE = re.compile(rf"(?<![\w.@/-])(?:{'|'.join(_WORDS)})(?![\w@-]|\.\w)")
"""A code by itself; not one within an id or an address."""


def with_plain_words(text: str) -> str:
    """Return a sentence with words in place of codes. A code that is all of the text stays, for programs."""
    return text if text in _WORDS else _CODE.sub(lambda found: _WORDS[found[0]], text)


def plain_word(text: str) -> str:
    """Return text with words in place of codes, also of one that is all of it."""
    return _WORDS.get(text) or with_plain_words(text)

"""Cleans text that comes from outside, in one place: characters that nobody sees, or that reorder text, go."""

import re
import unicodedata

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_VISIBLE = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Format characters that are printed: signs of numbers and verses."""

_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidi embeddings, overrides and isolates: they can make "fdp.exe" look like "exe.pdf"."""

_SHOWN = 60  # characters of a bad value that fit a terminal line
_VIRAMA = 9  # the canonical combining class of signs that a joiner may follow
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_BREAKS = re.compile(r"[\n\r\t\v\f\x1c-\x1f\x85\u2028\u2029]")


def clean(text: str) -> str:
    """`text` without control characters, broken characters, bidi controls and zero-width characters.

    Line breaks and tabs stay as they are, or as a line feed where a terminal would take them for a command.
    Joiners stay where Indic and Arabic spelling needs them.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(_kept(text, place) for place in range(len(text)))


def is_clean(text: str) -> bool:
    """Whether cleaning leaves `text` as it is. No id is otherwise, and a database may refuse to look for it."""
    return clean(text) == text


def one_line(text: str) -> str:
    """`text` cleaned and on one line, single spaces between words: no name can forge a header or a paragraph."""
    return " ".join(clean(text).split())


def printable(text: str, limit: int = _SHOWN) -> str:
    """`text` as a refusal shows it: at most `limit` characters, unprintable ones escaped instead of left out."""
    short = text if len(text) <= limit else text[:limit] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short)


def reordering(text: str) -> str | None:
    """The first character that changes the order in which other text is shown; None without one."""
    return next((char for char in text if char in _REORDERING), None)


def isolated(text: str) -> str:
    """`text` so that a right-to-left name does not reorder the sentence around it; all other text unchanged."""
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _kept(text: str, place: int) -> str:
    char = text[place]
    if _BREAKS.match(char):
        return char if char in "\n\t" else "\n"
    category = unicodedata.category(char)
    if category in ("Cc", "Cs"):
        return ""
    if category != "Cf" or char in _VISIBLE:
        return char
    return char if char in _JOINERS and place and _takes_joiner(text[place - 1]) else ""


def _takes_joiner(before: str) -> bool:
    """Whether spelling can need a joiner after `before`, by the rules for names on the internet (RFC 5892, A.1)."""
    return unicodedata.combining(before) == _VIRAMA or unicodedata.bidirectional(before) == "AL"

"""Short codes as people type them."""

import unicodedata
from collections.abc import Mapping

_SPELLED: Mapping[int, str] = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "æ": "ae", "ø": "o", "ł": "l"}
)


def code_typed(text: str) -> str:
    """Return a short code without accents, and with hyphens in place of spaces."""
    return "-".join(without_accents(text).split())


def without_accents(text: str) -> str:
    """Return text in the plain letters of its own: "zahlungsunfaehig" for "zahlungsunfähig"."""
    spelled = unicodedata.normalize("NFC", text).translate(_SPELLED)
    plain = unicodedata.normalize("NFKD", spelled)
    return unicodedata.normalize("NFC", "".join(char for char in plain if not unicodedata.combining(char)))

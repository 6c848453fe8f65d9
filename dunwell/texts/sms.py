"""The cost of an SMS: its alphabet and number of parts, and the choice of the cheaper of two wordings."""

from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_EXTENDED = frozenset("^{}\\[~]|€")  # each counts as two characters


@dataclass(frozen=True)
class SmsCost:
    """The length of a text in the alphabet that it needs, and the number of SMS."""

    characters: int
    alphabet: Literal["GSM-7", "UCS-2"]
    parts: int


def sms_cost(text: str) -> SmsCost:
    """Return the cost of a text. One SMS holds 160 characters of the basic alphabet (GSM-7), or 70 others (UCS-2)."""
    if set(text) <= _GSM_7 | _GSM_7_EXTENDED:
        length = len(text) + sum(char in _GSM_7_EXTENDED for char in text)
        return SmsCost(length, "GSM-7", 1 if length <= 160 else -(-length // 153))
    length = len(text.encode("utf-16-le")) // 2
    return SmsCost(length, "UCS-2", 1 if length <= 70 else -(-length // 67))


def sms_parts(text: str) -> int:
    """Return the number of SMS that a text needs."""
    return sms_cost(text).parts


def basic_letters(text: str) -> str:
    """Return the text with each Latin letter that is not in the basic alphabet without its accents: "aout"."""
    return "".join(char if char in _GSM_7 else normalize("NFD", char)[0] for char in text)


def shortened(text: str, alone: str, tight: str) -> str:
    """Return `text`, or `tight` if naming other invoices costs one part more and `tight` saves it.

    alone  the text without the other invoices
    tight  the text with them and without optional words
    """
    return tight if sms_parts(alone) < sms_parts(text) > sms_parts(tight) else text

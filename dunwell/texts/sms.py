"""What an SMS costs: its alphabet, how many parts it is sent in, and which of two wordings is sent."""

from dataclasses import dataclass
from typing import Literal

_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_EXTENDED = frozenset("^{}\\[~]|€")  # each takes the room of two


@dataclass(frozen=True)
class SmsCost:
    """How long a text is in the alphabet that it needs, and how many SMS it takes."""

    characters: int
    alphabet: Literal["GSM-7", "UCS-2"]
    parts: int


def sms_cost(text: str) -> SmsCost:
    """What `text` costs: one SMS holds 160 characters of the basic alphabet (GSM-7), or 70 of any other (UCS-2)."""
    if set(text) <= _GSM_7 | _GSM_7_EXTENDED:
        length = len(text) + sum(char in _GSM_7_EXTENDED for char in text)
        return SmsCost(length, "GSM-7", 1 if length <= 160 else -(-length // 153))
    length = len(text.encode("utf-16-le")) // 2
    return SmsCost(length, "UCS-2", 1 if length <= 70 else -(-length // 67))


def sms_parts(text: str) -> int:
    """How many SMS `text` costs."""
    return sms_cost(text).parts


def shortened(text: str, alone: str, tight: str) -> str:
    """`text`, or `tight` where telling of other invoices costs one part more and `tight` saves it.

    alone  the text without the other invoices
    tight  the text with them, without the words that can be spared
    """
    return tight if sms_parts(alone) < sms_parts(text) > sms_parts(tight) else text

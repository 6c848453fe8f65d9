"""The key of an address: equal for every spelling of one e-mail address, telephone number or postal address.

Opt-outs, bounces, caps and joint messages compare keys and never spellings; a provider is given the spelling.
"""

import re
import unicodedata

from dunwell.domain.terms import Channel

_NO_DIGIT = re.compile(r"\D+")
_BETWEEN_WORDS = re.compile(r"[\s,]+")
_REHEARSAL = "rehearsal:"


def address_key(channel: Channel, address: str, *, rehearsal: bool = False) -> str:
    """The key of `address` as `channel` reads it. Keys of rehearsals never equal real ones.

    An e-mail address is case-folded, its local part too: no provider of today tells a@x from A@x. A telephone
    number is its digits behind a "+", as E.164 has them. A postal address is its words, however they are laid out.
    """
    plain = unicodedata.normalize("NFKC", address).strip()
    match channel:
        case Channel.EMAIL:
            key = plain.casefold()
        case Channel.SMS | Channel.CALL | Channel.MEETING:
            key = "+" + _NO_DIGIT.sub("", plain)
        case Channel.LETTER | Channel.VISIT:
            key = " ".join(word for word in _BETWEEN_WORDS.split(plain.casefold()) if word)
    return _REHEARSAL + key if rehearsal else key


def plain_key(key: str) -> str:
    """The key that the address has in earnest."""
    return key.removeprefix(_REHEARSAL)

"""The key of an address: equal for every spelling of one e-mail address, telephone number or postal address.

Opt-outs, bounces, caps and joint messages compare keys and never spellings; a provider is given the spelling.
"""

import re
import unicodedata

from dunwell.domain.channels import AddressKind, Channel

_NO_DIGIT = re.compile(r"\D+")
_BETWEEN_WORDS = re.compile(r"[\s,]+")
_REHEARSAL = "rehearsal:"


def address_key(channel: Channel, address: str, *, rehearsal: bool = False) -> str:
    """The key of `address` as `channel` reads it. Keys of rehearsals never equal real ones."""
    key = spelling_key(channel.facts.address, address)
    return _REHEARSAL + key if rehearsal else key


def spelling_key(kind: AddressKind, address: str) -> str:
    """The key of an address of that kind.

    An e-mail address is case-folded, its local part too: no provider of today distinguishes a@x from A@x. A telephone
    number is its digits behind a "+", as E.164 has them. A postal address is its words, however they are laid out.
    """
    plain = unicodedata.normalize("NFKC", address).strip()
    match kind:
        case AddressKind.MAILBOX:
            return plain.casefold()
        case AddressKind.NUMBER:
            return "+" + _NO_DIGIT.sub("", plain)
        case AddressKind.POSTAL:
            return " ".join(word for word in _BETWEEN_WORDS.split(plain.casefold()) if word)


def plain_key(key: str) -> str:
    """The address's key without the mark of a rehearsal."""
    return key.removeprefix(_REHEARSAL)

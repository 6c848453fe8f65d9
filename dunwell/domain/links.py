"""Links by which customers act without a login: their tokens, what each lets its holder do, and how long it lives.

A token is made of a random id and a secret, so it can be made again and is stored nowhere. Only a hash of it is kept.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from string import ascii_letters, digits
from typing import NamedTuple

LIFE = timedelta(days=60)
"""How long a link lives after the last of its invoices was settled."""

SAMPLE = "x" * 22
"""Stands for the token wherever a message is shown or rehearsed: as long as a token, and it opens nothing."""

_ALPHABET = digits + ascii_letters
_LENGTH = 22  # 62 ** 22 is more than 2 ** 128
_BYTES = 16
_LONGEST = 64  # characters of what may be a token; more cannot be one


class LinkKind(StrEnum):
    """What a link opens.

    page         the page about the invoices of a message
    restriction  the page about a restricted account
    reply        nothing: the token is a part of the address to which an e-mail is answered
    """

    PAGE = "page"
    RESTRICTION = "restriction"
    REPLY = "reply"


class Scope(StrEnum):
    """What the holder of a link may do.

    see      read the page and the invoice
    pay      be told how to pay, and say that it is paid
    promise  name a day, split the sum, ask for some days
    dispute  say that something is wrong
    contact  ask for a call, name somebody else
    stop     stop e-mails to the address
    """

    SEE = "see"
    PAY = "pay"
    PROMISE = "promise"
    DISPUTE = "dispute"
    CONTACT = "contact"
    STOP = "stop"


class KeptLink(NamedTuple):
    """What is kept of a link, and what its token is made of again."""

    kind: LinkKind
    link_id: str
    hash: str


def token_of(secret: str, kind: LinkKind, link_id: str) -> str:
    """Return the token of a link. Of a reply it has small letters and digits only, because mail forgets case."""
    digest = _digest(secret, f"link.{kind.value}.{link_id}").digest()[:_BYTES]
    if kind is LinkKind.REPLY:
        return b32encode(digest).decode().rstrip("=").lower()
    number, signs = int.from_bytes(digest), ""
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        signs += _ALPHABET[place]
    return signs


def hash_of(secret: str, token: str) -> str:
    """Return the hash by which a token is found. Any text has one, which takes as long to make."""
    return _digest(secret, f"stored.{token[:_LONGEST]}").hexdigest()


def proof_of(secret: str, link_id: str, said: str) -> str:
    """Return what shows that the holder of a link was told this."""
    return _digest(secret, f"said.{link_id}.{said}").hexdigest()[: 2 * _BYTES]


def expiry(made_at: datetime, settled: Iterable[datetime | None]) -> datetime | None:
    """Return when a link ends, by the times at which its invoices were settled; None while one of them is open."""
    latest = made_at
    for at in settled:
        if at is None:
            return None
        latest = max(latest, at)
    return latest + LIFE


def _digest(secret: str, text: str) -> "hmac.HMAC":
    return hmac.new(secret.encode(), text.encode("utf-8", "replace"), sha256)

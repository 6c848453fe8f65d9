"""Reads mails: their headers, addresses and parts, whatever is wrong with them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import getaddresses, parseaddr

from dunwell.domain.cleaning import clean, one_line
from dunwell.domain.received_mail import ReceivedFile, ReceivedMail

MOST_FILES = 25
_MOST_ADDRESS = 200
_MOST_PARTS = 200
_MOST_HEADERS = 500
_FOLDED = re.compile(r"\r?\n[ \t]+")


def person_of(value: str) -> tuple[str, str]:
    """The address and the name in a From header; "" for what is none."""
    name, address = parseaddr(one_line(value))
    return address_in(address), one_line(name)[:_MOST_ADDRESS]


def addresses_in(values: Iterable[str]) -> tuple[str, ...]:
    """The addresses in headers such as To and Cc."""
    found = (address_in(address) for _, address in getaddresses([one_line(value) for value in values]))
    return tuple(dict.fromkeys(address for address in found if address))


def address_in(value: str) -> str:
    """The address, or "" when it is none."""
    value = value.strip().strip("<>")
    local, sign, domain = value.rpartition("@")
    fits = bool(local and sign and domain) and len(value) <= _MOST_ADDRESS and not re.search(r"\s", value)
    return value if fits else ""


def headers_in(text: str) -> tuple[tuple[str, str], ...]:
    """The headers in a block of header lines."""
    return _headers(HeaderParser().parsestr(text, headersonly=True))


def of_mime(raw: bytes) -> ReceivedMail:
    """Read a whole mail as it went over the wire. What cannot be read of it is left out."""
    message = message_from_bytes(raw)
    headers = _headers(message)
    texts: dict[str, list[str]] = {"plain": [], "html": []}
    files: list[ReceivedFile] = []
    for part in _parts(message):
        kind = part.get_content_subtype()
        if part.get_content_maintype() == "text" and kind in texts and not _is_file(part):
            texts[kind].append(decoded(_payload(part), part.get_content_charset()))
        elif len(files) < MOST_FILES:
            files.append(ReceivedFile(name=_file_name(part), content=_payload(part)))
    sender, name = person_of(_first(headers, "from"))
    return ReceivedMail(
        sender=sender,
        sender_name=name,
        return_path=_return_path(headers),
        recipients=addresses_in(value for known, value in headers if known in ("to", "cc", "delivered-to")),
        subject=one_line(_first(headers, "subject")),
        text="\n".join(texts["plain"]),
        html="\n".join(texts["html"]),
        headers=headers,
        files=tuple(files),
    )


def decoded(content: bytes, charset: str | None) -> str:
    """The text in the charset that the sender names; without one, or in one that does not fit, in UTF-8 or cp1252."""
    for name in (charset, "utf-8"):
        try:
            return content.decode(name) if name else content.decode("utf-8")
        except (LookupError, ValueError):
            continue
    return content.decode("cp1252", "replace")


def _first(headers: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for known, value in headers if known == name), "")


def _return_path(headers: Sequence[tuple[str, str]]) -> str | None:
    found = [value for known, value in headers if known == "return-path"]
    return found[0].strip().strip("<>") if found else None


def _headers(message: Message) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.lower(), clean(_decoded_header(str(value)))) for name, value in message.items()[:_MOST_HEADERS]
    )


def _decoded_header(value: str) -> str:
    """The value with encoded words (RFC 2047) in clear; as it is when they are broken."""
    value = _FOLDED.sub(" ", value)
    if "=?" not in value:
        return value
    try:
        return "".join(
            decoded(part, charset) if isinstance(part, bytes) else part for part, charset in decode_header(value)
        )
    except (MessageError, ValueError):
        return value


def _parts(message: Message) -> Iterator[Message]:
    """The parts that hold something; a mail within a mail is one part."""
    left, seen = [message], 0
    while left and seen < _MOST_PARTS:
        part, seen = left.pop(0), seen + 1
        inner = part.get_payload()
        if isinstance(inner, list) and part.get_content_maintype() == "multipart":
            left = [*(one for one in inner if isinstance(one, Message)), *left]
        else:
            yield part


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _file_name(part: Message) -> str:
    name = part.get_filename()
    return _decoded_header(name) if isinstance(name, str) else ""


def _payload(part: Message) -> bytes:
    inner = part.get_payload()
    if isinstance(inner, list):  # a mail within the mail
        return b"".join(_as_bytes(one) for one in inner if isinstance(one, Message))
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _as_bytes(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except (MessageError, ValueError, LookupError, TypeError):
        return b""

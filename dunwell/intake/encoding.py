"""Decodes the bytes of a file."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dunwell.intake.default_language import languages_of

UTF_8, WESTERN = "utf-8", "cp1252"

# Text in windows-1252 has no quotation marks inside words and none of these capitals between small letters. They show
# that a file of DOS or Mac OS was decoded as windows-1252.
_NOT_WESTERN = re.compile(r"[^\W\d_][„”“‚‹›†‡ˆ‰•˜…][^\W\d_]|[a-zß-ÿ][ŸŠŽŒ][a-zß-ÿ]|[\udc80-\udcff]")
_CODE_PAGES = {
    **dict.fromkeys(["bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl"], "windows-1250"),
    **dict.fromkeys(["be", "bg", "kk", "mk", "mn", "ru", "sr", "uk"], "windows-1251"),
    **{"el": "windows-1253", "tr": "windows-1254", "he": "windows-1255", "ar": "windows-1256", "vi": "windows-1258"},
    **dict.fromkeys(["et", "lt", "lv"], "windows-1257"),
    **{"ja": "shift-jis", "ko": "cp949", "zh": "gb18030", "th": "cp874"},
}


@dataclass(frozen=True)
class Decoded:
    """The text of a file. Bytes that the encoding does not know are marked as the handler surrogateescape does.

    sure  False: other single-byte encodings would fit the bytes too
    """

    text: str
    encoding: str
    sure: bool = True


def decode(content: bytes) -> Decoded:
    """Decode a file by its byte order mark, or as UTF-8 when it has none."""
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return Decoded(content.decode(name, "replace"), name)
    return Decoded(content.decode(UTF_8, "surrogateescape"), UTF_8)


def decode_table(content: bytes, asked: str | None = None) -> Decoded:
    """Decode a CSV file by the encoding `asked`, or else by its bytes.

    If its bytes outside ASCII contain no valid UTF-8 at all, it is decoded as windows-1252.
    """
    if asked is not None:
        return Decoded(content.decode(asked, _bad_bytes(asked)), asked)
    found = decode(content)
    if any("\udc80" <= char <= "\udcff" for char in set(found.text)) and _is_bytewise(found.text):
        return Decoded(content.decode(WESTERN, "surrogateescape"), WESTERN, sure=False)
    return found


def _bad_bytes(encoding: str) -> str:
    # surrogateescape works only with encodings that contain ASCII unchanged.
    return "surrogateescape" if b"x;".decode(encoding, "replace") == "x;" else "replace"


def _is_bytewise(text: str) -> bool:
    return all(char < "\x80" or "\udc80" <= char <= "\udcff" for char in set(text))


def other_encoding(lines: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the first text, decoded as windows-1252, that may be in another encoding, with that encoding.

    `lines` are pairs of a text and the country code of its record. None when there is no such text.
    """
    for text, country in lines:
        if text.isascii():
            continue
        if _NOT_WESTERN.search(text):
            return text, "cp850"
        content = text.encode(WESTERN, "surrogateescape")
        for language_of in (tag.partition("-")[0] for tag in languages_of(country)):
            page = _CODE_PAGES.get(language_of)
            if page and content.decode(page, "replace") != text:
                return text, page
    return None

"""From the bytes of a file to its text."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dunwell.intake.default_language import spoken_in

UTF_8, WESTERN = "utf-8", "cp1252"

# What a Western file never has: quotation marks inside words, and capitals inside small letters. They show a file of
# DOS or Mac that was read as one of Windows.
_STRANGE = re.compile(r"[^\W\d_][„”“‚‹›†‡ˆ‰•˜…][^\W\d_]|[a-zß-ÿ][ŸŠŽŒ][a-zß-ÿ]|[\udc80-\udcff]")
_CODE_PAGES = {
    **dict.fromkeys(["bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl"], "windows-1250"),
    **dict.fromkeys(["be", "bg", "kk", "mk", "mn", "ru", "sr", "uk"], "windows-1251"),
    **{"el": "windows-1253", "tr": "windows-1254", "he": "windows-1255", "ar": "windows-1256", "vi": "windows-1258"},
    **dict.fromkeys(["et", "lt", "lv"], "windows-1257"),
    **{"ja": "shift-jis", "ko": "cp949", "zh": "gb18030", "th": "cp874"},
}


@dataclass(frozen=True)
class Decoded:
    """The text of a file. Bytes that do not fit its encoding are in it as surrogateescape marks them.

    sure  False: the bytes fit, but so they would in other encodings of one byte a letter
    """

    text: str
    encoding: str
    sure: bool = True


def decode(content: bytes) -> Decoded:
    """The text of a file by its byte order mark, else as UTF-8."""
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return Decoded(content.decode(name, "replace"), name)
    return Decoded(content.decode(UTF_8, "surrogateescape"), UTF_8)


def decode_table(content: bytes, asked: str | None = None) -> Decoded:
    """The text of a CSV file by the encoding that is `asked` for, else as the bytes themselves tell.

    One without a single letter in UTF-8, but with bytes outside ASCII, is taken for a Western one of a byte a letter.
    """
    if asked is not None:
        return Decoded(content.decode(asked, _bad_bytes(asked)), asked)
    found = decode(content)
    if any("\udc80" <= char <= "\udcff" for char in set(found.text)) and _is_bytewise(found.text):
        return Decoded(content.decode(WESTERN, "surrogateescape"), WESTERN, sure=False)
    return found


def _bad_bytes(encoding: str) -> str:
    # Only encodings that leave ASCII as it is can take a mark for a bad byte.
    return "surrogateescape" if b"x;".decode(encoding, "replace") == "x;" else "replace"


def _is_bytewise(text: str) -> bool:
    return all(char < "\x80" or "\udc80" <= char <= "\udcff" for char in set(text))


def other_encoding(lines: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """A line of a file read as Western that may be in another encoding, and that encoding; None when there is none.

    `lines` are texts with the country each is about.
    """
    for text, country in lines:
        if text.isascii():
            continue
        if _STRANGE.search(text):
            return text, "cp850"
        content = text.encode(WESTERN, "surrogateescape")
        for language_of in (tag.partition("-")[0] for tag in spoken_in(country)):
            page = _CODE_PAGES.get(language_of)
            if page and content.decode(page, "replace") != text:
                return text, page
    return None

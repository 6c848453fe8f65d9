"""What a file is, judged by its content alone: its name and the type that its sender claims prove nothing."""

from collections.abc import Iterator
from enum import StrEnum


class FileKind(StrEnum):
    """The kinds that people are asked for. The value is the media type."""

    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    HEIC = "image/heic"
    HEIF = "image/heif"

    @property
    def ending(self) -> str:
        """The ending of a file name."""
        return _ENDINGS[self]


MOST_BYTES = 5 * 1024 * 1024
"""Of a file that somebody sends us."""

_ENDINGS = {
    FileKind.PDF: "pdf",
    FileKind.PNG: "png",
    FileKind.JPEG: "jpg",
    FileKind.HEIC: "heic",
    FileKind.HEIF: "heif",
}
_BEGINNINGS = ((b"%PDF-", FileKind.PDF), (b"\x89PNG\r\n\x1a\n", FileKind.PNG), (b"\xff\xd8\xff", FileKind.JPEG))
_ENDS = {FileKind.PDF: b"%%EOF", FileKind.PNG: b"IEND", FileKind.JPEG: b"\xff\xd9"}
_LAST = 2_048
"""Bytes at the end in which the mark of the end stands: some programs add something behind it."""

_BRANDS = (
    (frozenset({b"heic", b"heix", b"heim", b"heis"}), FileKind.HEIC),
    (frozenset({b"mif1", b"mif2"}), FileKind.HEIF),
)
"""The brands of still pictures, the closest first: a photograph of a telephone has several."""


def kind_of(content: bytes) -> FileKind | None:
    """Return the kind of a file; None for every other, and for one that is torn."""
    kind = next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), None)
    if kind is None:
        return _picture_in_boxes(content)
    return kind if _ENDS[kind] in content[-_LAST:] else None


def _picture_in_boxes(content: bytes) -> FileKind | None:
    """The kind of a HEIF picture (ISO/IEC 23008-12): boxes up to its end, the first of which names its brands."""
    boxes = dict(_boxes(content))
    if content[4:8] != b"ftyp" or not boxes.keys() >= {b"ftyp", b"meta"}:
        return None
    named = boxes[b"ftyp"]
    brands = {named[:4], *(named[at : at + 4] for at in range(8, len(named), 4))}
    return next((kind for known, kind in _BRANDS if brands & known), None)


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the content of each box; nothing at all of a file that ends within one."""
    found, at = [], 0
    while at < len(content):
        size, name, head = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16]), 16
        elif size == 0:  # the last one, up to the end
            size = len(content) - at
        if size < head or at + size > len(content):
            return
        found.append((name, content[at + head : at + size]))
        at += size
    yield from found

"""What a file is, judged by its content alone: its name and the type that its sender claims prove nothing."""

from enum import StrEnum


class FileKind(StrEnum):
    """The kinds that people are asked for. The value is the media type."""

    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"

    @property
    def ending(self) -> str:
        """The ending of a file name."""
        return {FileKind.PDF: "pdf", FileKind.PNG: "png", FileKind.JPEG: "jpg"}[self]


MOST_BYTES = 5 * 1024 * 1024
"""Of a file that somebody sends us."""

_BEGINNINGS = ((b"%PDF-", FileKind.PDF), (b"\x89PNG\r\n\x1a\n", FileKind.PNG), (b"\xff\xd8\xff", FileKind.JPEG))
_ENDS = {FileKind.PDF: b"%%EOF", FileKind.PNG: b"IEND", FileKind.JPEG: b"\xff\xd9"}
_LAST = 2_048
"""Bytes at the end in which the mark of the end stands: some programs add something behind it."""


def kind_of(content: bytes) -> FileKind | None:
    """Return the kind of a file; None for every other, and for one that is torn."""
    kind = next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), None)
    return kind if kind is not None and _ENDS[kind] in content[-_LAST:] else None

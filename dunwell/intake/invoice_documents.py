"""The invoice document: a PDF beside the invoice file. Checked when the record is read, loaded when it is stored."""

from pathlib import Path

from dunwell.intake.refusals import InvalidValue
from dunwell.intake.text_checks import text

MOST_BYTES = 5 * 1024 * 1024
_MAGIC = b"%PDF-"


def check(value: object, folder: Path | None) -> Path:
    """Return the path of the PDF that `value` names inside `folder`. Raises InvalidValue.

    `folder` None: no document is accepted.
    """
    name = text(value)
    if folder is None:
        raise InvalidValue("names a file, which only an invoice file can have beside it: leave it out")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # pathlib raises RuntimeError for a loop of links
        raise InvalidValue("leads round in a circle of links, or cannot be followed: give the file itself") from None
    if not inside:
        raise InvalidValue("lies outside the folder of the invoice file: put it beside that file, or below")
    read(path, len(_MAGIC))
    return path


def read(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the first `most` bytes of a PDF, by default all. Raises InvalidValue when it is no PDF or too large."""
    try:
        if not path.is_file():
            raise InvalidValue("is not there: give the path from the folder of the invoice file")
        if path.stat().st_size > MOST_BYTES:
            raise InvalidValue(
                f"is larger than {MOST_BYTES // 1024**2} MB: make it smaller, many mailboxes refuse more"
            )
        with path.open("rb") as file:
            content = file.read(most)
    except OSError as error:
        raise InvalidValue(f"cannot be read ({error.strerror or type(error).__name__})") from None
    if not content.startswith(_MAGIC):
        raise InvalidValue("is no PDF: it does not begin with %PDF-")
    return content

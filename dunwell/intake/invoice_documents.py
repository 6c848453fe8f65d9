"""The invoice itself: a PDF beside the invoice file, looked at when its record is read, taken in when it is kept."""

from pathlib import Path

from dunwell.intake.field_checks import text
from dunwell.intake.refusals import InvalidValue

MOST_BYTES = 5 * 1024 * 1024
_MAGIC = b"%PDF-"


def check(value: object, folder: Path | None) -> Path:
    """The file that `value` names inside `folder`. Raises InvalidValue.

    folder  None: there is no place for files
    """
    name = text(value)
    if folder is None:
        raise InvalidValue("names a file, which only an invoice file can have beside it: leave it out")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # Python calls a loop of links a RuntimeError
        raise InvalidValue("leads round in a circle of links, or cannot be followed: give the file itself") from None
    if not inside:
        raise InvalidValue("lies outside the folder of the invoice file: put it beside that file, or below")
    read(path, len(_MAGIC))
    return path


def read(path: Path, most: int = MOST_BYTES) -> bytes:
    """The first `most` bytes of a PDF, by default all of it. Raises InvalidValue when it is none, or too large."""
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

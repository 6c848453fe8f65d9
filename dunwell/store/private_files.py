"""Creates files and folders with personal data so that only their owner may use them."""

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class TooOpen(Exception):
    """Other users may use a file or folder. The text is one sentence with the command that closes it."""


def keep_to_owner() -> None:
    """Set the umask so that only the owner may use what this process and its children create from now on."""
    os.umask(0o077)


def own_folder(path: Path) -> None:
    """Create the folder if it is missing. Raises TooOpen when other users may use it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(path, "700")


def own_file(path: Path) -> None:
    """Create an empty file if it is missing. Raises TooOpen when other users may use it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never open a file that exists: closing it would take away the locks that SQLite holds on it in this process.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    _check(path, "600")


def _check(path: Path, mode: str) -> None:
    found = path.stat()
    if found.st_mode & _OTHERS:
        shown = oct(stat.S_IMODE(found.st_mode))[2:]
        raise TooOpen(
            f"{path} may be used by other users of this machine (mode {shown}), and it holds personal data: "
            f"run `chmod {mode} {shlex.quote(str(path))}`."
        )

"""Files and folders that only their owner may use, because they hold names, addresses and amounts of debtors."""

import os
import shlex
import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class TooOpen(Exception):
    """A file or folder is open to other users. The text is one sentence with the command that mends it."""


def keep_to_owner() -> None:
    """Let every file that this process makes from now on, and its children make, be its owner's only."""
    os.umask(0o077)


def own_folder(path: Path) -> None:
    """Make the folder if it is missing. Raises TooOpen when other users may look into it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(path, "700")


def own_file(path: Path) -> None:
    """Make an empty file if it is missing. Raises TooOpen when other users may read or write it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    _check(path, "600")


def _check(path: Path, mode: str) -> None:
    found = path.stat()
    if found.st_mode & _OTHERS:
        shown = oct(stat.S_IMODE(found.st_mode))[2:]
        raise TooOpen(
            f"{path} may be used by other users of this machine (mode {shown}), and it holds personal data: "
            f"run `chmod {mode} {shlex.quote(str(path))}`."
        )

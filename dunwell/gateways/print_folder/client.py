"""Letters that people print and post: one PDF each in a folder.

A letter in the folder is accepted. It is delivered when somebody says that it was posted (`starter.py posted`), and
taken back when its invoices are settled first.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, Envelope, Receipt

NAME = "print-folder"
_PDF = "application/pdf"


class PrintFolderGateway:
    """Writes each letter into `folder` as <date>-<message id>.pdf, a name without personal data."""

    name = NAME
    channel = Channel.LETTER
    can_find = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, envelope: Envelope) -> Receipt:
        """Write the letter's file atomically. The same letter again replaces the file.

        Raises DeliveryError (to be tried again) when the folder cannot be written.
        """
        pdf = next(one.content for one in envelope.attachments if one.media_type == _PDF)
        found = self._files(envelope)
        target = found[0] if found else self._folder / f"{datetime.now(UTC):%Y-%m-%d}-{envelope.message_id}.pdf"
        try:
            _write(target, pdf)
        except OSError as error:
            raise DeliveryError(
                f"the letter cannot be written to {self._folder} ({error.strerror}): make room, or give this user "
                "the right to write there"
            ) from error
        return Receipt(NAME, target.name, MessageState.ACCEPTED)

    def find(self, envelope: Envelope, since: datetime) -> Receipt | None:
        """The letter's file, whatever its date."""
        found = self._files(envelope)
        return Receipt(NAME, found[0].name, MessageState.ACCEPTED) if found else None

    def take_back(self, provider_id: str) -> bool:
        """Remove a letter's file. False when somebody has taken it away already, perhaps to post it."""
        file = self._folder / Path(provider_id).name
        try:
            file.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DeliveryError(f"the letter {file.name} cannot be removed ({error.strerror})") from error
        return True

    def _files(self, envelope: Envelope) -> list[Path]:
        return sorted(self._folder.glob(f"????-??-??-{envelope.message_id}.pdf"))


def _write(target: Path, content: bytes) -> None:
    """Letters are personal: the folder and its files are their owner's only."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(target)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise

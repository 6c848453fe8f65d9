"""The print folder: a letter is a file of its own, whole or not there, whose name tells nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dunwell.domain.channels import Channel
from dunwell.gateways.base import Attachment, DeliveryError, Envelope
from dunwell.gateways.print_folder.client import PrintFolderGateway
from tests.gateways.fakes import an_envelope

PDF = b"%PDF-1.7 a letter"
ID = "3f2c9b7e55c1562c8f0a1d2e3b4c5d6e"
NOW = datetime(2027, 3, 2, tzinfo=UTC)


def a_letter(message_id: str = ID, content: bytes = PDF) -> Envelope:
    file = Attachment("letter.pdf", "application/pdf", content)
    return an_envelope(Channel.LETTER, "Werkstr. 12\n10115 Berlin", message_id=message_id, attachments=(file,))


def test_a_letter_waits_as_a_file_that_names_nobody(tmp_path: Path) -> None:
    receipt = PrintFolderGateway(tmp_path / "state" / "letters").send(a_letter())
    (file,) = (tmp_path / "state" / "letters").iterdir()
    assert (file.read_bytes(), receipt.state, receipt.provider_id) == (PDF, "accepted", file.name)
    assert file.name == f"{datetime.now(UTC):%Y-%m-%d}-{ID}.pdf"
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)


def test_a_letter_is_found_whatever_its_day_and_never_lies_there_twice(tmp_path: Path) -> None:
    gateway = PrintFolderGateway(tmp_path)
    assert gateway.find(a_letter(), NOW) is None
    (tmp_path / f"2027-03-02-{ID}.pdf").write_bytes(b"older")
    found = gateway.find(a_letter(), NOW)
    assert found is not None
    assert (found.state, found.provider_id) == ("accepted", f"2027-03-02-{ID}.pdf")
    assert gateway.find(a_letter("another"), NOW) is None
    gateway.send(a_letter())
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {f"2027-03-02-{ID}.pdf": PDF}


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("a file where the folder should be")
    with pytest.raises(DeliveryError, match="cannot be written") as caught:
        PrintFolderGateway(tmp_path / "letters").send(a_letter())
    assert (caught.value.permanent, caught.value.maybe_sent) == (False, False)


def test_a_letter_is_taken_back_only_while_it_lies_there(tmp_path: Path) -> None:
    gateway = PrintFolderGateway(tmp_path / "letters")
    name = str(gateway.send(a_letter()).provider_id)
    (tmp_path / "other.pdf").write_bytes(PDF)
    assert [gateway.take_back(name), gateway.take_back(name), gateway.take_back("../other.pdf")] == [
        True,
        False,
        False,
    ]
    assert (tmp_path / "other.pdf").exists()

"""Providers that speak HTTP and remember what they took, in the form in which the checker of the storm reads it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from dunwell.domain.channels import Channel
from dunwell.gateways.base import MessageGateway
from dunwell.gateways.outbox.client import OutboxGateway
from tests.gateways.fakes import Answer, FakeSendGrid, FakeTwilio, Received, Reply
from tests.services.conftest import by_sendgrid, by_twilio
from workflows.status import Status


@dataclass
class Witness:
    """Writes down, at the machine's own time. `meanwhile` is called whenever a provider has taken a message."""

    folder: Path
    meanwhile: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        (self.folder / "histories").mkdir()
        (self.folder / "statuses").mkdir()
        (self.folder / "providers.jsonl").touch()

    def note(self, **line: Any) -> None:
        with (self.folder / "providers.jsonl").open("a") as log:
            log.write(json.dumps({"at": datetime.now(UTC).isoformat(), **line}) + "\n")

    def took(self, **line: Any) -> None:
        self.note(event="accepted", **line)
        if self.meanwhile:
            self.meanwhile()

    def keep_status(self, invoice_id: str, status: Status) -> None:
        (self.folder / "statuses" / f"{invoice_id}.json").write_text(status.model_dump_json())

    def keep_history(self, invoice_id: str, history: WorkflowHistory) -> None:
        (self.folder / "histories" / f"{invoice_id}.json").write_text(history.to_json())


class WatchedSendGrid(FakeSendGrid):
    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def accept(self, request: Received) -> Reply:
        reply = super().accept(request)
        to = request.json["personalizations"][0]
        self._witness.took(provider="sendgrid", id=to["custom_args"]["message_id"])
        return reply


class WatchedTwilio(FakeTwilio):
    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def accept(self, request: Received) -> Reply:
        reply = super().accept(request)
        if request.method == "POST":
            kept = self.messages[-1]
            self._witness.took(provider="twilio", id=kept["sid"], to=kept["to"], body=kept["body"])
        return reply


@contextmanager
def providers(witness: Witness, troubles: Iterable[Answer]) -> Iterator[Mapping[Channel, MessageGateway]]:
    """The gateways of a real worker before the watched providers. Letters stay with us."""
    with WatchedSendGrid(witness) as sendgrid, WatchedTwilio(witness) as twilio:
        sendgrid.next(*troubles)
        yield {
            Channel.EMAIL: by_sendgrid(sendgrid),
            Channel.SMS: by_twilio(twilio),
            Channel.LETTER: OutboxGateway(Channel.LETTER),
        }

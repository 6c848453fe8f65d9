"""The link by which a reader stops our e-mails to their address: a message id, signed, and nothing about anybody.

Whoever holds the link got the mail, or was shown it by somebody who did; all that it can do is stop mail.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import STOPPED
from dunwell.gateways.events import ProviderEvent

PATH = "/unsubscribe"
_TOKEN = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class OptOutLinks:
    """Makes and reads links. `origin` is the web service's public address; the first secret signs, all are read."""

    origin: str
    secrets: Sequence[str] = field(repr=False)

    def link(self, message_id: str) -> str:
        """The address that a mail of this id carries."""
        return f"{self.origin}{PATH}/{message_id}.{_signature(self.secrets[0], message_id)}"

    @property
    def one_click(self) -> bool:
        """RFC 8058 wants HTTPS; without it mail programs shall not offer the button."""
        return self.origin.startswith("https://")

    def read(self, token: str) -> str | None:
        """The message id of a token that we made; None for any other."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        message_id, signature = found.groups()
        fits = [hmac.compare_digest(_signature(secret, message_id), signature) for secret in self.secrets]
        return message_id if any(fits) else None


def opted_out(
    message_id: str, channel: Channel, at: datetime, kind: str = "by the unsubscribe link of an e-mail"
) -> ProviderEvent:
    """The provider event of an opt-out by this e-mail's reader at `at` (UTC); `kind` says by which way."""
    return ProviderEvent(
        event_id=f"{message_id}.{int(at.timestamp())}",  # who came back may leave by the same link
        kind=kind,
        channel=channel,
        message_id=message_id,
        closes=STOPPED,
        at=at,
    )


def _signature(secret: str, message_id: str) -> str:
    return hmac.new(secret.encode(), f"unsubscribe.{message_id}".encode(), sha256).hexdigest()

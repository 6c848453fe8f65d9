"""Unsubscribing: reads the token of a link, closes the address, and renders the page."""

from dataclasses import dataclass
from datetime import datetime

from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import BY_OWNER
from dunwell.domain.invoice import is_rehearsal
from dunwell.gateways.opt_out_link import opted_out
from dunwell.services.dependencies import Dependencies
from dunwell.services.event_inbox import Inbox
from dunwell.store import addresses, invoices, outbox
from dunwell.web.customer.pages import customer_page

_PROVIDER = "reader"


@dataclass(frozen=True)
class Recipient:
    """The recipient of an e-mail: message id, language, and whether the address is unsubscribed already."""

    message_id: str
    channel: Channel
    language: str
    stopped: bool


class OptOuts:
    def __init__(self, deps: Dependencies, inbox: Inbox) -> None:
        self._deps = deps
        self._inbox = inbox

    def recipient(self, token: str) -> Recipient | None:
        """Return the recipient of this link; None for a token that is not ours, or for an unknown message."""
        message_id = self._deps.opt_out.read(token) if self._deps.opt_out else None
        if message_id is None:
            return None
        with self._deps.database.reading() as session:
            row = outbox.get(session, message_id)
            if row is None:
                return None
            wanted = invoices.customer_row(session, row.customer_id).language
            rehearsal = is_rehearsal(row.customer_id)
            channel = Channel(row.channel)
            closed = addresses.why_closed(session, channel, row.address, rehearsal=rehearsal)
        return Recipient(message_id, channel, self._deps.catalogue.spoken(wanted), closed in BY_OWNER)

    def stop(self, recipient: Recipient, now: datetime) -> None:
        """Close the address for every invoice, as STOP does. Raises SQLAlchemyError when the database fails."""
        if recipient.stopped:
            return
        self._inbox.take(_PROVIDER, [opted_out(recipient.message_id, recipient.channel, now)], now)

    def page(self, language: str, *, done: bool) -> str:
        """Return the page: what unsubscribing does and a button, or that it is done."""
        labels, reply_to = self._deps.catalogue.labels(language), self._deps.sender.reply_to
        said = [labels["stop_done" if done else "stop_means"]]
        if reply_to:
            said.append(labels["stop_reply"].replace("{address}", reply_to))
        return customer_page(self._deps, language, labels["unsubscribe"], said, button=not done)

"""Readers who stop our e-mails: whose link it is, closing the address, and the words of the page."""

from dataclasses import dataclass
from datetime import datetime

from babel import Locale
from markupsafe import Markup

from activities.desk import Desk
from activities.layout import BUTTON, html_page
from domain.invoice import is_rehearsal
from domain.terms import Channel
from gateways.opt_out import opted_out
from store import addresses, invoices, outbox
from web.inbox import Inbox

_PROVIDER = "reader"
_LOST = "This link is not complete, or it is too old. Please answer the e-mail instead: we will stop writing to you."


@dataclass(frozen=True)
class Reader:
    """Who follows a link: the mail they got, their language, and whether the address is stopped already."""

    message_id: str
    language: str
    stopped: bool


class OptOuts:
    def __init__(self, desk: Desk, inbox: Inbox) -> None:
        self._desk = desk
        self._inbox = inbox

    def reader(self, token: str) -> Reader | None:
        """Whose link this is; None when we never made it, or its mail is no longer known."""
        message_id = self._desk.opt_out.read(token) if self._desk.opt_out else None
        if message_id is None:
            return None
        with self._desk.database.reading() as session:
            row = outbox.get(session, message_id)
            if row is None:
                return None
            wanted = invoices.place(session, row.customer_id).language
            rehearsal = is_rehearsal(row.customer_id)
            closed = addresses.why_closed(session, Channel.EMAIL, row.address, rehearsal=rehearsal)
        return Reader(message_id, self._desk.catalogue.language_for(wanted), closed == "stopped")

    def stop(self, reader: Reader, now: datetime) -> None:
        """Close the address for every invoice, as STOP does. Raises SQLAlchemyError when it cannot be written."""
        if reader.stopped:
            return
        self._inbox.take(_PROVIDER, [opted_out(reader.message_id, now)], now)

    def page(self, language: str, *, done: bool) -> str:
        """What the reader sees: what stopping means and a button, or that it is done."""
        labels, reply_to = self._desk.catalogue.labels(language), self._desk.sender.reply_to
        said = [labels["stop_done" if done else "stop_means"]]
        if reply_to:
            said.append(labels["stop_reply"].replace("{address}", reply_to))
        return self._html(language, labels["unsubscribe"], said, button=not done)

    def lost(self) -> str:
        """For people who have half a link. Whose language it should be, nobody knows."""
        return self._html("en", "Stop e-mails", [_LOST], button=False)

    def _html(self, language: str, title: str, said: list[str], *, button: bool) -> str:
        content = Markup("<h1>{}</h1>").format(title) + Markup().join(Markup("<p>{}</p>").format(one) for one in said)
        if button:
            content += Markup('<form method="post"><button class="button" style="{}">{}</button></form>').format(
                f"border:0;font:inherit;cursor:pointer;{BUTTON}", title
            )
        return html_page(content, title, Locale.parse(language, sep="-"), self._desk.sender.company)

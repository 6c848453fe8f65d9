"""Reads a mail that came in: what kind it is, what is new in it, which of our messages it is about.

Reading needs no database. Whose mail it is, is found out by `dunwell.services.reply_owner`.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from dunwell.domain.channels import Channel
from dunwell.domain.cleaning import clean, one_line
from dunwell.domain.closed_addresses import STOPPED
from dunwell.domain.received_mail import ReadMail, ReceivedMail
from dunwell.domain.stop_words import STOP_WORDS, word_of
from dunwell.domain.terms import MessageState
from dunwell.gateways.events import ProviderEvent
from dunwell.intake.html_text import text_of
from dunwell.intake.mail_kind import answered_by, bounce_of, why_automatic
from dunwell.intake.quotations import cut

_MOST_TEXT = 100_000
_MOST_HTML = 1_000_000
_MOST_SUBJECT = 500
_MOST_REFERENCES = 20
_MAIL_ID = re.compile(r"<[^<>\s]{1,500}>")
_UNSUBSCRIBE = re.compile(r"unsubscribe ([0-9a-f]{32})", re.IGNORECASE)


@dataclass(frozen=True)
class ReplyAddresses:
    """Where replies reach us.

    sender  the address that mails are sent from, if they are
    domain  whose addresses `reply+TOKEN@domain` are given to this program; None: there are none
    """

    sender: str | None = None
    domain: str | None = None

    def of(self, token: str) -> str | None:
        """The reply address of a message; None without a domain."""
        return f"reply+{token}@{self.domain}" if self.domain else None

    def ours(self, address: str) -> tuple[str, ...]:
        """This address, and that of the sender: those of them that are our own."""
        known = (self.sender or "", address if self.token_of(address) is not None else "")
        return tuple(one for one in known if one)

    def token_of(self, address: str) -> str | None:
        """The token in a reply address; None for another address."""
        local, _, domain = address.casefold().rpartition("@")
        name, plus, token = local.partition("+")
        return token if self.domain and domain == self.domain.casefold() and name == "reply" and plus else None


def read(mail: ReceivedMail, addresses: ReplyAddresses, now: datetime) -> ProviderEvent:
    """Return what a mail means: a bounce, a request for no more mails, or something to read."""
    bounce = bounce_of(mail)
    if bounce is not None:
        return ProviderEvent(
            event_id=mail.digest,
            kind="bounce-mail",
            channel=Channel.EMAIL,
            message_id=bounce.message_id,
            state=MessageState.BOUNCED if bounce.lasting else MessageState.FAILED,
            code=bounce.code,
            at=now,
        )
    asked = _UNSUBSCRIBE.fullmatch(mail.subject.strip())
    whole = clean(mail.text).strip() or clean(text_of(mail.html[:_MOST_HTML]))
    new = cut(whole[:_MOST_TEXT])
    lines = [line for line in new.split("\n") if line.strip()]
    automatic = why_automatic(mail, addresses.ours(mail.sender))
    stops = asked is not None or (automatic is None and bool(lines) and word_of(lines[0]) in STOP_WORDS)
    tokens = tuple(token for one in mail.recipients if (token := addresses.token_of(one)))
    mail_id = _MAIL_ID.search(mail.header("message-id"))
    return ProviderEvent(
        event_id=mail.digest,
        kind="mail",
        channel=Channel.EMAIL,
        message_id=asked[1].lower() if asked else None,
        closes=STOPPED if stops else None,
        address=mail.sender or None,
        text=new,
        mail=ReadMail(
            subject=one_line(mail.subject)[:_MOST_SUBJECT],
            whole=whole[:_MOST_TEXT],
            sender_name=one_line(mail.sender_name),
            mail_id=mail_id[0] if mail_id else None,
            references=" ".join(_MAIL_ID.findall(mail.header("references"))[-_MOST_REFERENCES:]) or None,
            tokens=tokens,
            answers=tuple(dict.fromkeys([*([asked[1].lower()] if asked else []), *answered_by(mail)])),
            automatic=automatic,
            only_stop=stops and (asked is not None or len(lines) == 1),
            verdicts=mail.verdicts,
            files=mail.files,
        ),
        at=now,
    )

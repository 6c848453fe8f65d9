"""The headers of an e-mail: its Message-ID, its thread, the address for replies, and its opt-out link."""

import re
from urllib.parse import quote

from sqlalchemy.orm import Session

from dunwell.domain.clerk_answer import ClerkAnswer
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.links import LinkKind
from dunwell.services.dependencies import Dependencies
from dunwell.store import outbox
from dunwell.store.tables import MessageRow

_MAIL_ID = re.compile(r"<[!-;=?-~]{1,250}>")
_LATEST = 9
"""How many of the latest mails are named beside the first: a header line holds 998 characters."""


def mail_headers(
    session: Session, deps: Dependencies, row: MessageRow, invoice_id: str, answer: ClerkAnswer | None = None
) -> dict[str, str]:
    """The headers of the e-mail `row`, which goes on with the conversation about this invoice.

    That of a clerk's answer answers the e-mail of the customer.
    """
    reply_to = _reply_address(session, deps, row)
    headers = {"Message-ID": _name(deps, row.message_id)} | ({"Reply-To": reply_to} if reply_to else {})
    stopping = _stopping(deps, row.message_id, reply_to or deps.sender.reply_to)
    if answer is not None and answer.mail_id is not None:
        return headers | _answering(deps, answer.mail_id, answer.message_id) | stopping
    earlier = [one for one in outbox.email_ids(session, invoice_id, row.contact_id) if one != row.message_id]
    if earlier:
        headers["In-Reply-To"] = _name(deps, earlier[-1])
        headers["References"] = " ".join(_name(deps, one) for one in (earlier[0], *earlier[1:][-_LATEST:]))
    return headers | stopping


def _answering(deps: Dependencies, mail_id: str, message_id: str | None) -> dict[str, str]:
    """RFC 5322: the mail that is answered, and ours that it answered. What is no id is left out: others wrote it."""
    theirs = _MAIL_ID.fullmatch(mail_id.strip())
    if theirs is None:
        return {}
    ours = [_name(deps, message_id)] if message_id else []
    return {"In-Reply-To": theirs[0], "References": " ".join([*ours, theirs[0]])}


def _reply_address(session: Session, deps: Dependencies, row: MessageRow) -> str | None:
    """The address that this message alone has, so that a reply is known by it. It names nobody."""
    if deps.links is None or deps.reply_addresses.domain is None or is_rehearsal(row.customer_id):
        return None
    token = deps.links.issue(
        session,
        LinkKind.REPLY,
        row.customer_id,
        row.claimed_at,
        contact_id=row.contact_id,
        message_id=row.message_id,
        scopes=(),
    )
    return deps.reply_addresses.of(token)


def _stopping(deps: Dependencies, message_id: str, mailbox: str | None) -> dict[str, str]:
    """RFC 2369 and RFC 8058. A mail to a person is offered as well: that person has a command for it."""
    links = deps.opt_out
    if links is None:
        return {}
    ways = [f"<{links.link(message_id)}>"]
    if mailbox:
        subject = quote(f"unsubscribe {message_id}")
        ways.insert(0, f"<mailto:{quote(mailbox, safe='@+')}?subject={subject}>")
    headers = {"List-Unsubscribe": ", ".join(ways)}
    return headers | ({"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if links.one_click else {})


def _name(deps: Dependencies, message_id: str) -> str:
    domain = (deps.sender.reply_to or "dunwell.invalid").rpartition("@")[2]
    return f"<{message_id}@{domain}>"

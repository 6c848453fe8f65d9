"""Whether the address of a clerk's answer takes it: whoever writes to us after their STOP gets an answer."""

from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import STOPPED
from dunwell.domain.reply_terms import ReplyChannel
from dunwell.services.dispatch import Dispatch
from dunwell.store import addresses, replies
from dunwell.store.tables import ReplyRow


def why_closed(session: Session, dispatch: Dispatch, channel: Channel, address: str) -> str | None:
    """Return why nothing may be sent to the address now; None when it is open for what the dispatch sends."""
    rehearsal, answer = dispatch.rehearsal, dispatch.execution.answer
    closed = addresses.why_closed(session, channel, address, rehearsal=rehearsal)
    if closed != STOPPED or answer is None or not channel.facts.after_stop:
        return closed
    since = addresses.closed_since(session, channel, address, rehearsal=rehearsal)
    reply = replies.get(session, answer.reply_id)
    if reply is None or since is None or reply.received_at < since:
        return closed
    return None if _came_by(reply, channel) else closed


def _came_by(reply: ReplyRow, channel: Channel) -> bool:
    """Whether it came by this channel; what was typed on the page came by none, and is answered by mail."""
    return reply.channel in {ReplyChannel.PAGE, ReplyChannel(channel.value)}

"""When a person last wrote to us on a channel where that lets us answer freely for a while."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel
from dunwell.store.tables import ConversationRow


def heard(session: Session, channel: Channel, address: str, at: datetime) -> None:
    """Note that somebody wrote from this address. Nothing on a channel where any text may be sent at any time."""
    if channel.facts.free_for is None:
        return
    key = address_key(channel, address)
    row = session.get(ConversationRow, (channel.value, key))
    if row is None:
        session.add(ConversationRow(channel=channel.value, address_key=key, heard_at=at))
    else:
        row.heard_at = max(row.heard_at, at)
    session.flush()


def is_free(session: Session, channel: Channel, key: str, now: datetime) -> bool:
    """Whether any text may be sent to the address of this key, and not only approved ones."""
    if channel.facts.free_for is None:
        return True
    row = session.get(ConversationRow, (channel.value, key))
    return row is not None and now < row.heard_at + channel.facts.free_for

"""The last inbound message of each address, on channels that accept any text for some time after it (WhatsApp)."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel
from dunwell.store.tables import ConversationRow


def record_inbound(session: Session, channel: Channel, address: str, at: datetime) -> None:
    """Record that a message came from this address. Does nothing on channels that accept any text at any time."""
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
    """Return whether any text may be sent to the address with this key now, not only approved texts."""
    if channel.facts.free_for is None:
        return True
    row = session.get(ConversationRow, (channel.value, key))
    return row is not None and now < row.heard_at + channel.facts.free_for

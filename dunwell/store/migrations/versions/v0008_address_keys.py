"""Address keys, one for all spellings of an address: closed addresses and messages are found by them.

Of two spellings that were closed apart one row stays: STOP outranks every other reason, else the older one counts.
"""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel
from dunwell.domain.closed_addresses import STOPPED
from dunwell.domain.invoice import is_rehearsal
from dunwell.store.column_types import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AT_ONCE = 1_000
_REHEARSAL = "rehearsal:"

_closed = sa.table(
    "closed_addresses",
    sa.column("channel", sa.String),
    sa.column("address", sa.Text),
    sa.column("reason", sa.String),
    sa.column("since", Moment()),
)
_messages = sa.table(
    "messages",
    sa.column("message_id", sa.String),
    sa.column("customer_id", sa.String),
    sa.column("channel", sa.String),
    sa.column("address", sa.Text),
    sa.column("address_key", sa.Text),
)


def upgrade() -> None:
    op.add_column("messages", sa.Column("address_key", sa.Text(), nullable=False, server_default=""))
    connection = op.get_bind()
    _name_messages(connection)
    _name_closed(connection)
    op.create_index("messages_at", "messages", ["address_key", "claimed_at"])
    op.create_index("contacts_email", "contacts", [sa.text("lower(email)")])
    op.create_index("contacts_phone", "contacts", ["phone"])


def _name_messages(connection: sa.Connection) -> None:
    change = (
        sa.update(_messages)
        .where(_messages.c.message_id == sa.bindparam("name"))
        .values(address_key=sa.bindparam("key"))
    )
    for rows in _pages(connection):
        keys = [
            {"name": row.message_id, "key": _key(row.channel, row.address, is_rehearsal(row.customer_id))}
            for row in rows
        ]
        connection.execute(change, keys)


def _pages(connection: sa.Connection) -> Iterator[list[sa.Row[tuple[str, ...]]]]:
    """All messages, a thousand at a time: an outbox of years need not fit into memory."""
    last = ""
    while True:
        query = sa.select(_messages).where(_messages.c.message_id > last).order_by(_messages.c.message_id)
        rows = list(connection.execute(query.limit(_AT_ONCE)))
        if not rows:
            return
        yield rows
        last = rows[-1].message_id


def _name_closed(connection: sa.Connection) -> None:
    kept: dict[tuple[str, str], tuple[str, datetime]] = {}
    for channel, address, reason, since in connection.execute(sa.select(_closed).order_by(_closed.c.since)):
        rehearsal = address.startswith(_REHEARSAL)
        name = channel, _key(channel, address.removeprefix(_REHEARSAL), rehearsal)
        if name not in kept or (reason == STOPPED and kept[name][0] != STOPPED):
            kept[name] = reason, since
    connection.execute(sa.delete(_closed))
    if kept:
        facts = [
            {"channel": channel, "address": key, "reason": reason, "since": since}
            for (channel, key), (reason, since) in kept.items()
        ]
        connection.execute(sa.insert(_closed), facts)


def _key(channel: str, address: str, rehearsal: bool) -> str:
    return address_key(Channel(channel), address, rehearsal=rehearsal)


def downgrade() -> None:
    op.drop_index("contacts_phone", "contacts")
    op.drop_index("contacts_email", "contacts")
    op.drop_index("messages_at", "messages")
    op.drop_column("messages", "address_key")

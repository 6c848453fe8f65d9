"""What a provider reported stands under `event` in the body of the kept webhook event"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_AT_ONCE = 1000
_EVENTS = sa.table(
    "webhook_events", sa.column("provider", sa.String), sa.column("event_id", sa.String), sa.column("body", sa.JSON)
)


def upgrade() -> None:
    _rename("news", "event")


def downgrade() -> None:
    _rename("event", "news")


def _rename(old: str, new: str) -> None:
    connection, columns, last = op.get_bind(), _EVENTS.c, ("", "")
    key = sa.tuple_(columns.provider, columns.event_id)
    query = sa.select(_EVENTS).order_by(columns.provider, columns.event_id).limit(_AT_ONCE)
    change = (
        sa.update(_EVENTS)
        .where(columns.provider == sa.bindparam("of"), columns.event_id == sa.bindparam("id"))
        .values(body=sa.bindparam("new"))
    )
    while rows := connection.execute(query.where(key > last)).all():
        last = (rows[-1].provider, rows[-1].event_id)
        changed = [
            {"of": row.provider, "id": row.event_id, "new": {new if k == old else k: v for k, v in row.body.items()}}
            for row in rows
            if old in row.body
        ]
        if changed:
            connection.execute(change, changed)

"""Webhook subscriptions and what they are told; messages in their order"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.String(40), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(200), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("rehearsals", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id"),
    )
    op.create_table(
        "notifications",
        sa.Column("delivery_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("subscription_id", sa.String(40), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("topic", sa.String(20), nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=True),
        sa.Column("invoice_id", sa.String(200), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("since", Moment(timezone=True), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", Moment(timezone=True), nullable=True),
        sa.Column("answer", sa.String(200), nullable=True),
        sa.Column("settled_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.subscription_id"]),
        sa.PrimaryKeyConstraint("delivery_id"),
        sa.UniqueConstraint("subscription_id", "event_id"),
    )
    op.create_index("notifications_due", "notifications", ["state", "next_at"])
    op.create_index("notifications_of", "notifications", ["subscription_id", "state", "delivery_id"])
    op.create_index("messages_in_order", "messages", ["claimed_at", "message_id"])


def downgrade() -> None:
    op.drop_index("messages_in_order", table_name="messages")
    op.drop_table("notifications")
    op.drop_table("subscriptions")

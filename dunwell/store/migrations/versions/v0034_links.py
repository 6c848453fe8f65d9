"""Links of customers; what a link told has no role"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("link_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("contact_id", sa.String(length=200), nullable=True),
        sa.Column("message_id", sa.String(length=200), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(timezone=True), nullable=False),
        sa.Column("revoked_at", Moment(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(length=200), nullable=True),
        sa.Column("revoked_why", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.PrimaryKeyConstraint("link_id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("links_of", "links", ["customer_id", "kind"])
    op.create_index("ix_links_message_id", "links", ["message_id"])
    with op.batch_alter_table("told") as changed:
        changed.alter_column("role", existing_type=sa.String(length=20), nullable=True)


def downgrade() -> None:
    op.drop_table("links")

"""The queue of steps at each address

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

import dunwell.store.column_types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "waits",
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("since", dunwell.store.column_types.Moment(timezone=True), nullable=False),
        sa.Column("until", dunwell.store.column_types.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.PrimaryKeyConstraint("invoice_id", "address_key"),
    )
    op.create_index("waits_at", "waits", ["address_key", "until"])


def downgrade() -> None:
    op.drop_index("waits_at", "waits")
    op.drop_table("waits")

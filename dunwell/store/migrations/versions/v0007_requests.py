"""Requests that carry an idempotency key, and their answers"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("principal", sa.String(length=60), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("begun_at", Moment(), nullable=True),
        sa.Column("taken_at", Moment(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.PrimaryKeyConstraint("principal", "invoice_id", "key"),
    )
    op.create_index("ix_requests_request_id", "requests", ["request_id"], unique=True)
    op.create_index("ix_requests_first_at", "requests", ["first_at"])

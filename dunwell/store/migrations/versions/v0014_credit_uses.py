"""Credit that was applied to another invoice, or returned"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount, Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credit_uses",
        sa.Column("credit_id", sa.String(length=200), nullable=False),
        sa.Column("from_invoice", sa.String(length=200), nullable=False),
        sa.Column("to_invoice", sa.String(length=200), nullable=True),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("undone_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["from_invoice"], ["invoices.invoice_id"]),
        sa.ForeignKeyConstraint(["to_invoice"], ["invoices.invoice_id"]),
        sa.PrimaryKeyConstraint("credit_id"),
    )
    op.create_index("ix_credit_uses_from_invoice", "credit_uses", ["from_invoice"])

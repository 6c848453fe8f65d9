"""Reversals of payments in whole and in part, and the head that a payment was for"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount, Moment

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_MOVED = """
    INSERT INTO payment_reversals (invoice_id, payment_id, key, amount, at, reason)
    SELECT invoice_id, payment_id, '~rest', amount, reversed_at, coalesce(reversal_reason, 'reversed')
    FROM payments WHERE reversed_at IS NOT NULL
"""


def upgrade() -> None:
    op.create_table(
        "payment_reversals",
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("payment_id", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id", "payment_id"], ["payments.invoice_id", "payments.payment_id"]),
        sa.PrimaryKeyConstraint("invoice_id", "payment_id", "key"),
    )
    op.execute(_MOVED)
    op.drop_column("payments", "reversed_at")
    op.drop_column("payments", "reversal_reason")
    op.add_column("payments", sa.Column("designation", sa.String(length=20), nullable=True))
    op.drop_column("credit_uses", "undone_at")

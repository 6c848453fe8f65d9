"""Which entry of another format an entry may repeat, what banks kept of a payment, and what its payer ordered"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bank_entries", sa.Column("may_repeat", sa.String(length=40), nullable=True))
    op.add_column("incoming_payments", sa.Column("may_repeat", sa.String(length=40), nullable=True))
    op.add_column("incoming_payments", sa.Column("charges", Amount(), nullable=True))
    op.add_column("incoming_payments", sa.Column("ordered", Amount(), nullable=True))


def downgrade() -> None:
    op.drop_column("incoming_payments", "ordered")
    op.drop_column("incoming_payments", "charges")
    op.drop_column("incoming_payments", "may_repeat")
    op.drop_column("bank_entries", "may_repeat")

"""Which entry of another format a movement on a bank account may repeat"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_TABLES = ("bank_entries", "incoming_payments")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("may_repeat", sa.String(length=40), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "may_repeat")

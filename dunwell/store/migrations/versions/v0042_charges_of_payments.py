"""What banks kept of a payment that came in, and what its payer ordered"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_COLUMNS = ("charges", "ordered")


def upgrade() -> None:
    for column in _COLUMNS:
        op.add_column("incoming_payments", sa.Column(column, Amount(), nullable=True))


def downgrade() -> None:
    for column in _COLUMNS:
        op.drop_column("incoming_payments", column)

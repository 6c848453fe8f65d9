"""Whose decision there is about a payment that a provider reported, and what it has to be taken back from"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("billing_subjects", sa.Column("undone_from", sa.String(), nullable=True))
    op.add_column("billing_subjects", sa.Column("decided_by", sa.String(), nullable=True))
    op.add_column("billing_subjects", sa.Column("decided_at", Moment(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("billing_subjects", "decided_at")
    op.drop_column("billing_subjects", "decided_by")
    op.drop_column("billing_subjects", "undone_from")

"""Imported rates of base-rate series, and confirmations of values of the law"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_imports",
        sa.Column("import_id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("series", sa.String(length=60), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("rates", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
    )
    op.create_index("ix_rate_imports_series", "rate_imports", ["series"])
    op.create_table(
        "confirmations",
        sa.Column("subject", sa.String(length=60), primary_key=True),
        sa.Column("field", sa.String(length=100), primary_key=True),
        sa.Column("digest", sa.String(length=64), primary_key=True),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("at", Moment(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("confirmations")
    op.drop_index("ix_rate_imports_series", "rate_imports")
    op.drop_table("rate_imports")

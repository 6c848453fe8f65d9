"""What the columns of invoice files hold is remembered by their header"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoice_layouts",
        sa.Column("header", sa.String(64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("header"),
    )


def downgrade() -> None:
    op.drop_table("invoice_layouts")

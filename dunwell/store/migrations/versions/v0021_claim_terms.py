"""What is claimed for late payment, as the records of invoices and customers say it"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("customers", "invoices"):
        op.add_column(table, sa.Column("interest", sa.String(length=20), nullable=True))
        op.add_column(table, sa.Column("lump_sum", sa.String(length=20), nullable=True))


def downgrade() -> None:
    for table in ("customers", "invoices"):
        op.drop_column(table, "lump_sum")
        op.drop_column(table, "interest")

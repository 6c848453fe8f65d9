"""What was paid and which steps were done before an invoice was imported.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("history", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "history")

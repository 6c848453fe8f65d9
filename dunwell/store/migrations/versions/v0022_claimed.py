"""What a message claims beside the principal of an invoice"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_invoices", sa.Column("claimed", sa.Numeric(24, 6), nullable=True))
    op.add_column("message_invoices", sa.Column("claim_until", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("message_invoices", "claim_until")
    op.drop_column("message_invoices", "claimed")

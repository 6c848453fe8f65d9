"""Payments are looked for by when they came in"""

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("payments_at", "payments", ["received_at"])


def downgrade() -> None:
    op.drop_index("payments_at", "payments")

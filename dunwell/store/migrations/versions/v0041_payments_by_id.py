"""Find payments by their id, on whatever invoice they are"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("payments_by_id", "payments", ["payment_id"])


def downgrade() -> None:
    op.drop_index("payments_by_id", "payments")

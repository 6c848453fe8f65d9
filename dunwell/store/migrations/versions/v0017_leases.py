"""A lease for each running request with an idempotency key, which its process renews"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The old values are times in the past, so they are expired leases: requests of older processes are free at once.
    op.alter_column("requests", "begun_at", new_column_name="leased_until")

"""A request with a key is held by a lease, which its process renews"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A time of the past is a lease that has run out: what an older process left behind is free at once.
    op.alter_column("requests", "begun_at", new_column_name="leased_until")

"""What the customer typed when they asked for a call, such as another number"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("note_id", sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column("tasks", "note_id")

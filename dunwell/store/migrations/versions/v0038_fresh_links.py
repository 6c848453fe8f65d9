"""When somebody asked for a new link with one that has expired"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("fresh_asked_at", Moment(timezone=True), nullable=True))
    op.create_index("links_asked", "links", ["fresh_asked_at"])


def downgrade() -> None:
    op.drop_index("links_asked", "links")
    op.drop_column("links", "fresh_asked_at")

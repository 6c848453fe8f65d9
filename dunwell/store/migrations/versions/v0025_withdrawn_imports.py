"""Imports of base rates that were withdrawn, who withdrew them and when"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rate_imports", sa.Column("withdrawn_by", sa.String(length=200), nullable=True))
    op.add_column("rate_imports", sa.Column("withdrawn_at", Moment(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("rate_imports", "withdrawn_at")
    op.drop_column("rate_imports", "withdrawn_by")

"""Since when a case may know of money that was booked on it, whether or not its answer came"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bookings", sa.Column("telling_at", Moment(timezone=True), nullable=True))
    # Each was told as soon as it was booked; of one without an answer nobody knows whether its case has heard.
    op.execute("UPDATE bookings SET telling_at = at")


def downgrade() -> None:
    op.drop_column("bookings", "telling_at")

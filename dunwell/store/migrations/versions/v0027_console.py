"""The console: forms that were carried out, saved filters, digests"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "submissions",
        sa.Column("principal", sa.String(60), nullable=False),
        sa.Column("form_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "form_id"),
    )
    op.create_index("ix_submissions_at", "submissions", ["at"])
    op.create_table(
        "saved_filters",
        sa.Column("user_id", sa.String(60), nullable=False),
        sa.Column("list", sa.String(20), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "list", "name"),
    )
    op.add_column("users", sa.Column("digest_zone", sa.String(length=200), nullable=True))
    op.create_table(
        "digests",
        sa.Column("user_id", sa.String(40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", Moment(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=True),
        sa.Column("provider_id", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"]),
        sa.PrimaryKeyConstraint("user_id", "day"),
    )
    op.create_index("ix_digests_at", "digests", ["at"])


def downgrade() -> None:
    op.drop_table("digests")
    op.drop_column("users", "digest_zone")
    op.drop_table("saved_filters")
    op.drop_table("submissions")

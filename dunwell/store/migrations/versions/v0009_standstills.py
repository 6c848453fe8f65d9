"""Standstills of the installation, and the reports of the reconciler"""

import sqlalchemy as sa
from alembic import op

import dunwell.store.column_types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "standstills",
        sa.Column("standstill_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("since", dunwell.store.column_types.Moment(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("ended_at", dunwell.store.column_types.Moment(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.Column("end_reason", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("standstill_id"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("pass_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", dunwell.store.column_types.Moment(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("differing", sa.Integer(), nullable=False),
        sa.Column("mended", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("pass_id"),
    )


def downgrade() -> None:
    op.drop_table("reconciliations")
    op.drop_table("standstills")

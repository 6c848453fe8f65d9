"""The list of calls: amounts, attempts, both languages, and escalation"""

import sqlalchemy as sa
from alembic import op

import dunwell.store.column_types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("agent_script", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("amount", dunwell.store.column_types.Amount(precision=24, scale=6), nullable=True)
        )
        batch_op.add_column(sa.Column("currency", sa.String(length=3), nullable=True))
        batch_op.add_column(sa.Column("attempt", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("requested", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(
            sa.Column("escalated_at", dunwell.store.column_types.Moment(timezone=True), nullable=True)
        )
        batch_op.add_column(sa.Column("result", sa.String(length=30), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        for column in ("result", "escalated_at", "requested", "attempt", "currency", "amount", "agent_script"):
            batch_op.drop_column(column)

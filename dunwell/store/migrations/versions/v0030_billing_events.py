"""Events of billing systems and payment providers, and what they are about"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "billing_subjects",
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(230), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("invoice_id", sa.String(200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("applied", sa.JSON(), nullable=False),
        sa.Column("since", Moment(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider", "subject"),
    )
    op.create_table(
        "billing_events",
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("event_id", sa.String(300), nullable=False),
        sa.Column("subject", sa.String(230), nullable=False),
        sa.Column("related", sa.String(200), nullable=True),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("fact", sa.JSON(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("received_at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id"),
    )
    op.create_index("billing_subjects_due", "billing_subjects", ["next_at"])
    op.create_index("billing_subjects_in", "billing_subjects", ["state", "since"])
    op.create_index("billing_events_of", "billing_events", ["provider", "subject"])
    op.create_index("billing_events_for", "billing_events", ["provider", "related"])
    op.create_index("invoices_number", "invoices", ["number"])


def downgrade() -> None:
    op.drop_index("invoices_number", table_name="invoices")
    op.drop_table("billing_events")
    op.drop_table("billing_subjects")

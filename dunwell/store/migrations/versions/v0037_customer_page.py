"""What customers send by their page: files, and who pays in their place"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sent_files",
        sa.Column("file_id", sa.String(length=32), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("link_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("given_name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.PrimaryKeyConstraint("file_id"),
    )
    op.create_index("ix_sent_files_invoice_id", "sent_files", ["invoice_id"])
    op.create_index("ix_sent_files_customer_id", "sent_files", ["customer_id"])
    op.create_table(
        "payers",
        sa.Column("payer_id", sa.String(length=32), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("link_id", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("named_at", Moment(timezone=True), nullable=False),
        sa.Column("called_at", Moment(timezone=True), nullable=True),
        sa.Column("next_at", Moment(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("provider", sa.String(length=200), nullable=True),
        sa.Column("provider_id", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.PrimaryKeyConstraint("payer_id"),
    )
    op.create_index("ix_payers_invoice_id", "payers", ["invoice_id"])
    op.create_index("ix_payers_link_id", "payers", ["link_id"])
    op.create_index("ix_payers_state", "payers", ["state"])
    op.create_index("payers_of", "payers", ["customer_id", "email_key"], unique=True)


def downgrade() -> None:
    op.drop_table("payers")
    op.drop_table("sent_files")

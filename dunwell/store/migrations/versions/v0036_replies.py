"""Replies: what customers write to us by mail, SMS and WhatsApp"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _replies()
    op.create_table(
        "reply_cases",
        sa.Column("reply_id", sa.String(length=40), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.reply_id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.PrimaryKeyConstraint("reply_id", "invoice_id"),
    )
    op.create_index("reply_cases_of", "reply_cases", ["customer_id"])
    op.create_table(
        "reply_files",
        sa.Column("reply_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("given_name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.reply_id"]),
        sa.PrimaryKeyConstraint("reply_id", "number"),
    )


def _replies() -> None:
    op.create_table(
        "replies",
        sa.Column("reply_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=True),
        sa.Column("contact_id", sa.String(length=200), nullable=True),
        sa.Column("found_by", sa.String(length=10), nullable=True),
        sa.Column("forwarded", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sender_key", sa.Text(), nullable=False),
        sa.Column("sender_name", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        sa.Column("mail_id", sa.Text(), nullable=True),
        sa.Column("mail_references", sa.Text(), nullable=True),
        sa.Column("message_id", sa.String(length=200), nullable=True),
        sa.Column("verdicts", sa.JSON(), nullable=False),
        sa.Column("proposals", sa.JSON(), nullable=False),
        sa.Column("received_at", Moment(timezone=True), nullable=False),
        sa.Column("handled_at", Moment(timezone=True), nullable=True),
        sa.Column("handled_by", sa.String(length=200), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.PrimaryKeyConstraint("reply_id"),
    )
    op.create_index("replies_of", "replies", ["customer_id", "handled_at"])
    op.create_index("replies_waiting", "replies", ["handled_at", "received_at"])
    op.create_index("replies_from", "replies", ["sender_key", "received_at"])


def downgrade() -> None:
    for table in ("reply_files", "reply_cases", "replies"):
        op.drop_table(table)

"""Indexes for the queries of every step: messages to a contact, calls to a contact, holds of an invoice.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("messages_to", "messages", ["contact_id", "claimed_at"])
    op.create_index("calls_to", "tasks", ["contact_id", "due_at"])
    op.create_index("holds_of", "holds", ["invoice_id"])


def downgrade() -> None:
    op.drop_index("holds_of", "holds")
    op.drop_index("calls_to", "tasks")
    op.drop_index("messages_to", "messages")

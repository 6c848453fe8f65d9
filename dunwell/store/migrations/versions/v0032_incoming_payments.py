"""Incoming payments: what is proposed for them, what was booked of them, and the accounts customers pay from"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount, Moment

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _payments()
    _proposals()
    op.create_table(
        "bookings",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("payment_id", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("told_at", Moment(timezone=True), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("undone_at", Moment(timezone=True), nullable=True),
        sa.Column("undone_told_at", Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["incoming_payments.entry_id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.PrimaryKeyConstraint("entry_id", "attempt", "invoice_id"),
    )
    op.create_index("ix_bookings_customer_id", "bookings", ["customer_id"])
    op.create_table(
        "payer_accounts",
        sa.Column("iban", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["incoming_payments.entry_id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.PrimaryKeyConstraint("iban", "customer_id"),
    )


def _payments() -> None:
    op.create_table(
        "incoming_payments",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("identity", sa.String(length=300), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("received_at", Moment(timezone=True), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("payer_name", sa.String(length=200), nullable=True),
        sa.Column("payer_iban", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", Moment(timezone=True), nullable=False),
        sa.Column("ask_at", Moment(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("entry_id"),
        sa.UniqueConstraint("source", "identity"),
    )
    op.create_index("ix_incoming_payments_state", "incoming_payments", ["state"])


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["incoming_payments.entry_id"]),
        sa.PrimaryKeyConstraint("entry_id", "number"),
    )
    op.create_table(
        "proposal_parts",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.String(length=200), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id", "number"], ["proposals.entry_id", "proposals.number"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"]),
        sa.PrimaryKeyConstraint("entry_id", "number", "invoice_id"),
    )
    op.create_index("ix_proposal_parts_customer_id", "proposal_parts", ["customer_id"])


def downgrade() -> None:
    for table in ("payer_accounts", "bookings", "proposal_parts", "proposals", "incoming_payments"):
        op.drop_table(table)

"""Bank statements, the movements they tell, and how CSV files of a bank are read"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount, Moment

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "statements",
        sa.Column("statement_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("format", sa.String(20), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("statement_id"),
    )
    op.create_table(
        "bank_entries",
        sa.Column("identity", sa.String(40), nullable=False),
        sa.Column("statement_id", sa.String(64), nullable=False),
        sa.Column("account", sa.String(50), nullable=False),
        sa.Column("reference", sa.String(200), nullable=True),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=True),
        sa.Column("amount", Amount(24, 6), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("end_to_end_id", sa.String(200), nullable=True),
        sa.Column("payer_name", sa.String(200), nullable=True),
        sa.Column("payer_iban", sa.String(50), nullable=True),
        sa.Column("charges", Amount(24, 6), nullable=True),
        sa.Column("instructed_amount", Amount(24, 6), nullable=True),
        sa.Column("instructed_currency", sa.String(3), nullable=True),
        sa.Column("batch", sa.String(40), nullable=True),
        sa.Column("batch_amount", Amount(24, 6), nullable=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["statement_id"], ["statements.statement_id"]),
        sa.PrimaryKeyConstraint("identity"),
    )
    op.create_index("bank_entries_of", "bank_entries", ["account", "booked_on"])
    op.create_index("bank_entries_in_state", "bank_entries", ["state", "booked_on"])
    op.create_index("bank_entries_end_to_end", "bank_entries", ["end_to_end_id"])
    op.create_index("bank_entries_reference", "bank_entries", ["reference"])
    op.create_table(
        "statement_layouts",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("statement_layouts")
    op.drop_table("bank_entries")
    op.drop_table("statements")

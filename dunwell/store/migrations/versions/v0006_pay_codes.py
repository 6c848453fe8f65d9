"""A short code for the payment URL of an invoice"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("pay_code", sa.String(length=16), nullable=True))
    op.create_index("invoices_pay_code", "invoices", ["pay_code"], unique=True)

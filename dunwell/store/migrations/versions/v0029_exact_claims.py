"""What a message claims is kept as exactly as every other amount: on SQLite as text"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("message_invoices") as table:
        table.alter_column("claimed", existing_type=sa.Numeric(24, 6), existing_nullable=True, type_=Amount())


def downgrade() -> None:
    with op.batch_alter_table("message_invoices") as table:
        table.alter_column("claimed", existing_type=Amount(), existing_nullable=True, type_=sa.Numeric(24, 6))

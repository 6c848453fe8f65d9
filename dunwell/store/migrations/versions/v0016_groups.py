"""The kind of customer, and the group whose members may share messages

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customers", sa.Column("kind", sa.String(length=10), nullable=True))
    op.add_column("customers", sa.Column("group", sa.String(length=200), nullable=True))
    op.create_index("customers_of_group", "customers", ["group"])


def downgrade() -> None:
    op.drop_index("customers_of_group", "customers")
    op.drop_column("customers", "group")
    op.drop_column("customers", "kind")

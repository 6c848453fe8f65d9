"""Room for postal addresses, which are longer than an e-mail address or a number"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_HOLDERS = ("messages", "closed_addresses")


def upgrade() -> None:
    for table in _HOLDERS:
        with op.batch_alter_table(table) as changed:
            changed.alter_column(
                "address", existing_type=sa.String(length=200), type_=sa.Text(), existing_nullable=False
            )

"""A contact's consent to WhatsApp, and the last inbound message of each address"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contacts", sa.Column("whatsapp_opt_in", sa.String(length=200), nullable=True))
    op.create_table(
        "conversations",
        sa.Column("channel", sa.String(length=10), primary_key=True),
        sa.Column("address_key", sa.String(length=200), primary_key=True),
        sa.Column("heard_at", Moment(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("conversations")
    op.drop_column("contacts", "whatsapp_opt_in")

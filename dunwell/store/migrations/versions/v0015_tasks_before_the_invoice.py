"""A task may be about an invoice that is not registered yet"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NAMES = {"fk": "%(table_name)s_%(column_0_name)s_fkey"}
"""PostgreSQL's own names for them; SQLite gives them none."""


def upgrade() -> None:
    with op.batch_alter_table("tasks", naming_convention=_NAMES) as tasks:
        tasks.drop_constraint("tasks_invoice_id_fkey", type_="foreignkey")


def downgrade() -> None:
    with op.batch_alter_table("tasks", naming_convention=_NAMES) as tasks:
        tasks.create_foreign_key("tasks_invoice_id_fkey", "invoices", ["invoice_id"], ["invoice_id"])

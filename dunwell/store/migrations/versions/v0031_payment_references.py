"""Payment references; every known invoice gets its own"""

import sqlalchemy as sa
from alembic import op

from dunwell.domain.payment_reference import reference_for

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_INVOICES = sa.table("invoices", sa.column("invoice_id", sa.String))


def upgrade() -> None:
    references = op.create_table(
        "payment_references",
        sa.Column("reference", sa.String(length=25), nullable=False),
        sa.Column("invoice_id", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.invoice_id"]),
        sa.PrimaryKeyConstraint("reference", "invoice_id"),
    )
    op.create_index("payment_references_of", "payment_references", ["invoice_id"])
    connection, given = op.get_bind(), dict[str, str]()
    for invoice_id in connection.scalars(sa.select(_INVOICES.c.invoice_id).order_by(_INVOICES.c.invoice_id)):
        attempt = 0
        while (reference := reference_for([invoice_id], attempt)) in given:
            attempt += 1
        given[reference] = invoice_id
    if given:
        rows = [{"reference": reference, "invoice_id": one} for reference, one in given.items()]
        connection.execute(sa.insert(references), rows)


def downgrade() -> None:
    op.drop_index("payment_references_of", "payment_references")
    op.drop_table("payment_references")

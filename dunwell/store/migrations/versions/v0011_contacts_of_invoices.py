"""The contacts that each invoice's record names, retired and closed contacts, corrections, pauses of customers

Until now a contact's id was its place in the file, so that one person who moved up a place has two ids. Such twins
become one, with all that was sent to either, or the person would get everything twice.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import dunwell.store.column_types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_CONTACTS = sa.table(
    "contacts",
    *(sa.column(name, sa.String) for name in ("contact_id", "customer_id", "role", "email", "phone", "post")),
    sa.column("position", sa.Integer),
    sa.column("retired_at", dunwell.store.column_types.Moment(timezone=True)),
)
_LINKS = sa.table(
    "message_invoices", *(sa.column(name, sa.String) for name in ("invoice_id", "step", "contact_id", "channel"))
)


def upgrade() -> None:
    _make_room()
    twins = _twins()
    for twin, kept in twins.items():
        _merge(twin, kept)
    _name_everybody(set(twins))


def _make_room() -> None:
    moment = dunwell.store.column_types.Moment(timezone=True)
    op.add_column("contacts", sa.Column("shared", sa.Boolean(), server_default=sa.true(), nullable=False))
    for name in ("added_by", "closed_by", "closed_why"):
        op.add_column("contacts", sa.Column(name, sa.String(length=200), nullable=True))
    for name in ("retired_at", "closed_at"):
        op.add_column("contacts", sa.Column(name, moment, nullable=True))
    op.add_column("invoices", sa.Column("names_contacts", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "invoice_contacts",
        sa.Column("invoice_id", sa.String(length=200), sa.ForeignKey("invoices.invoice_id"), primary_key=True),
        sa.Column("contact_id", sa.String(length=200), sa.ForeignKey("contacts.contact_id"), primary_key=True),
        sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index(op.f("ix_invoice_contacts_contact_id"), "invoice_contacts", ["contact_id"])
    op.create_table(
        "corrections",
        sa.Column("customer_id", sa.String(length=200), sa.ForeignKey("customers.customer_id"), primary_key=True),
        sa.Column("contact_id", sa.String(length=200), primary_key=True),
        sa.Column("field", sa.String(length=20), primary_key=True),
        sa.Column("exported", sa.Text(), nullable=True),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", moment, nullable=False),
    )
    op.create_table(
        "customer_pauses",
        sa.Column("customer_id", sa.String(length=200), sa.ForeignKey("customers.customer_id"), primary_key=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("since", moment, nullable=False),
    )


def _twins() -> dict[str, str]:
    """Return the duplicate contacts (one customer, role and address), each with the first of them."""
    first: dict[tuple[str, ...], str] = {}
    twins = {}
    columns = _CONTACTS.c
    query = sa.select(
        columns.contact_id, columns.customer_id, columns.role, columns.email, columns.phone, columns.post
    )
    for row in op.get_bind().execute(query.order_by(columns.customer_id, columns.role, columns.position)):
        address = row.email.casefold() if row.email else row.phone or row.post
        if address:
            kept = first.setdefault((row.customer_id, row.role, address), row.contact_id)
            if kept != row.contact_id:
                twins[row.contact_id] = kept
    return twins


def _merge(twin: str, kept: str) -> None:
    """Move the duplicate's messages and tasks to the contact that is kept, and retire the duplicate."""
    connection = op.get_bind()
    other = _LINKS.alias()
    same = sa.and_(
        other.c.contact_id == kept,
        other.c.invoice_id == _LINKS.c.invoice_id,
        other.c.step == _LINKS.c.step,
        other.c.channel == _LINKS.c.channel,
    )
    free = ~sa.select(sa.literal(1)).where(same).exists()
    connection.execute(sa.update(_LINKS).where(_LINKS.c.contact_id == twin, free).values(contact_id=kept))
    for name in ("messages", "tasks"):
        table = sa.table(name, sa.column("contact_id", sa.String))
        connection.execute(sa.update(table).where(table.c.contact_id == twin).values(contact_id=kept))
    gone = sa.update(_CONTACTS).where(_CONTACTS.c.contact_id == twin)
    connection.execute(gone.values(retired_at=datetime.now(UTC)))


def _name_everybody(twins: set[str]) -> None:
    """Give every invoice all contacts of its customer, until its next record names them."""
    connection = op.get_bind()
    invoices = sa.table("invoices", sa.column("invoice_id"), sa.column("customer_id"), sa.column("names_contacts"))
    named = sa.table("invoice_contacts", sa.column("invoice_id"), sa.column("contact_id"), sa.column("alone"))
    pairs = sa.select(invoices.c.invoice_id, _CONTACTS.c.contact_id, sa.false()).where(
        invoices.c.customer_id == _CONTACTS.c.customer_id, _CONTACTS.c.retired_at.is_(None)
    )
    connection.execute(sa.insert(named).from_select(["invoice_id", "contact_id", "alone"], pairs))
    connection.execute(sa.update(invoices).values(names_contacts=sa.true()))

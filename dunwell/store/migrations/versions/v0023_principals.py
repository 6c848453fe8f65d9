"""Users, sessions, API keys, the audit, and requests for approval"""

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Moment

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _people()
    _programs()
    _audit()


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(length=40), primary_key=True),
        sa.Column("email", sa.String(length=254), nullable=False, unique=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("login", sa.String(length=200), nullable=True, unique=True),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("disabled_at", Moment(timezone=True), nullable=True),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("link_hash", sa.String(length=64), primary_key=True),
        sa.Column("user_id", sa.String(length=40), sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("sets_password", sa.Boolean(), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
    )
    op.create_index("ix_sign_in_links_user_id", "sign_in_links", ["user_id"])
    op.create_table(
        "sign_in_states",
        sa.Column("state_hash", sa.String(length=64), primary_key=True),
        sa.Column("nonce", sa.String(length=200), nullable=False),
        sa.Column("verifier", sa.String(length=200), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.String(length=64), primary_key=True),
        sa.Column("user_id", sa.String(length=40), sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("started_at", Moment(timezone=True), nullable=False),
        sa.Column("seen_at", Moment(timezone=True), nullable=False),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])


def _programs() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(length=40), primary_key=True),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False, unique=True),
        sa.Column("created_at", Moment(timezone=True), nullable=False),
        sa.Column("expires_at", Moment(timezone=True), nullable=True),
        sa.Column("revoked_at", Moment(timezone=True), nullable=True),
        sa.Column("used_at", Moment(timezone=True), nullable=True),
    )
    op.create_index("ix_api_keys_name", "api_keys", ["name"])
    op.create_table(
        "switches",
        sa.Column("name", sa.String(length=40), primary_key=True),
        sa.Column("on", sa.Boolean(), nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "told",
        sa.Column("request_id", sa.String(length=32), primary_key=True),
        sa.Column("invoice_id", sa.String(length=200), sa.ForeignKey("invoices.invoice_id"), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("credential", sa.String(length=200), nullable=True),
        sa.Column("at", Moment(timezone=True), nullable=False),
    )
    op.create_index("ix_told_at", "told", ["at"])
    op.create_index("told_of", "told", ["invoice_id", "digest"])
    op.create_table(
        "audit",
        sa.Column("entry_id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("object", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("at", Moment(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("credential", sa.String(length=200), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=200), nullable=True),
        sa.Column("prev", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.UniqueConstraint("object", "number"),
        sa.UniqueConstraint("object", "key"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_principal", "audit", ["principal"])
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.String(length=40), primary_key=True),
        sa.Column("invoice_id", sa.String(length=200), sa.ForeignKey("invoices.invoice_id"), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("requested_at", Moment(timezone=True), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", Moment(timezone=True), nullable=True),
    )
    op.create_index("ix_approvals_invoice_id", "approvals", ["invoice_id"])
    op.create_index("ix_approvals_decision", "approvals", ["decision"])


def downgrade() -> None:
    for table in (
        "approvals",
        "audit",
        "told",
        "switches",
        "api_keys",
        "sessions",
        "sign_in_states",
        "sign_in_links",
        "users",
    ):
        op.drop_table(table)

"""How invoices stood and what was promised, each with its time, and when money was recorded

What earlier releases did not keep apart is read from the timelines of the cases.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

from dunwell.store.column_types import Amount, Moment

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_NOW = re.compile(r"now (?P<amount>\d+(?:\.\d+)?) [A-Z]{3}(?:, due on (?P<due_on>\d{4}-\d\d-\d\d))?")
_DISPUTED = re.compile(r"(?P<amount>\d+(?:\.\d+)?) [A-Z]{3} disputed by ")
_ENDS = frozenset({"written_off", "cancelled", "handed_over"})

_INVOICES = sa.table("invoices", sa.column("invoice_id"), sa.column("amount"), sa.column("due_on", sa.Date()))
_CASES = sa.table(
    "cases",
    sa.column("invoice_id"),
    sa.column("rehearsal", sa.Boolean()),
    sa.column("state", sa.JSON()),
    sa.column("updated_at", Moment()),
)
_TIMELINE = sa.table(
    "timeline",
    sa.column("invoice_id"),
    sa.column("seq"),
    sa.column("at", Moment()),
    sa.column("kind"),
    sa.column("reason"),
)
_KINDS = ("amended", "dispute", "dispute_resolved", "ended", "reopened", "promise_kept", "promise_broken")


def upgrade() -> None:
    standings, promises = _tables()
    op.add_column("payments", sa.Column("recorded_at", Moment(timezone=True), nullable=True))
    op.add_column("payment_reversals", sa.Column("recorded_at", Moment(timezone=True), nullable=True))
    connection = op.get_bind()
    told: dict[str, list[Any]] = {}
    query = sa.select(_TIMELINE).where(_TIMELINE.c.kind.in_(_KINDS)).order_by(_TIMELINE.c.seq)
    for entry in connection.execute(query):
        told.setdefault(entry.invoice_id, []).append(entry)
    joined = _CASES.join(_INVOICES, _INVOICES.c.invoice_id == _CASES.c.invoice_id)
    query = sa.select(_CASES, _INVOICES.c.amount, _INVOICES.c.due_on).select_from(joined)
    for case in connection.execute(query.where(_CASES.c.rehearsal.is_(sa.false()))).all():
        if not {"amount", "digits", "due_on"} <= case.state.keys():
            continue
        entries = told.get(case.invoice_id, [])
        _insert(connection, standings, case.invoice_id, _standings(case, entries))
        _insert(connection, promises, case.invoice_id, _promises(case, entries))


def _tables() -> tuple[sa.Table, sa.Table]:
    standings = op.create_table(
        "standings",
        sa.Column("invoice_id", sa.String(length=200), sa.ForeignKey("invoices.invoice_id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("since", Moment(timezone=True), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("tolerance", Amount(), nullable=False),
        sa.Column("end", sa.String(length=20), nullable=True),
        sa.Column("disputed", Amount(), nullable=False),
        sa.Column("beside_principal", Amount(), nullable=False),
    )
    promises = op.create_table(
        "promises",
        sa.Column("invoice_id", sa.String(length=200), sa.ForeignKey("invoices.invoice_id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("made_at", Moment(timezone=True), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("settled_at", Moment(timezone=True), nullable=True),
        sa.Column("earlier", sa.JSON(), nullable=False),
    )
    return standings, promises


def _insert(connection: sa.Connection, table: sa.Table, invoice_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
    numbered = [{"invoice_id": invoice_id, "number": number, **row} for number, row in enumerate(rows, 1)]
    if numbered:
        connection.execute(sa.insert(table), numbered)


def _standings(case: Any, entries: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield each change that the timeline tells of, and at last what the case knows besides."""
    state = case.state
    standing: dict[str, Any] = {
        "amount": Decimal(str(case.amount)),
        "due_on": case.due_on,
        "tolerance": Decimal((state.get("rules") or {}).get("tolerance", 50)).scaleb(-state["digits"]),
        "end": None,
        "disputed": Decimal(0),
        "beside_principal": Decimal(0),
    }
    since = case.updated_at
    for entry in entries:
        changed = standing | _told(entry, standing["amount"])
        if changed != standing:
            standing, since = changed, entry.at
            yield {"since": since, **standing}
    dispute, end = state.get("dispute"), state.get("ended")
    last = standing | {
        "amount": Decimal(state["amount"]),
        "due_on": date.fromisoformat(state["due_on"]),
        "end": end if end in _ENDS else None,
        "disputed": Decimal(0) if dispute is None else Decimal(dispute.get("amount") or state["amount"]),
        "beside_principal": Decimal(state.get("beside_principal") or 0),
    }
    if last != standing:
        yield {"since": max(since, case.updated_at), **last}


def _told(entry: Any, amount: Decimal) -> dict[str, Any]:
    """What a timeline entry says about how the invoice stands from then on."""
    if entry.kind in {"amended", "dispute_resolved"}:
        found = _NOW.search(entry.reason)
        changed: dict[str, Any] = {} if found is None else {"amount": Decimal(found["amount"])}
        if found is not None and found["due_on"]:
            changed["due_on"] = date.fromisoformat(found["due_on"])
        return changed | ({"disputed": Decimal(0)} if entry.kind == "dispute_resolved" else {})
    if entry.kind == "dispute":
        part = _DISPUTED.match(entry.reason)
        return {"disputed": Decimal(part["amount"]) if part else amount}
    if entry.kind == "ended":
        end = entry.reason.partition(":")[0]
        return {"end": end} if end in _ENDS else {"end": None, "disputed": Decimal(0)}
    return {"end": None} if entry.kind == "reopened" else {}


def _promises(case: Any, entries: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for promise in case.state.get("promises") or ():
        day, state = date.fromisoformat(promise["date"]), promise["state"]
        midnight = datetime.combine(day, time(0), tzinfo=UTC)
        made_at = promise.get("made_at")
        told = [one.at for one in entries if one.kind == f"promise_{state}" and str(day) in one.reason]
        yield {
            "made_at": datetime.fromisoformat(made_at) if made_at else midnight,
            "date": day,
            "amount": Decimal(promise["amount"]),
            "state": state,
            "settled_at": None if state == "open" else (told or [midnight])[0],
            "earlier": promise.get("earlier") or [],
        }


def downgrade() -> None:
    op.drop_column("payment_reversals", "recorded_at")
    op.drop_column("payments", "recorded_at")
    op.drop_table("promises")
    op.drop_table("standings")

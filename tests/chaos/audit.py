"""Triggers in the database under test that write down what the product did to it, in the order of the commits.

The product knows nothing of them. SQLite has one writer at a time, so the order of the lines is that of the commits.
PostgreSQL has many: a line there knows its transaction, and the server when that was committed. Into a database that
is restored from a copy the lines of the lost time are carried over, so that none is missing.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dunwell.store.database import Database


@dataclass(frozen=True)
class _Trigger:
    """Notes (kind, key, value, part), expressions over NEW (OLD of what is deleted), after `event`.

    changed: an expression; only where it changed.

    part: of what `key` names, which part it is about.
    """

    event: str
    kind: str
    key: str
    value: str
    changed: str | None = None
    part: str = "NULL"


_NUMBER = "CAST(NEW.number AS text)"
_WAITS = "CASE WHEN NEW.handled_at IS NULL AND NEW.kind = 'person' THEN 'open' ELSE 'handled' END"
_RESTS, _UNTIL = "NEW.customer_id", "CAST(NEW.until AS text)"
_STANDS = "CASE WHEN NEW.closed_at IS NULL THEN 'open' ELSE 'closed' END"
_OWED = (
    "paid",
    "amount",
    "earlier_amounts",
    "dispute",
    "past_disputes",
    "due_on",
    "ended",
    "written_off_at",
    "claimed",
    "beside_principal",
    "last_claim",
)
"""What a case keeps of what is owed, and the claim that was computed of it and of the payments."""


def _object(fields: Sequence[str]) -> str:
    """An expression over NEW: these fields of its state as one JSON object."""
    texts = (f"""'"{name}": ' || coalesce(CAST(NEW.state -> '{name}' AS text), 'null')""" for name in fields)
    return f"""'{{' || {" || ', ' || ".join(texts)} || '}}'"""


_TRIGGERS = {
    "payment": _Trigger("INSERT ON payments", "payment", "NEW.invoice_id", "NEW.amount", part="NEW.payment_id"),
    "reversal": _Trigger(
        "INSERT ON payment_reversals",
        "reversal",
        "NEW.invoice_id",
        "NEW.amount",
        part="NEW.payment_id || ' ' || NEW.key",
    ),
    "claim": _Trigger("INSERT ON messages", "claim", "NEW.message_id", "NEW.state"),
    "reclaim": _Trigger("UPDATE OF called_at ON messages", "claim", "NEW.message_id", "NEW.state", "NEW.called_at"),
    "state": _Trigger("UPDATE OF state ON messages", "state", "NEW.message_id", "NEW.state", "NEW.state"),
    "hold": _Trigger("INSERT ON holds", "hold", "NEW.hold_id", "NEW.level"),
    "closed": _Trigger("INSERT ON closed_addresses", "closed", "NEW.channel", "NEW.address"),
    "reopened": _Trigger("DELETE ON closed_addresses", "reopened", "OLD.channel", "OLD.address"),
    "line": _Trigger("INSERT ON timeline", "line", "NEW.invoice_id", "NEW.seq"),
    "opened": _Trigger("INSERT ON cases", "case", "NEW.invoice_id", "NEW.stage"),
    "amount": _Trigger(
        "UPDATE OF state ON cases", "amount", "NEW.invoice_id", "NEW.state ->> 'amount'", "NEW.state ->> 'amount'"
    ),
    "round": _Trigger(
        "UPDATE OF state ON cases", "round", "NEW.invoice_id", "NEW.state ->> 'round'", "NEW.state ->> 'round'"
    ),
    "owed": _Trigger("UPDATE OF state ON cases", "owed", "NEW.invoice_id", _object(_OWED), _object(_OWED)),
    "owed_first": _Trigger("INSERT ON cases", "owed", "NEW.invoice_id", _object(_OWED)),
    "proposed": _Trigger("INSERT ON proposals", "proposal", "NEW.entry_id", "NEW.state", part=_NUMBER),
    "decided": _Trigger(
        "UPDATE OF state ON proposals", "proposal", "NEW.entry_id", "NEW.state", "NEW.state", part=_NUMBER
    ),
    "replied": _Trigger("INSERT ON replies", "reply", "NEW.reply_id", _WAITS),
    "handled": _Trigger("UPDATE OF handled_at ON replies", "reply", "NEW.reply_id", _WAITS, _WAITS),
    "rests": _Trigger("INSERT ON customer_pauses", "rests", _RESTS, "'rests'", part=_UNTIL),
    "rests_anew": _Trigger("UPDATE ON customer_pauses", "rests", _RESTS, "'rests'", part=_UNTIL),
    "goes_on": _Trigger("DELETE ON customer_pauses", "rests", "OLD.customer_id", "'goes on'"),
    "contact": _Trigger("UPDATE OF closed_at ON contacts", "contact", "NEW.contact_id", _STANDS, _STANDS),
    "called": _Trigger("INSERT ON tasks", "task", "NEW.task_id", "NEW.kind"),
    "kept": _Trigger("UPDATE ON cases", "case", "NEW.invoice_id", "NEW.stage"),
}

TABLE = "chaos_audit"
_SQLITE_TABLE = (
    f"CREATE TABLE {TABLE} (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
    "at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), kind TEXT, key TEXT, value TEXT, part TEXT)"
)
_POSTGRES_TABLE = (
    f"CREATE TABLE {TABLE} (seq bigserial PRIMARY KEY, kind text, key text, value text, part text, "
    "at text NOT NULL DEFAULT to_char(clock_timestamp() AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI:SS.MS'), "
    "transaction xid NOT NULL DEFAULT pg_current_xact_id()::xid)"
)
POSTGRES_ORDERED = (
    "SELECT row_number() OVER (ORDER BY pg_xact_commit_timestamp(transaction), seq) AS seq, "
    f"at, kind, key, value, part FROM {TABLE}"
)
"""The lines in the order of their commits; the server needs track_commit_timestamp."""


def watch(database: Database) -> None:
    """Install the triggers. `at` is the database's own UTC time, to the millisecond."""
    with database.engine.begin() as connection:
        on_file = connection.dialect.name == "sqlite"
        connection.exec_driver_sql(_SQLITE_TABLE if on_file else _POSTGRES_TABLE)
        for name, trigger in _TRIGGERS.items():
            for statement in (_on_sqlite if on_file else _on_postgres)(f"chaos_{name}", trigger):
                connection.exec_driver_sql(statement)


def note_copy(file: Path) -> None:
    """Write down that the SQLite database is copied now. The copy has this line, too."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"INSERT INTO {TABLE}(kind) VALUES ('copied')")


def carry_over(replaced: Path, restored: Path) -> None:
    """Give the SQLite database `restored`, which is an older copy of `replaced`, the lines that only that one has.

    A line "restored" ends the time of which the database knows nothing any more.
    """
    with closing(sqlite3.connect(restored)) as connection, connection:
        connection.execute("ATTACH ? AS replaced", (f"{replaced}",))
        connection.execute(
            f"INSERT INTO {TABLE} SELECT * FROM replaced.{TABLE} WHERE seq > (SELECT max(seq) FROM {TABLE})"
        )
        connection.execute(f"INSERT INTO {TABLE}(kind) VALUES ('restored')")


def _on_sqlite(name: str, trigger: _Trigger) -> list[str]:
    when = _when(trigger, "IS NOT")
    return [f"CREATE TRIGGER {name} AFTER {trigger.event} {when} BEGIN {_note(trigger)}; END"]


def _on_postgres(name: str, trigger: _Trigger) -> list[str]:
    when = _when(trigger, "IS DISTINCT FROM")
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {_note(trigger)}; RETURN NULL; END $$",
        f"CREATE TRIGGER {name} AFTER {trigger.event} FOR EACH ROW {when} EXECUTE FUNCTION {name}()",
    ]


def _note(trigger: _Trigger) -> str:
    values = f"'{trigger.kind}', {trigger.key}, {trigger.value}, {trigger.part}"
    return f"INSERT INTO {TABLE}(kind, key, value, part) VALUES ({values})"


def _when(trigger: _Trigger, differs: str) -> str:
    if trigger.changed is None:
        return ""
    return f"WHEN (({trigger.changed}) {differs} ({trigger.changed.replace('NEW', 'OLD')}))"

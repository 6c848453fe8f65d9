"""Triggers in the database under test that write down, in the order of the commits, what the product did to it.

The product knows nothing of them. SQLite has one writer at a time, so their sequence is the order of the claims
and the payments whatever clock anybody used.
"""

import sqlite3
from pathlib import Path

_NOTE = "INSERT INTO chaos_audit(kind, key, value) VALUES"
_TRIGGERS = {
    "payment": f"AFTER INSERT ON payments BEGIN {_NOTE} ('payment', NEW.invoice_id, NEW.amount); END",
    "reversal": "AFTER UPDATE OF reversed_at ON payments WHEN NEW.reversed_at IS NOT OLD.reversed_at "
    f"BEGIN {_NOTE} ('reversal', NEW.invoice_id, NEW.amount); END",
    "claim": f"AFTER INSERT ON messages BEGIN {_NOTE} ('claim', NEW.message_id, NEW.state); END",
    "reclaim": "AFTER UPDATE OF called_at ON messages WHEN NEW.called_at IS NOT OLD.called_at "
    f"BEGIN {_NOTE} ('claim', NEW.message_id, NEW.state); END",
    "state": "AFTER UPDATE OF state ON messages WHEN NEW.state IS NOT OLD.state "
    f"BEGIN {_NOTE} ('state', NEW.message_id, NEW.state); END",
    "hold": f"AFTER INSERT ON holds BEGIN {_NOTE} ('hold', NEW.hold_id, NEW.level); END",
    "closed": f"AFTER INSERT ON closed_addresses BEGIN {_NOTE} ('closed', NEW.channel, NEW.address); END",
    "line": f"AFTER INSERT ON timeline BEGIN {_NOTE} ('line', NEW.invoice_id, NEW.seq); END",
    "opened": f"AFTER INSERT ON cases BEGIN {_NOTE} ('case', NEW.invoice_id, NEW.stage); END",
    "amount": "AFTER UPDATE OF state ON cases "
    "WHEN json_extract(NEW.state, '$.amount') IS NOT json_extract(OLD.state, '$.amount') "
    f"BEGIN {_NOTE} ('amount', NEW.invoice_id, json_extract(NEW.state, '$.amount')); END",
    "kept": f"AFTER UPDATE ON cases BEGIN {_NOTE} ('case', NEW.invoice_id, NEW.stage); END",
}


def watch(database: Path) -> None:
    """Install the triggers. `at` is the server's own UTC time, to the millisecond."""
    with sqlite3.connect(database) as connection:
        connection.execute(
            "CREATE TABLE chaos_audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
            "at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), kind TEXT, key TEXT, value TEXT)"
        )
        for name, body in _TRIGGERS.items():
            connection.execute(f"CREATE TRIGGER chaos_{name} {body}")
    connection.close()

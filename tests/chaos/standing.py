"""How the cases stand, before anybody ends them: what G13 is judged by.

Each moment is looked at twice, for what is under way at one look has arrived at the other.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from dunwell.store.database import Database
from tests.chaos.records import STANDING

_BETWEEN = 2.0  # seconds

_STORED = """
SELECT c.invoice_id, c.stage, c.next_at,
(SELECT count(*) FROM tasks t WHERE t.state = 'open'
 AND (t.invoice_id = c.invoice_id OR t.task_id LIKE c.customer_id || '.rests.%')) AS tasks
FROM cases c
"""
"""Whoever rests as a whole is asked about once, at one of their invoices."""

_Looked = dict[str, dict[str, Any]]


async def look(state: Path, database: Database, handles: Mapping[str, WorkflowHandle[Any, Any]]) -> None:
    """Add one moment to what is kept for the checker."""
    first = await _look(database, handles)
    await asyncio.sleep(_BETWEEN)
    with (state / STANDING).open("a") as file:
        file.write(json.dumps([first, await _look(database, handles)]) + "\n")


async def _look(database: Database, handles: Mapping[str, WorkflowHandle[Any, Any]]) -> _Looked:
    looked = {name: await _in_engine(handle) for name, handle in handles.items()}
    for name, stored in (await asyncio.to_thread(_stored, database)).items():
        looked[name] |= stored
    return looked


async def _in_engine(handle: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """Whether it runs, and how often the activity that was tried most has been. A server that is away: it runs."""
    try:
        described = await handle.describe()
    except RPCError:
        return {"running": True, "attempts": 0}
    tried = [activity.attempt for activity in described.raw_description.pending_activities]
    return {"running": described.status is WorkflowExecutionStatus.RUNNING, "attempts": max(tried, default=0)}


def _stored(database: Database) -> _Looked:
    with database.reading() as session:
        rows = session.execute(text(_STORED)).all()
    return {
        row.invoice_id: {"stage": row.stage, "planned": row.next_at is not None, "tasks": row.tasks} for row in rows
    }

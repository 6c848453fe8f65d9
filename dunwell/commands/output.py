"""Prints the answers of commands: tables, lines and JSON to standard output, warnings to standard error.

Text is cleaned of control characters, so that foreign text cannot control the terminal; JSON escapes them.
"""

import sys
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from dunwell.client.answers import TellOutcome
from dunwell.domain.cleaning import clean
from workflows.status import Status

_PIPE_WIDTH = 200  # characters of a table that is not shown on a terminal


def say(text: str) -> None:
    """Print a line of the answer to standard output."""
    Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(clean(text))


def warn(text: str) -> None:
    """Print a line to standard error."""
    Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True).print(clean(text))


def print_json(value: object) -> None:
    """Print a value as JSON. Models and dates become plain JSON; amounts stay exact, as strings."""
    sys.stdout.write(to_json(value, indent=2).decode() + "\n")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], otherwise: str = "") -> None:
    """Print a table, or the line `otherwise` when there are no rows."""
    if not rows:
        if otherwise:
            say(otherwise)
        return
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(clean(cell) for cell in row))
    console.print(table)


def outcome_line(invoice_id: str, how: TellOutcome, status: Status | None, *, waited: bool) -> str:
    """Return in one line what became of an event sent to a case. `waited`: whether its answer was waited for."""
    if status is not None:
        again = "; the case was not running and took this in with a new run" if how is TellOutcome.REOPENED else ""
        return f"{invoice_id}: {_standing(status)}{again}"
    if how is TellOutcome.ACCEPTED:
        return f"{invoice_id}: the case has it and decides about it by itself; `status` shows what came of it"
    if how is TellOutcome.REOPENED:
        return f"{invoice_id}: no workflow of this case was running; a new run was started to take this in"
    if waited:
        return f"{invoice_id}: no worker answered; left with the server, which hands it over as soon as one runs"
    return f"{invoice_id}: left with the server; the case takes it in by itself, and `status` shows what came of it"


def _standing(status: Status) -> str:
    if status.policy is None:
        return "not registered yet: what it is told is kept until its invoice is brought by starter.py start"
    credit = f", credit {status.credit} {status.currency}" if status.credit else ""
    due = f"{status.amount_due} {status.currency} open{credit}"
    return f"{status.stage.value}, {due}, access {status.access.value}; {coming_next(status)}"


def coming_next(status: Status) -> str:
    """Return the next action with its time in UTC and its reason."""
    action = status.next_action
    if status.policy is None:
        return "next: waits for its invoice to be registered"
    if action is not None:
        return f"next: {action.name} at {action.at:%Y-%m-%d %H:%M} UTC ({action.why})"
    return "next: nothing, the case has ended" if status.stage.ended else "next: waits for a person"


def local_time(moment: datetime, zone: str) -> str:
    """Return a moment in the local time of `zone`, an IANA name."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M %Z}"


def age(days: int) -> str:
    """Return how old something is, of which the whole days are counted."""
    return f"{days} d" if days else "< 1 d"

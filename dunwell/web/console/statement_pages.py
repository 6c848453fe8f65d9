"""The page of a bank statement: what it would bring, or what came of it."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from dunwell.domain.principals import Principal
from dunwell.services.statements import KEPT, StatementPreview
from dunwell.views.statements import preview_facts
from dunwell.web.console.rendering import page
from dunwell.web.console.uploads import Upload

_SHOWN = 500  # entries


def shown_statement(
    request: Request,
    principal: Principal,
    upload: Upload,
    shown: StatementPreview,
    *,
    layout: str,
    booked: bool = False,
    unaccepted: bool = False,
    done: str | None = None,
) -> Response:
    """Show a statement. `layout`: the name of that by which a CSV file was read, "" for another file."""
    lines = [line for line in shown.lines if not line.quiet]
    facts: dict[str, Any] = {
        "upload": upload,
        "layout": layout,
        "preview": shown,
        "lines": lines[:_SHOWN],
        "more": max(len(lines) - _SHOWN, 0),
        "totals": preview_facts(shown)["totals"],
        "anything": any(line.verdict in KEPT for line in shown.lines),
        "booked": booked,
        "unaccepted": unaccepted,
        "done": done,
    }
    bad = bool(shown.problems) and not booked
    return page(request, "statement.html", principal, 422 if bad else 200, **facts)

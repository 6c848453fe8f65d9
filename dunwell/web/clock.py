"""The time of a request."""

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import Request


def now(request: Request) -> datetime:
    """Return the time by the service's clock, in UTC."""
    clock: Callable[[], datetime] | None = getattr(request.app.state, "clock", None)
    return clock() if clock else datetime.now(UTC)

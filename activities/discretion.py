"""Keeps what an error quotes out of the engine: its history is no place for names, addresses or rows (G8)."""

import logging
import traceback
from pathlib import Path
from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from gateways.base import DeliveryError

_log = logging.getLogger("dunwell.activities")


class Discretion(Interceptor):
    """Every activity of a worker fails with our own words only; the log tells kind and place."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Discreet(next)


class _Discreet(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except FailureError:
            raise  # ours, or the engine's own
        except DeliveryError as error:
            raise ApplicationError(error.reason, type="Delivery") from None
        except Exception as error:
            kind, place = type(error).__name__, _place(error)
            _log.error("activity %s failed: %s at %s", input.fn.__name__, kind, place)
            raise ApplicationError(f"{kind} at {place}", type=kind) from None


def _place(error: Exception) -> str:
    """The innermost line of our own code, so that an operator knows where to look."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"

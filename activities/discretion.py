"""Keeps what an error quotes out of the engine: its history is no place for names, addresses or rows (G8)."""

import logging
from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.faults import place_of
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
            kind, place = type(error).__name__, place_of(error)
            _log.error("activity %s failed: %s at %s", input.fn.__name__, kind, place)
            raise ApplicationError(f"{kind} at {place}", type=kind) from None

"""Keeps what an error quotes out of the engine: its history is no place for names, addresses or rows (G8)."""

import logging
from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from dunwell.gateways.base import DeliveryError
from dunwell.services.failures import WorkFailed, place_of

_log = logging.getLogger("dunwell.activities")


class OneLine(logging.Filter):
    """Takes the traceback off the engine's own lines about activities and updates that failed with our words.

    A provider that is busy, a row that two wanted at once, a refusal: each happens every day, is tried again or told
    to whoever asked, and was named in one line already.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, FailureError):
            about = getattr(record, "temporal_activity", None) or getattr(record, "temporal_workflow", None) or {}
            name = about.get("activity_type") or about.get("workflow_id") or "unknown"
            record.exc_info, record.exc_text = None, None
            record.msg, record.args = f"{record.getMessage().partition(' (')[0]}: {name}: {error}", ()
        return True


def shorten_expected_errors() -> None:
    """Let the engine's loggers of this process tell expected failures in one line."""
    for name in ("temporalio.activity", "temporalio.workflow"):
        logging.getLogger(name).addFilter(OneLine())


class ErrorRedaction(Interceptor):
    """Every activity of a worker fails with our own words only; the log tells kind and place."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _RedactedActivity(next)


class _RedactedActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except FailureError:
            raise  # ours, or the engine's own
        except WorkFailed as error:
            raise ApplicationError(
                str(error), type=error.kind, next_retry_delay=error.retry_after, non_retryable=error.final
            ) from None
        except DeliveryError as error:
            raise ApplicationError(error.reason, type="Delivery") from None
        except Exception as error:
            kind, place = type(error).__name__, place_of(error)
            _log.error("activity %s failed: %s at %s", input.fn.__name__, kind, place)
            raise ApplicationError(f"{kind} at {place}", type=kind) from None

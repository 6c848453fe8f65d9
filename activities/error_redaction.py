"""Keeps personal data that an error may quote out of Temporal's history (G8)."""

import logging
from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from dunwell.gateways.base import DeliveryError
from dunwell.services.failures import WorkFailed, place_of

_log = logging.getLogger("dunwell.activities")


class OneLine(logging.Filter):
    """Removes the traceback from the SDK's log lines about activities and updates that failed as expected.

    A busy provider, a row locked by another, a refusal: each happens every day, is retried or returned to the caller,
    and needs one line only.
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
    """Make the SDK's loggers of this process log expected failures in one line."""
    for name in ("temporalio.activity", "temporalio.workflow"):
        logging.getLogger(name).addFilter(OneLine())


class ErrorRedaction(Interceptor):
    """Replaces each error of an activity by an ApplicationError with our own message; the log has kind and place."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _RedactedActivity(next)


class _RedactedActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except FailureError:
            raise  # raised by an activity itself, or the SDK's
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

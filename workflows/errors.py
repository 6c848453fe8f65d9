"""The errors with which a run or an update ends, and the reason of a failed activity in words."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from dunwell.domain.refusal import Refused

_LONGEST_REASON = 200


def run_refused(reason: str) -> ApplicationError:
    """Return the error that ends a run which must not go on."""
    return ApplicationError(reason, type="Refused", non_retryable=True)


def update_refused(refused: Refused) -> ApplicationError:
    """Return the error that the sender of a refused update gets; its details are the field and the reason."""
    return ApplicationError(str(refused), refused.field, refused.reason, type="Refused", non_retryable=True)


def reason_of(error: ActivityError) -> str:
    """Return why an activity failed, in at most 200 characters."""
    cause = error.cause
    reason = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else type(cause).__name__
    return reason[:_LONGEST_REASON]

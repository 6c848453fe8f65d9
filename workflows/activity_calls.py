"""Activities of a run, called so that no workflow task that takes in a result is empty (decision 13)."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.errors import run_refused
from workflows.operator_view import OperatorView

with workflow.unsafe.imports_passed_through():
    from dunwell.services.failures import OtherRun

T = TypeVar("T")


class ActivityCalls:
    def __init__(self, view: OperatorView) -> None:
        self._view = view
        self._pending = 0

    async def result(self, activity: Awaitable[T]) -> T:
        """Return the activity's result. Raises ActivityError, or what ends a run whose clock is not its case's.

        While something else is awaited too, the result may lead to no command, and would leave the task empty.
        """
        try:
            with self.awaiting():
                return await activity
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type == OtherRun.kind:
                raise run_refused(error.cause.message) from None
            raise
        finally:
            if self._pending:
                self.leave_trace()

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Count the block as something that is awaited beside the main loop: an activity, or a timer of its own."""
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    def leave_trace(self) -> None:
        """Write the search attributes, so that this workflow task has a command.

        Call it before waiting for something that another coroutine of this run does. A worker without the case in its
        cache may take a task without commands for a part of the next one, and would run an update of the next one
        before the result that came first (docs/decisions/0013-no-quiet-tasks.md). Remove when
        https://github.com/temporalio/sdk-rust/issues/1146 is fixed.
        """
        self._view.write_search_attributes()

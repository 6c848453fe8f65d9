"""Activities of a run: how they are handed the case, and how their results are taken in (decision 13)."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.errors import run_refused
from workflows.memory import Memory
from workflows.operator_view import OperatorView

with workflow.unsafe.imports_passed_through():
    from dunwell.services.failures import OtherCopy, OtherRun
    from dunwell.services.request_models import CaseRequest

R = TypeVar("R", bound=CaseRequest)
T = TypeVar("T")


class ActivityCalls:
    def __init__(self, memory: Memory, view: OperatorView) -> None:
        self._memory, self._view = memory, view
        self._pending = 0

    async def about_case(self, activity: Callable[[R], Awaitable[T]], request: R) -> T:
        """Return the result of an activity whose request hands the whole case. Raises as `result` does.

        The activity gets what has changed since the database's copy, if this run knows that copy, and the whole case
        after it found another copy there.
        """
        try:
            return await self.result(activity(self._handed(request)))
        except ActivityError as error:
            if _cause(error, OtherCopy.kind) is None:
                raise
        self._memory.forget_copy()
        return await self.result(activity(request))

    def _handed(self, request: R) -> R:
        """Return the request with changes in place of the case; as it is while another activity may write a copy."""
        changes = self._memory.changes_to(request) if self._pending == 0 else None
        return request if changes is None else request.with_changes(changes)

    async def result(self, activity: Awaitable[T]) -> T:
        """Return the activity's result. Raises ActivityError, or what ends a run whose clock is not its case's.

        While something else is awaited too, the result may lead to no command, and would leave the task empty.
        """
        try:
            with self.awaiting():
                return await activity
        except ActivityError as error:
            cause = _cause(error, OtherRun.kind)
            if cause is not None:
                raise run_refused(cause.message) from None
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


def _cause(error: ActivityError, kind: str) -> ApplicationError | None:
    """Return the cause of the activity's failure if it is of this kind."""
    cause = error.cause
    return cause if isinstance(cause, ApplicationError) and cause.type == kind else None

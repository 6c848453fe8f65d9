"""What the worker's log says of failures that happen every day."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.error_redaction import ErrorRedaction, OneLine
from dunwell.gateways.base import DeliveryError
from dunwell.services.failures import CallInFlight, OtherRun, ProviderFailed


def told(caplog: pytest.LogCaptureFixture, error: Exception) -> str:
    """The log line of the engine about an activity that failed with this error."""
    line = OneLine()
    logger = logging.getLogger("temporalio.activity")
    logger.addFilter(line)
    try:

        @activity.defn(name="carry_out")
        def failing() -> None:
            try:
                raise error
            except Exception:
                activity.logger.warning("Completing activity as failed", exc_info=True)

        ActivityEnvironment().run(failing)
    finally:
        logger.removeFilter(line)
    return caplog.text


def test_e10_an_expected_failure_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    text = told(caplog, ApplicationError("SendGrid is busy (429)", type="Delivery"))
    assert len(text.splitlines()) == 1
    assert text.rstrip().endswith("Completing activity as failed: unknown: Delivery: SendGrid is busy (429)")


def test_e10_a_fault_of_the_program_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    assert "Traceback" in told(caplog, KeyError("x"))


async def failure(error: Exception) -> ApplicationError:
    """What the engine is given when an activity fails with this error."""

    class Failing(ActivityInboundInterceptor):
        def __init__(self) -> None:
            pass

        async def execute_activity(self, input: ExecuteActivityInput) -> Any:
            raise error

    def carry_out() -> None: ...

    input = ExecuteActivityInput(fn=carry_out, args=(), executor=None, headers={})
    with pytest.raises(ApplicationError) as raised:
        await ErrorRedaction().intercept_activity(Failing()).execute_activity(input)
    return raised.value


@pytest.mark.parametrize(
    ("error", "kind", "retry_after", "final"),
    [
        (ProviderFailed("SendGrid is busy (429)"), "Provider", None, False),
        (CallInFlight("under way"), "InFlight", timedelta(seconds=2), False),
        (OtherRun("inv-1", rehearsal=True), "OtherRun", None, True),
        (DeliveryError("no answer", permanent=False), "Delivery", None, False),
    ],
)
async def test_an_expected_failure_keeps_its_words_and_says_when_to_try_again(
    error: Exception, kind: str, retry_after: timedelta | None, final: bool
) -> None:
    error.__cause__ = ValueError("Ada Lovelace <ada@acme.example>")
    told = await failure(error)
    assert (told.type, told.next_retry_delay, told.non_retryable) == (kind, retry_after, final)
    assert str(error) in str(told)
    assert told.__cause__ is None


async def test_a_fault_of_the_program_is_named_by_kind_and_place_only() -> None:
    told = await failure(KeyError("Ada Lovelace"))
    assert told.type == "KeyError"
    assert "Ada" not in str(told)

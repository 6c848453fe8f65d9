"""What the worker's log says of failures that happen every day."""

import logging

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.error_redaction import OneLine


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

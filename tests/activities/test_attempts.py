"""What a service is told of the attempt of an activity."""

from dataclasses import replace

import pytest
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities.attempts import this_attempt
from dunwell.services.attempt import TRIES, Attempt
from dunwell.services.failures import CallInFlight, lasts
from tests.builders import at

BEGAN, PLANNED = at("2027-03-02 13:00"), at("2027-03-02 09:00")


def told(*, rehearsal: bool = False, number: int = 1) -> Attempt:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=BEGAN, attempt=number)
    attempt: Attempt = environment.run(lambda: this_attempt(PLANNED, rehearsal=rehearsal))
    return attempt


def test_an_attempt_is_as_late_as_the_server_says_and_a_rehearsal_keeps_its_own_time() -> None:
    assert told().now == BEGAN
    assert told(rehearsal=True).now == PLANNED


@pytest.mark.parametrize(
    ("error", "number", "for_good"),
    [
        pytest.param(LookupError("policy x@1"), TRIES, True, id="a fact is missing"),
        pytest.param(LookupError("policy x@1"), TRIES - 1, False, id="two writers may have met"),
        pytest.param(CancelledError(), TRIES, False, id="a worker that stops breaks it off"),
        pytest.param(CallInFlight("under way"), TRIES, False, id="a call is under way"),
        pytest.param(ConnectionError(), TRIES, False, id="somebody is away"),
    ],
)
def test_what_fails_for_good(error: Exception, number: int, for_good: bool) -> None:
    assert lasts(error, told(number=number)) is for_good

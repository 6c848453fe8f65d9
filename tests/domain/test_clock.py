"""The clock of a case: the server's own, or a rehearsal's that runs faster and keeps its order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.clock import Clock

_moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_spans = st.timedeltas(timedelta(0), timedelta(days=30))
_speeds = st.integers(1, 86_400).map(float)
_tiny = timedelta(milliseconds=200)  # what a float may lose at the highest speed


@given(_moments, _spans, _speeds)
def test_without_a_rehearsal_the_servers_time_is_the_cases(now: datetime, span: timedelta, speed: float) -> None:
    clock = Clock(speed=speed)
    assert clock.at(now) == now
    assert clock.server_delay(span) == span
    assert clock.set(now, now + span) is clock


@given(_moments, _moments, _speeds)
def test_a_rehearsal_shows_what_it_was_set_to(real: datetime, case: datetime, speed: float) -> None:
    clock = Clock(rehearsal=True, speed=speed).set(real, case)
    assert clock.at(real) == case
    assert clock.set(real, case) == clock


@given(_moments, _moments, _spans, _speeds)
def test_after_the_server_delay_the_case_has_come_as_far(
    real: datetime, case: datetime, span: timedelta, speed: float
) -> None:
    clock = Clock(rehearsal=True, speed=speed, real=real, case=case)
    assert abs(clock.at(real + clock.server_delay(span)) - (case + span)) < _tiny


@given(_moments, _moments, st.timedeltas(timedelta(0), timedelta(days=1)), _speeds)
def test_time_never_goes_back(real: datetime, case: datetime, later: timedelta, speed: float) -> None:
    clock = Clock(rehearsal=True, speed=speed, real=real, case=case)
    assert clock.at(real + later) >= clock.at(real)


@given(_moments, _moments, _spans, _speeds)
def test_a_rehearsal_stands_still_while_the_machine_works(
    real: datetime, case: datetime, work: timedelta, speed: float
) -> None:
    clock = Clock(rehearsal=True, speed=speed, real=real, case=case)
    assert clock.set(real + work, case).at(real + work) == case


def test_a_day_a_second() -> None:
    start = datetime(2027, 3, 1, tzinfo=UTC)
    clock = Clock(rehearsal=True, speed=86_400, real=start, case=start)
    assert clock.at(start + timedelta(seconds=10)) == start + timedelta(days=10)
    assert clock.server_delay(timedelta(days=14)) == timedelta(seconds=14)


@given(_moments, _moments, _speeds)
def test_a_clock_survives_its_journey_as_json(real: datetime, case: datetime, speed: float) -> None:
    clock = Clock(rehearsal=True, speed=speed, real=real, case=case)
    assert Clock.model_validate_json(clock.model_dump_json()) == clock


def test_a_rehearsal_that_was_never_set_shows_the_servers_time() -> None:
    now = datetime(2027, 3, 1, tzinfo=UTC)
    assert Clock(rehearsal=True, speed=60).at(now) == now

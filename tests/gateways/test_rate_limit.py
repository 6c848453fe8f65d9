import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dunwell.gateways.rate_limit import RateLimiter


def test_threads_share_the_pace() -> None:
    """Eleven turns at 50 a second: ten after the first, each a fiftieth apart, however many ask at a time."""
    rate_limits, begun = RateLimiter(50), time.monotonic()
    with ThreadPoolExecutor(11) as threads:
        taken = [done.result() for done in [threads.submit(_turn, rate_limits) for _ in range(11)]]
    assert max(taken) - begun >= 0.2


def test_the_first_turn_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)
    rate_limits = RateLimiter(1)
    rate_limits.wait()
    rate_limits.wait()
    assert slept[0] == 0
    assert 0 < slept[1] <= 1


def test_unused_turns_are_not_saved_up() -> None:
    rate_limits = RateLimiter(20)
    rate_limits.wait()
    time.sleep(0.2)
    begun = time.monotonic()
    for _ in range(3):
        rate_limits.wait()
    assert time.monotonic() - begun >= 0.1


def _turn(rate_limits: RateLimiter) -> float:
    rate_limits.wait()
    return time.monotonic()

"""The rate limiter of calls to a provider: evenly spaced, for all threads of this process."""

import time
from threading import Lock


class RateLimiter:
    """Allows so many calls a second in this process; with several workers, divide what the account allows."""

    def __init__(self, per_second: float) -> None:
        self._apart = 1 / per_second
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Block until the caller may call; first come, first served."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart
        time.sleep(turn - now)

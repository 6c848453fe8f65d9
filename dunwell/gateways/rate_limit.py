"""How fast a provider may be called: turns, evenly spaced, for all threads of this process."""

import time
from threading import Lock


class RateLimiter:
    """So many turns a second. A worker's share: with several worker processes, divide what the account allows."""

    def __init__(self, per_second: float) -> None:
        self._apart = 1 / per_second
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Blocks until it is the caller's turn; first come, first served."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart
        time.sleep(turn - now)

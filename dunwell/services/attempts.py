"""Limits how often somebody may try: counted in this process, within a sliding time."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

_MOST_NAMES = 20_000


class Attempts:
    """At most `most` attempts of one name within `seconds`. Safe to share between threads."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._of: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def admit(self, name: str) -> bool:
        """Count an attempt. Returns False, and counts nothing, when there were too many already."""
        now = self._clock()
        with self._lock:
            times = self._of.setdefault(name, deque())
            self._of.move_to_end(name)
            while times and now - times[0] >= self._seconds:
                times.popleft()
            if len(times) >= self._most:
                return False
            times.append(now)
            while len(self._of) > _MOST_NAMES:
                self._of.popitem(last=False)
            return True

    def take_back(self, name: str) -> None:
        """Count one attempt of a name no more: it succeeded. Those that failed still count."""
        with self._lock:
            times = self._of.get(name)
            if times:
                times.pop()

    def forget(self, name: str) -> None:
        """Forget the attempts of a name: the last of them succeeded."""
        with self._lock:
            self._of.pop(name, None)

"""Retries of requests that only read from a provider. Never used to send a message."""

import time
from collections.abc import Callable
from typing import TypeVar

from dunwell.gateways.base import DeliveryError

PAUSES = (1.0, 5.0, 15.0, 45.0)
"""Seconds before each further try: together longer than the minute after which providers' rate limits begin anew."""

T = TypeVar("T")


def ask(question: Callable[[], T]) -> T:
    """The answer to `question`, asked again after each of the pauses while it fails for now.

    Raises the DeliveryError of the last try; one that is permanent at once.
    """
    for pause in PAUSES:
        try:
            return question()
        except DeliveryError as error:
            if error.permanent:
                raise
        time.sleep(pause)
    return question()

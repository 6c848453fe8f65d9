"""Work that a process does again and again, beside its other work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError


async def repeat(work: Callable[[], Awaitable[object]], every: float, what: str, log: logging.Logger) -> None:
    """Do the work now and `every` so many seconds, until cancelled.

    No error ends it: `what` could not be done is logged, a plural such as "digests", and it is tried again.
    """
    while True:
        await attempt(work(), what, log)
        await asyncio.sleep(every)


async def attempt(work: Awaitable[object], what: str, log: logging.Logger) -> None:
    """Do the work once. An error is logged without its text, which may hold personal data."""
    try:
        await work
    except SQLAlchemyError as error:
        log.warning("%s wait for the database (%s)", what, type(error).__name__)
    except Exception as error:
        log.error("%s could not be done (%s); tried again", what, type(error).__name__)

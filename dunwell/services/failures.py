"""Distinguishes failures that pass by themselves from lasting ones, and limits what a lasting one prevents.

A database or a provider that is away comes back, so work is tried again for as long as it takes. Anything else (a
row, a ladder, a word of a text that is not there) is tried a few times, in case two writers met; after that the
service does what can be done without it, and a person is asked.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from jinja2 import UndefinedError
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from dunwell.gateways.base import DeliveryError
from dunwell.services.attempt import Attempt
from dunwell.texts.catalogue_file import CatalogueError

_log = logging.getLogger("dunwell.services")


class WorkFailed(Exception):
    """An attempt that failed in a way to be expected. The text holds no personal data, so the engine may keep it.

    kind         the name by which the engine's history and people know it
    retry_after  when to try again; None leaves it to whoever tries
    final        trying again is of no use
    """

    kind: ClassVar[str]
    retry_after: ClassVar[timedelta | None] = None
    final: ClassVar[bool] = False


class ProviderFailed(WorkFailed):
    """A provider did not take a message, or cannot be asked about one, and may do so later."""

    kind = "Provider"


class CallInFlight(WorkFailed):
    """An earlier call for the same message may still be under way."""

    kind = "InFlight"
    retry_after = timedelta(seconds=2)


class OtherRun(WorkFailed):
    """A run that is a rehearsal where the invoice is real, or the reverse. `rehearsal`: what the invoice is."""

    kind = "OtherRun"
    final = True

    def __init__(self, invoice_id: str, *, rehearsal: bool) -> None:
        kind = "a rehearsal" if rehearsal else "a real invoice"
        super().__init__(f"clock: {invoice_id} is {kind}, and this run is {'none' if rehearsal else 'a rehearsal'}")


class OtherCopy(WorkFailed):
    """The database's copy of the case is not the one that its workflow knows."""

    kind = "OtherCopy"
    final = True

    def __init__(self, invoice_id: str) -> None:
        super().__init__(f"the database's copy of {invoice_id} is another one than its workflow knows: hand it whole")


_PASSING = (WorkFailed, DeliveryError, OperationalError, InterfaceError, InternalError, NoConnection, OSError)


def lasts(error: Exception, attempt: Attempt) -> bool:
    """Whether trying once more is useless: nobody is away, and this attempt is not among the first."""
    return not isinstance(error, (*_PASSING, *attempt.passing)) and not attempt.is_among_the_first


def reason_of(error: Exception) -> str:
    """What is missing, in words that quote neither rows nor personal data, for they stand in the engine's history."""
    if isinstance(error, CatalogueError) and isinstance(error.__cause__, UndefinedError | None):
        return str(error)
    if type(error) is LookupError:  # said by our own code, with ids only
        return str(error)
    return f"{type(error).__name__} at {place_of(error)}"


def place_of(error: Exception) -> str:
    """The innermost line of our own code, so that an operator knows where to look."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"


@contextmanager
def each_alone(kind: str, name: str, attempt: Attempt) -> Iterator[None]:
    """One of many, looked at in a block of its own: what fails for good is logged, and the others have their turn."""
    try:
        yield
    except Exception as error:
        if not lasts(error, attempt):
            raise
        _log.error("%s %s is left alone: %s at %s", kind, name, type(error).__name__, place_of(error))


@dataclass
class Parts:
    """Work in one transaction, part by part: what fails for good is taken back alone, and noted in `failed`."""

    session: Session
    attempt: Attempt
    failed: dict[str, str] = field(default_factory=dict)  # part to reason

    def do(self, name: str, part: Callable[[], object]) -> bool:
        """Whether the part was done. Raises what may pass, which takes the whole transaction back."""
        if self.attempt.is_among_the_first:
            part()  # as a whole: most failures are none the next time
            return True
        try:
            with self.session.begin_nested():
                part()
        except Exception as error:
            if not lasts(error, self.attempt):
                raise
            self.failed[name] = reason_of(error)
            _log.error("%s failed for good: %s at %s", name, type(error).__name__, place_of(error))
            return False
        return True

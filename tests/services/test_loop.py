"""Work that is done again and again: no error ends it, and none is logged with its text."""

import asyncio
import logging

import pytest
from sqlalchemy.exc import OperationalError

from dunwell.services.loop import repeat

_SECRET = "ada@example.com owes"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(_SECRET), "digests could not be done (ValueError); tried again"),
        (OperationalError(_SECRET, {}, Exception()), "digests wait for the database (OperationalError)"),
    ],
)
def test_g13_an_error_ends_no_loop(error: Exception, said: str, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("")
        if len(done) == 1:
            raise error
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(repeat(work, 0, "digests", logging.getLogger("dunwell.test")))
    assert len(done) == 2
    assert said in caplog.text
    assert _SECRET not in caplog.text

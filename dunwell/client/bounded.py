"""Awaits many calls, some at a time, so that neither server nor database is flooded."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

_AT_ONCE = 20

Result = TypeVar("Result")


async def gather(calls: Iterable[Awaitable[Result]]) -> list[Result]:
    """The results of all, in order, of which at most 20 run at a time."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[Result]) -> Result:
        async with slots:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))

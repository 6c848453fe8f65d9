"""Answers of the API that are one reading of the database."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python
from sqlalchemy.orm import Session

from dunwell.domain.refusal import Refused
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of


async def answer_read(request: Request, read: Callable[[Session], Any]) -> JSONResponse:
    """Answer what `read` returns, called in a thread with a reading session. Raises Problem for what it refuses."""
    database = service_of(request).database

    def run() -> Any:
        with database.reading() as session:
            return to_jsonable_python(read(session))

    try:
        return JSONResponse(await asyncio.to_thread(run))
    except Refused as refused:
        raise Problem.of(refused) from None

"""The figures of receivables over HTTP."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from dunwell.domain.principals import Right
from dunwell.domain.refusal import Refused
from dunwell.views.figures import as_of_given, figures
from dunwell.web.api.paging import only_known
from dunwell.web.auth import allowed
from dunwell.web.request_body import Problem
from dunwell.web.service import service_of

router = APIRouter(prefix="/api")


@router.get(
    "/figures",
    summary="The figures of receivables",
    dependencies=[Depends(allowed(Right.FIGURES_READ)), Depends(only_known)],
)
async def read_figures(
    request: Request,
    as_of: Annotated[
        str | None, Query(max_length=60, description="A day, which stands for its end, or a time.")
    ] = None,
    currency: Annotated[str | None, Query(max_length=10)] = None,
) -> JSONResponse:
    """The figures of every currency, or of one, at an instant, by default now, as `starter.py figures --json` prints
    them. A figure that cannot be computed is null. 422: no such currency is known, or `as_of` is neither a day nor a
    time, or lies ahead.
    """
    database = service_of(request).database

    def read() -> dict[str, Any]:
        with database.reading() as session:
            return figures(session, as_of_given(as_of, datetime.now(UTC)), currency)

    try:
        return JSONResponse(await asyncio.to_thread(read))
    except Refused as refused:
        raise Problem(422, refused.reason, refused.field) from None

"""The figures of receivables at a day, of one currency, with charts; and those of all currencies as CSV."""

import asyncio
import io
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.store import receivables
from dunwell.views import figure_words as words
from dunwell.views.figure_table import write_csv
from dunwell.views.figures import as_of_given, figures
from dunwell.web.auth import allowed
from dunwell.web.clock import now
from dunwell.web.console.figure_charts import ageing_chart, days_chart, steps_chart, trend_chart
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, file_response, page
from dunwell.web.service import service_of

router = APIRouter(prefix=f"{PREFIX}/figures", route_class=ConsoleRoute, include_in_schema=False)

Word = Annotated[str, Query(max_length=60)]


@router.get("")
async def show_figures(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.FIGURES_READ))],
    as_of: Word = "",
    currency: Word = "",
) -> Response:
    """Show the figures of one currency: the given one, or that with most invoices."""

    def read() -> dict[str, Any]:
        with service_of(request).database.reading() as session:
            known = receivables.currencies(session)
            chosen = currency if currency in known else next(iter(known), None)
            problem, instant = None, as_of_given(None, now(request))
            try:
                instant = as_of_given(as_of, now(request))
            except Refused as refused:
                problem = refused.reason
            found = figures(session, instant, chosen)["figures"] if chosen else []
            return {"currencies": known, "found": next(iter(found), None), "day": instant.day, "problem": problem}

    facts = await asyncio.to_thread(read)
    charts = _charts(facts["found"]) if facts["found"] else {}
    status = 422 if facts["problem"] else 200
    return page(request, "figures.html", principal, status, words=words, charts=charts, as_of=as_of, **facts)


@router.get(".csv")
async def figures_as_csv(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.FIGURES_READ))],
    as_of: Word = "",
) -> Response:
    """Answer the figures of every currency as a CSV file."""
    instant = as_of_given(as_of, now(request))

    def read() -> str:
        file = io.StringIO()
        with service_of(request).database.reading() as session:
            write_csv(file, figures(session, instant))
        return file.getvalue()

    return file_response(await asyncio.to_thread(read), f"figures-{instant.day}.csv", "text/csv; charset=utf-8")


def _charts(found: Mapping[str, Any]) -> dict[str, Any]:
    currency = found["currency"]
    return {
        "ageing": ageing_chart(found["ageing"], currency),
        "trend": trend_chart(found["trend"], currency),
        "days": days_chart(found["trend"]),
        "steps": steps_chart(found["steps"], found["by_itself"], currency),
    }

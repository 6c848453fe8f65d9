"""The audit: who changed what, the latest first."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from dunwell.domain.principals import Principal, Right
from dunwell.views.audit import latest_entries
from dunwell.web.auth import allowed
from dunwell.web.console.rendering import PREFIX, ConsoleRoute, Position, page
from dunwell.web.service import service_of

router = APIRouter(prefix=f"{PREFIX}/audit", route_class=ConsoleRoute, include_in_schema=False)

_PAGE = 100

Word = Annotated[str, Query(max_length=200)]


@router.get("")
async def audit(
    request: Request,
    principal: Annotated[Principal, Depends(allowed(Right.AUDIT_READ))],
    about: Word = "",
    who: Word = "",
    before: Position = 0,
) -> Response:
    """Show the entries about an object (`invoice/INV-1`) and by a principal, those before an entry's id."""

    def read() -> list[dict[str, Any]]:
        with service_of(request).database.reading() as session:
            return latest_entries(session, about=about.strip(), who=who.strip(), before=before, limit=_PAGE)

    found = await asyncio.to_thread(read)
    query = urlencode({name: text for name, text in (("about", about), ("who", who)) if text})
    older = found[-1]["entry_id"] if len(found) == _PAGE else 0
    return page(request, "audit.html", principal, found=found, about=about, who=who, query=query, older=older)

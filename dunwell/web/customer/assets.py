"""Serves the style sheet and the icon of the pages for customers. They hold nothing confidential."""

from collections.abc import Mapping

from fastapi import APIRouter
from fastapi.responses import Response

from dunwell.web.customer.rendering import HERE

router = APIRouter(prefix="/i/static", include_in_schema=False)

_HEADERS = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
_FILES: Mapping[str, bytes] = {path.name: path.read_bytes() for path in (HERE / "static").iterdir()}


@router.get("/customer.css")
async def style() -> Response:
    """Answer the style sheet."""
    return Response(_FILES["customer.css"], media_type="text/css", headers=_HEADERS)


@router.get("/icon.svg")
async def icon() -> Response:
    """Answer the icon, so that browsers ask for no other."""
    return Response(_FILES["icon.svg"], media_type="image/svg+xml", headers=_HEADERS)

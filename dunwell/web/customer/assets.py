"""Serves the style sheet of the pages for customers. It holds nothing confidential."""

from fastapi import APIRouter
from fastapi.responses import Response

from dunwell.web.customer.rendering import HERE

router = APIRouter(prefix="/i/static", include_in_schema=False)

_STYLE = (HERE / "static" / "customer.css").read_bytes()
_HEADERS = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}


@router.get("/customer.css")
async def style() -> Response:
    """Answer the style sheet."""
    return Response(_STYLE, media_type="text/css", headers=_HEADERS)

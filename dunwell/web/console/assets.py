"""Serves the console's own style sheet, script and icon. They hold nothing confidential."""

from collections.abc import Mapping

from fastapi import APIRouter
from fastapi.responses import Response

from dunwell.web.console.rendering import HERE, PREFIX
from dunwell.web.request_body import Problem

router = APIRouter(prefix=f"{PREFIX}/static", include_in_schema=False)

_KINDS: Mapping[str, str] = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FILES = {
    path.name: (path.read_bytes(), _KINDS[path.suffix[1:]])
    for path in (HERE / "static").iterdir()
    if path.suffix[1:] in _KINDS
}
_HEADERS = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}


@router.get("/{name}")
async def asset(name: str) -> Response:
    """Answer a file of the folder static."""
    if name not in _FILES:
        raise Problem(404, "There is nothing at this address.")
    content, kind = _FILES[name]
    return Response(content, media_type=kind, headers=_HEADERS)

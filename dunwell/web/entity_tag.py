"""Answers with an entity tag, so that a caller who has the same answer already gets 304 and no body (RFC 9110)."""

from hashlib import sha256

from fastapi import Request
from fastapi.responses import Response


def answer_tagged(request: Request, body: bytes, cache: str) -> Response:
    """Return the JSON `body` with its entity tag, or 304 when the caller has it. `cache` is Cache-Control."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": cache}
    if _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _names(condition: str, tag: str) -> bool:
    """Return whether If-None-Match names this tag. A weak tag, which a proxy may have made of it, counts as well."""
    given = [one.strip().removeprefix("W/") for one in condition.split(",")]
    return tag in given or given == ["*"]

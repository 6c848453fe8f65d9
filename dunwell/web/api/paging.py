"""Pages of a list: a cursor names the last item seen, so that what is written meanwhile moves no other item.

A list answers a plain JSON list. When there is more, its header `Link` has the address of the next page.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_jsonable_python

from dunwell.domain.terms import Stage, TaskKind
from dunwell.web.request_body import Problem

T = TypeVar("T")
Keyed = tuple[Sequence[Any], dict[str, Any]]
"""An item after its key: the values that order the list."""

MOST = 500
USUAL = 100
UNREADABLE: Mapping[str, str] = {
    **dict.fromkeys(("due_by", "since"), "is not a time: use ISO 8601 with an offset, such as 2027-03-02T12:00Z"),
    "limit": f"is not a whole number from 1 to {MOST}",
    "after": "is no cursor of this list: take it from the Link of the page before",
    "stage": f"is no stage; known are {', '.join(Stage)}",
    "kind": f"is no kind of task; known are {', '.join(TaskKind)}",
    "rehearsals": "is neither true nor false",
}
"""What is wrong with a parameter that cannot be read, by its name."""

_LONGEST_CURSOR = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST, description=f"How many items at most: 1 to {MOST}.")]
After = Annotated[
    str | None,
    Query(max_length=_LONGEST_CURSOR, description="The cursor in the `Link` of the page before; none for the first."),
]


def cursor(key: Sequence[Any]) -> str:
    """Return the cursor that names an item by its key."""
    text = json.dumps(to_jsonable_python(list(key)), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(text: str | None, read: Callable[..., T]) -> T | None:
    """Return what `read` makes of the cursor's values; None without a cursor. Raises Problem 422 for any other."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw.decode())
        if not isinstance(values, list):
            raise ValueError
        return read(*values)
    except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError, binascii.Error):
        raise Problem(422, UNREADABLE["after"], "after") from None


def only_known(request: Request) -> None:
    """Raise Problem 422 for a parameter that the route does not have: a filter that is misspelled filters nothing."""
    known = {one.alias for one in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise Problem(422, f"is no parameter here; known are {', '.join(sorted(known))}", name[:60])
        if len(request.query_params.getlist(name)) > 1:
            raise Problem(422, "is given more than once: keep one", name)


def answer_page(request: Request, found: Sequence[Keyed], limit: int) -> JSONResponse:
    """Return the first `limit` of the items found, which may be one more, with the address of the next page."""
    shown, headers = found[:limit], {}
    if len(found) > limit:
        wanted = {name: value for name, value in request.query_params.items() if name != "after"}
        next_page = urlencode(wanted | {"after": cursor(shown[-1][0])})
        headers["Link"] = f'<{request.url.path}?{next_page}>; rel="next"'
    return JSONResponse(to_jsonable_python([item for _, item in shown]), headers=headers)

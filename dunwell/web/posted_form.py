"""Reads the forms that browsers post."""

from collections.abc import Mapping
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import Request

from dunwell.web.request_body import Problem, read_body

FORM_ID = "form_id"
"""The hidden field with the id of this one sending of a form."""

_MOST_FIELDS = 200
_LONGEST_ID = 64


async def read_form(request: Request) -> dict[str, str]:
    """Return the texts of a posted form, without surrounding spaces. Raises Problem 400, 408 or 413."""
    body = await read_body(request)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # UnicodeDecodeError, too
        raise Problem(400, "The form cannot be read: go back, and send it again.") from None
    return {name: value.strip() for name, value in pairs}


def form_id_of(typed: Mapping[str, str]) -> str:
    """Return the id of this sending of a form. A form that came without an id is one of its own."""
    return typed.get(FORM_ID, "")[:_LONGEST_ID] or uuid4().hex

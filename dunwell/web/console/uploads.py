"""Files that somebody chooses on a page, and the pages that carry them from the preview to the act."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from dunwell.web.posted_form import read_form
from dunwell.web.request_body import Problem, read_body

MOST_BYTES = 700_000
"""Of a file: the page carries it from the preview to the act, which costs a third more."""


@dataclass(frozen=True)
class Upload:
    """A file that somebody chose, with the other fields of the form."""

    name: str
    content: bytes
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def carried(self) -> str:
        """The content as a hidden field, named `content` beside `name`."""
        return base64.urlsafe_b64encode(self.content).decode()


async def read_upload(request: Request, what: str) -> Upload:
    """Return the file of a form, or the one that a page carries.

    what  the file that is to be chosen, for the refusal: "a CSV or JSON file of invoices"

    Raises Problem 400, 413 or 422.
    """
    if request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        upload = await _chosen(request, what)
    else:
        upload = _carried(await read_form(request))
    if len(upload.content) > MOST_BYTES:
        otherwise = "give it to an operator, whose command line reads a file of any length"
        raise Problem(413, f"The file is longer than {MOST_BYTES} bytes: split it, or {otherwise}.")
    return upload


async def _chosen(request: Request, what: str) -> Upload:
    body = await read_body(request)

    async def stream() -> Any:
        yield body

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=1, max_fields=10).parse()
    except (MultiPartException, ValueError, KeyError) as error:
        raise Problem(400, f"The form cannot be read ({type(error).__name__}): choose the file again.") from None
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Problem(422, f"No file was chosen: choose {what}.")
    fields = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
    return Upload(file.filename, await file.read(), fields)


def _carried(typed: Mapping[str, str]) -> Upload:
    try:
        content = base64.urlsafe_b64decode(typed.get("content", ""))
    except (binascii.Error, ValueError):
        raise Problem(400, "The form cannot be read: choose the file again.") from None
    return Upload(typed.get("name", ""), content, typed)

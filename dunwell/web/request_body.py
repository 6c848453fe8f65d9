"""Reads request bodies with a size limit, decodes JSON exactly, and answers problems in one shape."""

import asyncio
import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from dunwell.domain.refusal import Refused, Unknown
from dunwell.intake.json_records import JsonObject, error_text
from dunwell.web.slow_clients import BODY_SECONDS

MOST_BYTES = 1024 * 1024


class Problem(Exception):
    """An answer other than success: `reason` says what is wrong and what to do, `field` where."""

    def __init__(self, status: int, reason: str, field: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.field = field
        self.headers = headers

    @classmethod
    def of(cls, refused: Refused) -> "Problem":
        """Return the answer to a refusal: 404 for an id that nothing has, else 422."""
        return cls(404 if isinstance(refused, Unknown) else 422, refused.reason, refused.field)

    def response(self) -> JSONResponse:
        body = {"reason": _encodable(self.reason)} | ({"field": _encodable(self.field)} if self.field else {})
        return JSONResponse(body, self.status, self.headers)


def _encodable(text: str) -> str:
    """The text with halves of characters written out: JSON may name a field by one, and no answer can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


async def read_body(request: Request, most: int = MOST_BYTES) -> bytes:
    """Return the body. Raises Problem 413 when it is longer than `most` bytes, 408 when it arrives too slowly."""
    body, _ = await read_beginning(request, most, most)
    return body


async def read_beginning(request: Request, kept: int, most: int) -> tuple[bytes, bool]:
    """Return the first `kept` bytes of the body, and whether they are all of it. The others are read and dropped.

    Raises Problem 413 when it is longer than `most` bytes, 408 when it arrives too slowly.
    """
    parts, length = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                length += len(chunk)
                if length > most:
                    raise Problem(413, f"The body is longer than {most} bytes: send less at a time.")
                parts.append(chunk[: max(kept - (length - len(chunk)), 0)])
    except TimeoutError:
        reason = f"The body did not arrive within {BODY_SECONDS:.0f} s: send the same again."
        raise Problem(408, reason, headers={"Connection": "close"}) from None
    return b"".join(parts), length <= kept


def parse_json(body: bytes) -> Any:
    """Decode a JSON body; numbers become Decimal and objects JsonObject. Raises Problem 400."""
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Problem(400, "The body is not UTF-8: send JSON encoded in UTF-8.") from None
    except json.JSONDecodeError as error:
        reason = f"The body is no JSON (line {error.lineno}, column {error.colno}): {error_text(error)}."
        raise Problem(400, reason) from None
    except RecursionError:
        raise Problem(400, "The JSON is nested too deeply.") from None
    except ValueError as error:
        raise Problem(400, str(error)) from None


def repeated_key(data: object, path: str = "") -> str | None:
    """Return the first key that is repeated in an object at any depth of `data`, as `outer.0.key`; else None."""
    if isinstance(data, JsonObject):
        if data.repeated:
            return f"{path}{data.repeated[0]}"
        return _first(repeated_key(value, f"{path}{key}.") for key, value in data.items())
    if isinstance(data, list):
        return _first(repeated_key(value, f"{path}{number}.") for number, value in enumerate(data))
    return None


def _first(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one is not None), None)


def _number(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError("The JSON holds a number with an impossible exponent.") from None


def _no_number(word: str) -> Any:
    raise ValueError(f"The JSON holds {word}, which is no number: leave the field out.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=JsonObject, parse_float=_number, parse_int=_number, parse_constant=_no_number
)

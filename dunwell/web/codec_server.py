"""The codec server: opens sealed payloads for people with the token, so that the Temporal UI and CLI can show them.

A browser's page may ask from one origin only, that of the Temporal UI.
"""

import hmac
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import Response
from google.protobuf import json_format
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from dunwell.codec import Seal, SealError, key_ring
from dunwell.settings import Settings
from dunwell.web.request_body import Problem, raw


def codec_door(settings: Settings) -> FastAPI | None:
    """The application for `/codec`; None while keys or token are not set. Raises SettingsError for bad keys."""
    ring, token = key_ring(settings), settings.codec_token
    if ring.first is None or token is None:
        return None
    return make_door(Seal(ring), token.get_secret_value(), settings.codec_origin)


def locked_out(_: Request, error: Exception) -> Response:
    """What the rest of the service answers when it lacks a key: 503, because the same works once it is there."""
    return Problem(503, f"This service cannot read what the case keeps. {error}").response()


def make_door(seal: Seal, token: str, origin: str | None) -> FastAPI:
    """`POST /encode` and `POST /decode`, as Temporal's codec protocol has them: {"payloads": [...]} both ways.

    Answers 401 without the token, 400 for what are no payloads, 422 for a payload that no key opens.
    """

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            reason = "Send the header Authorization: Bearer with the value of CODEC_TOKEN."
            raise Problem(401, reason, headers={"WWW-Authenticate": "Bearer"})

    async def encode(request: Request) -> Response:
        return _answer(await seal.encode(_payloads(await raw(request)).payloads))

    async def decode(request: Request) -> Response:
        return _answer(await seal.decode_all(_payloads(await raw(request)).payloads))

    door = FastAPI(openapi_url=None, dependencies=[Depends(authorised)])
    door.add_api_route("/encode", encode, methods=["POST"])
    door.add_api_route("/decode", decode, methods=["POST"])
    door.add_exception_handler(Problem, _problem)
    door.add_exception_handler(SealError, _unopened)
    if origin is not None:
        door.add_middleware(
            CORSMiddleware,
            allow_origins=[origin],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            allow_credentials=True,  # a login proxy in front may know its user by a cookie
        )
    return door


def _payloads(body: bytes) -> Payloads:
    try:
        return json_format.Parse(body, Payloads())
    except (json_format.ParseError, UnicodeDecodeError, RecursionError):
        raise Problem(400, 'The body holds no payloads: send {"payloads": [...]} as Temporal writes it.') from None


def _answer(payloads: Sequence[Payload]) -> Response:
    body = json_format.MessageToJson(Payloads(payloads=payloads), indent=None)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


def _problem(_: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, Problem) else Response(status_code=400)


def _unopened(_: Request, error: Exception) -> Response:
    return Problem(422, str(error)).response()

"""The codec server: decrypts payloads for callers with the token, so that Temporal's UI and CLI can show them.

Browsers may call it from one origin only, that of the Temporal UI.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import Response
from google.protobuf import json_format
from starlette.middleware.cors import CORSMiddleware
from temporalio.api.common.v1 import Payload, Payloads

from dunwell.codec import Seal, SealError, key_ring
from dunwell.settings import Settings
from dunwell.web.auth import check_bearer
from dunwell.web.request_body import Problem, read_body


def codec_app(settings: Settings) -> FastAPI | None:
    """Return the application for `/codec`; None when keys or token are not set. Raises SettingsError for bad keys."""
    ring, token = key_ring(settings), settings.codec_token
    if ring.first is None or token is None:
        return None
    return make_codec_app(Seal(ring), token.get_secret_value(), settings.codec_origin)


def key_missing(_: Request, error: Exception) -> Response:
    """Answer 503 when the service lacks the key of a payload: the same request works once the key is set."""
    return Problem(503, f"This service cannot read what the case keeps. {error}").response()


def make_codec_app(seal: Seal, token: str, origin: str | None) -> FastAPI:
    """Make the application with `POST /encode` and `POST /decode` of Temporal's codec protocol.

    Both take and answer {"payloads": [...]}. They answer 401 without the token, 400 for a body without payloads, and
    422 for a payload that no key decrypts.
    """

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        check_bearer(authorization, token, "CODEC_TOKEN")

    async def encode(request: Request) -> Response:
        return _answer(await seal.encode(_payloads(await read_body(request)).payloads))

    async def decode(request: Request) -> Response:
        return _answer(await seal.decode_all(_payloads(await read_body(request)).payloads))

    app = FastAPI(openapi_url=None, dependencies=[Depends(authorised)])
    app.add_api_route("/encode", encode, methods=["POST"])
    app.add_api_route("/decode", decode, methods=["POST"])
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(SealError, _undecryptable)
    if origin is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type", "X-Namespace"],
            allow_credentials=True,  # for a login proxy in front that uses cookies
        )
    return app


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


def _undecryptable(_: Request, error: Exception) -> Response:
    return Problem(422, str(error)).response()

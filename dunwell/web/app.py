"""The web application: routes, error answers and the OpenAPI description."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dunwell.domain.principals import NotAllowed
from dunwell.intake import reply_words
from dunwell.store.database import problem_of
from dunwell.web.allowed_hosts import AllowedHosts
from dunwell.web.api import accounts, approvals, customers, figures, lists, matching, replies, statements
from dunwell.web.api import routes as api
from dunwell.web.api.openapi import describe
from dunwell.web.api.paging import UNREADABLE
from dunwell.web.api.reference import reference
from dunwell.web.auth import SignInNeeded, principal_of
from dunwell.web.console import routes as console
from dunwell.web.console.sign_in import ask_to_sign_in
from dunwell.web.customer import assets, fresh_link, page, pay, restriction, unsubscribe
from dunwell.web.customer.links import LinkOpensNothing, opens_nothing
from dunwell.web.request_body import Problem
from dunwell.web.service import Service, service_of
from dunwell.web.webhooks import routes as webhooks

_log = logging.getLogger("dunwell.web")


def make_app(service: Service) -> FastAPI:
    """Make the application of a service. While it runs, the service's dispatcher runs too."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        dispatcher = asyncio.create_task(service.dispatcher.run())
        await asyncio.to_thread(reply_words.load)  # half a second, which no reply's transaction should take
        yield
        dispatcher.cancel()
        with suppress(asyncio.CancelledError):
            await dispatcher

    app = FastAPI(
        title="Dunwell",
        version="1",
        description="Start cases, tell them what happened, ask how they and accounts stand.",
        openapi_url=None,  # served below, behind the token
        docs_url=None,  # this page and redoc would load scripts from other sites
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the caller's Host
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.fresh_links = fresh_link.limits()
    app.include_router(webhooks.router)
    app.include_router(unsubscribe.router)
    app.include_router(pay.router)
    app.include_router(assets.router)
    app.include_router(page.router)
    app.include_router(fresh_link.router)  # after the page's own forms
    app.include_router(restriction.router)
    app.include_router(api.router)
    app.include_router(customers.router)
    app.include_router(approvals.router)
    app.include_router(matching.router)
    app.include_router(replies.router)
    app.include_router(statements.router)
    app.include_router(accounts.router)
    app.include_router(lists.router)
    app.include_router(figures.router)
    app.include_router(console.router)
    app.add_api_route("/api/docs", reference, include_in_schema=False)
    app.add_api_route("/api/openapi.json", description, dependencies=[Depends(principal_of)], include_in_schema=False)
    app.add_api_route("/livez", alive, methods=["GET"], summary="Whether the service itself runs")
    app.add_api_route("/readyz", ready, methods=["GET"], summary="Whether webhooks can be taken in")
    app.add_api_route("/healthz", health, methods=["GET"], summary="Whether database and server can be reached")
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(SignInNeeded, ask_to_sign_in)
    app.add_exception_handler(LinkOpensNothing, opens_nothing)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(SQLAlchemyError, _no_database)
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(AllowedHosts, names=service.keys.hosts)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


async def description(request: Request) -> JSONResponse:
    """Answer the OpenAPI description of this API."""
    return JSONResponse(request.app.openapi())


async def alive() -> JSONResponse:
    """200 as long as the service answers at all: what a liveness probe asks, whatever else is away."""
    return JSONResponse({"service": "ok"})


async def ready(request: Request) -> JSONResponse:
    """200 when the database can be used, so that webhooks are taken in; else 503, with the reason.

    The Temporal server may be away: what came in is brought to the cases when it is back.
    """
    problem = await service_of(request).database_problem()
    return JSONResponse({"database": problem or "ok"}, 503 if problem else 200)


async def health(request: Request) -> JSONResponse:
    """200 when database and Temporal server can be used, else 503; the body says what is wrong."""
    found = await service_of(request).health()
    words = {name: problem or "ok" for name, problem in found.items()}
    return JSONResponse(words, 503 if any(found.values()) else 200)


def _problem(_: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, Problem) else JSONResponse({"reason": "refused"}, 400)


def _not_allowed(_: Request, error: Exception) -> Response:
    return Problem(403, str(error)).response()


def _plain(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    reasons = {404: "There is nothing at this address.", 405: "This address does not take this method."}
    return JSONResponse({"reason": reasons.get(status, "The request cannot be understood.")}, status)


def _no_database(_: Request, error: Exception) -> Response:
    # The error's own text is not used, because it repeats the statement's values.
    what = problem_of(error) if isinstance(error, SQLAlchemyError) else "does not answer"
    _log.error("the database %s (%s)", what, type(error).__name__)
    return JSONResponse({"reason": f"The database {what}: send the same again later."}, 503)


class UnexpectedErrors:
    """Middleware that answers 500 to an unexpected exception and logs its type and place.

    Its text is not logged, because it may hold personal data.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting_start(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting_start)
        except ClientDisconnect:
            return  # nobody is left to be answered
        except Exception as error:
            if scope["type"] != "http":
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("unexpected %s at %s:%s", type(error).__name__, Path(last.filename).name, last.lineno)
            if not begun:
                body = {"reason": "This is a fault of the program: please report the time it happened."}
                await JSONResponse(body, 500)(scope, receive, send)


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = describe(FastAPI.openapi(app))
    return app.openapi_schema


def _unreadable(_: Request, error: Exception) -> Response:
    """Answer 422 for a parameter that FastAPI could not read, in the shape of every other refusal."""
    place = error.errors()[0]["loc"] if isinstance(error, RequestValidationError) else ("",)
    return Problem(422, UNREADABLE.get(str(place[-1]), "cannot be read"), str(place[-1])).response()

"""The dashboard as an ASGI application: who asks, whether they may, and what went wrong."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount
from starlette.routing import Route as Path_
from starlette.staticfiles import StaticFiles

from orchestrator.config.roles import Role
from orchestrator.errors import OrchestratorError, Refused, UsageError
from orchestrator.ledger.errors import LedgerLost
from orchestrator.web.guard import Guard
from orchestrator.web.live import Live
from orchestrator.web.pages.rendering import form_of, shown
from orchestrator.web.people import Caller, caller_of, is_from_here, keep
from orchestrator.web.routes import ROUTES, Route
from orchestrator.web.site import Site

_STATIC = Path(__file__).parent / "static"
_SHARED = ("orchestrator.render.html", "static")
"""What reports have, too: the style sheet."""
_LARGEST = 64 * 1024
"""Bytes of a form."""
_Endpoint = Callable[[Request], Awaitable[Response]]


def application(site: Site, live: Live) -> Starlette:
    """Return the application of a site, which sends what happens in runs by ``live``."""
    routes = [
        Path_(route.path, _endpoint(site, route), methods=[route.method], name=route.path)
        for route in ROUTES
    ]
    return Starlette(
        routes=[
            Path_("/runs/{run:int}/events", _events(site, live), methods=["GET"]),
            *routes,
            Mount("/static", StaticFiles(directory=_STATIC, packages=[_SHARED])),
        ],
        middleware=[Middleware(Guard, settings=site.settings)],
        exception_handlers={HTTPException: _not_found(site), Exception: _bug},
    )


def _endpoint(site: Site, route: Route) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        request.state.body = await _body(request)
        return await run_in_threadpool(_answer, site, route, request)

    return endpoint


async def _body(request: Request) -> bytes:
    found = b""
    try:
        async for piece in request.stream():
            found += piece
            if len(found) > _LARGEST:
                raise HTTPException(413)
    except ClientDisconnect:
        raise HTTPException(400) from None
    return found


def _answer(site: Site, route: Route, request: Request) -> Response:
    try:
        caller = caller_of(site, request)
    except LedgerLost as error:
        return _problem(site, request, Caller(None, "", ""), error)
    refused = _refused(site, route, request, caller)
    if refused is not None:
        return refused
    try:
        response = route.handler(site, request, caller)
    except OrchestratorError as error:
        response = _problem(site, request, caller, error)
    if caller.new_secret and caller.person is not None:
        keep(site, request, response, caller.secret, site.settings.session)
    return response


def _refused(site: Site, route: Route, request: Request, caller: Caller) -> Response | None:
    """Return why a request is not answered; ``None`` where it is."""
    if request.method == "POST":
        ours = is_from_here(request) and caller.sent(form_of(request).get("csrf", ""))
        if not ours:
            said = "this form is not of this page, or it is too old; load the page again"
            return _said(site, request, caller, said, 403)
    if route.role is None:
        return None
    if caller.person is None:
        return _to_sign_in(request)
    if not caller.person.role.may(route.role):
        said = f"this takes the role {route.role}, and {caller.person.name} is {caller.person.role}"
        site.ledger.access.record(
            caller.person.name, "refused", None, f"{request.method} {request.url.path}", said
        )
        return _said(site, request, caller, said, 403)
    return None


def _to_sign_in(request: Request) -> Response:
    if request.method != "GET" or request.headers.get("hx-request"):
        return PlainTextResponse("sign in first\n", 401, {"HX-Redirect": "/sign-in"})
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Response(status_code=303, headers={"Location": f"/sign-in?next={quote(there)}"})


def _problem(site: Site, request: Request, caller: Caller, error: OrchestratorError) -> Response:
    status = 500
    if isinstance(error, LedgerLost):
        status = 503
    elif isinstance(error, Refused):
        status = 409
    elif isinstance(error, UsageError):
        status = 404
    return _said(site, request, caller, str(error), status)


def _said(site: Site, request: Request, caller: Caller, text: str, status: int) -> Response:
    return shown(site, request, caller, "problem.html", {"text": text, "status": status}, status)


def _not_found(site: Site) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = {404: "there is no such page", 405: "that can't be done to this page"}
        said = text.get(status, "this request can't be answered")
        return _said(site, request, Caller(None, "", ""), said, status)

    return handler


async def _bug(request: Request, error: Exception) -> Response:  # noqa: ARG001
    text = "<!doctype html><title>orchestrator</title><p>a bug of ours: its traceback is in the log"
    return HTMLResponse(text, 500)


def _events(site: Site, live: Live) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        id_ = request.path_params["run"]
        try:
            caller = await run_in_threadpool(caller_of, site, request)
            if caller.person is None or not caller.person.role.may(Role.VIEWER):
                return PlainTextResponse("sign in first\n", 401)
            await run_in_threadpool(site.ledger.run, id_)
        except LedgerLost as error:
            return PlainTextResponse(f"{error}\n", 503)
        except OrchestratorError as error:
            return PlainTextResponse(f"{error}\n", 404)

        def is_good() -> bool:
            return caller_of(site, request).person == caller.person

        events = live.events(id_, caller.person.role, is_good)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    return endpoint

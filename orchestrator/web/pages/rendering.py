"""From a template and values to an answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from orchestrator import __version__
from orchestrator.config.roles import Role
from orchestrator.render.html.environment import page
from orchestrator.web.people import Caller
from orchestrator.web.site import Site

_DIGITS = 10
"""As many as no number of ours has."""


def shown(
    site: Site,
    request: Request,
    caller: Caller,
    template: str,
    values: Mapping[str, Any],
    status: int = 200,
) -> HTMLResponse:
    """Return a page, or the part of it that htmx asked for."""
    text = page(template, {**common(site, request, caller), **values})
    return HTMLResponse(text, status)


def common(site: Site, request: Request, caller: Caller) -> dict[str, Any]:
    """Return what every template may use."""
    person = caller.person
    return {
        "project": site.name,
        "version": __version__,
        "person": person,
        "may": lambda role: person is not None and person.role.may(Role(role)),
        "csrf": caller.csrf,
        "path": request.url.path,
        "part": request.headers.get("hx-request") == "true",
    }


def see_other(path: str) -> RedirectResponse:
    """Send a browser to another page after a form."""
    return RedirectResponse(path, 303)


def number(text: str) -> int | None:
    """Return the number that a link has; ``None`` where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


def link_from(request: Request, **changed: int) -> str:
    """Return a link to the same page with the same filters, but for what is ``changed``."""
    kept = {k: v for k, v in request.query_params.items() if v and k not in changed}
    return f"{request.url.path}?{urlencode({**kept, **changed})}"


def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, which ``app`` has read."""
    body: bytes = request.state.body
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))

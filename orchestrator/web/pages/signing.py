"""Signing in and out."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.web.pages.rendering import form_of, see_other, shown
from orchestrator.web.people import Caller, forget, keep
from orchestrator.web.site import Site


def form(site: Site, request: Request, caller: Caller) -> Response:
    """Ask for a token."""
    if caller.person is not None:
        return see_other(_next(request.query_params.get("next", "")))
    return _form(site, request, caller)


def sign_in(site: Site, request: Request, caller: Caller) -> Response:
    """Take a token, and begin a session with a new secret."""
    if wait := site.limit.wait(caller.address):
        return _form(site, request, caller, f"too many tries; try again in {wait} seconds", 429)
    fields = form_of(request)
    seconds = site.settings.session
    found = site.ledger.access.sign_in(fields.get("token", "").strip(), seconds)
    if found is None:
        site.limit.failed(caller.address)
        site.ledger.access.record("", "sign in", None, f"from {caller.address}", "refused")
        said = "there is no such token, or it has expired, or it was revoked"
        return _form(site, request, caller, said, 403)
    secret, person = found
    site.ledger.access.record(person.name, "sign in", None, f"from {caller.address}", "done")
    response = see_other(_next(fields.get("next", "")))
    keep(site, request, response, secret, seconds)
    return response


def once(site: Site, request: Request, caller: Caller) -> Response:
    """Take a code that works once, of whoever started the dashboard."""
    if wait := site.limit.wait(caller.address):
        return _form(site, request, caller, f"too many tries; try again in {wait} seconds", 429)
    found = site.codes.take(request.path_params["code"])
    if found is None:
        site.limit.failed(caller.address)
        return _form(site, request, caller, "this link was used, or has expired", 403)
    name, role = found
    secret, _ = site.ledger.access.begin(name, role, site.settings.session)
    site.ledger.access.record(name, "sign in", None, f"from {caller.address}, by link", "done")
    response = see_other("/")
    keep(site, request, response, secret, site.settings.session)
    return response


def sign_out(site: Site, request: Request, caller: Caller) -> Response:
    """End the session, here and in the ledger."""
    site.ledger.access.sign_out(caller.secret)
    response = see_other("/sign-in")
    forget(site, request, response)
    return response


def _form(
    site: Site, request: Request, caller: Caller, problem: str = "", status: int = 200
) -> Response:
    proxy = site.settings.proxy
    values = {
        "problem": problem,
        "next": _next(request.query_params.get("next", "")),
        "by_proxy": bool(proxy and proxy.user_header),
    }
    response = shown(site, request, caller, "sign_in.html", values, status)
    if caller.new_secret:
        keep(site, request, response, caller.secret, site.settings.session)
    return response


def _next(path: str) -> str:
    """Return where to go then: a page of ours, whatever the link says."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    good = ours and not parts.scheme and not parts.netloc and path.isprintable()
    return path if good and not path.startswith("/sign-") else "/"

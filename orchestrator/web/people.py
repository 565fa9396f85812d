"""Who is asking: by the cookie of a session, or by what a trusted proxy says."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.config.roles import Role
from orchestrator.ledger.access import Person
from orchestrator.web.settings import Proxy
from orchestrator.web.site import Site

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request."""

    person: Person | None
    secret: str
    """Of the cookie; what forms are signed with."""
    address: str
    """From where, as far as that is known."""
    new_secret: bool = False
    """Whether the cookie is to be set."""

    @property
    def csrf(self) -> str:
        """What a form must send back: known to our pages alone."""
        return hmac.new(self.secret.encode(), b"form", hashlib.sha256).hexdigest()

    def sent(self, token: str) -> bool:
        """Whether a form is ours."""
        return hmac.compare_digest(self.csrf.encode(), token.encode("utf-8", "replace"))


def cookie_name(site: Site, request: Request) -> str:
    """Return what the cookie is called: with TLS, so that no neighbour can set it."""
    return "__Host-orchestrator" if is_secure(site, request) else "orchestrator"


def is_secure(site: Site, request: Request) -> bool:
    """Whether the browser speaks TLS, to us or to the proxy."""
    if site.settings.is_encrypted:
        return True
    proxy = site.settings.proxy
    forwarded = request.headers.get("x-forwarded-proto", "") == "https"
    return forwarded and proxy is not None and proxy.is_at(_peer(request))


def caller_of(site: Site, request: Request) -> Caller:
    """Return who sent a request. Asks the ledger: not for the event loop."""
    secret = request.cookies.get(cookie_name(site, request), "")
    proxy, peer = site.settings.proxy, _peer(request)
    if proxy is not None and proxy.user_header:
        fresh = not secret
        secret = secret or secrets.token_urlsafe(32)
        person = _of_proxy(proxy, request) if proxy.is_at(peer) else None
        return Caller(person, secret, _address(proxy, request), fresh)
    person = site.ledger.access.person(secret) if secret else _of_bearer(site, request)
    fresh = not secret and person is None
    return Caller(person, secret or secrets.token_urlsafe(32), _address(proxy, request), fresh)


def keep(site: Site, request: Request, response: Response, secret: str, seconds: float) -> None:
    """Have the browser keep a secret, for us alone."""
    response.set_cookie(
        cookie_name(site, request),
        secret,
        max_age=round(seconds),
        path="/",
        secure=is_secure(site, request),
        httponly=True,
        samesite="lax",
    )


def forget(site: Site, request: Request, response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(
        cookie_name(site, request),
        path="/",
        secure=is_secure(site, request),
        httponly=True,
        samesite="lax",
    )


def is_from_here(request: Request) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    return urlsplit(origin).netloc == host


def _of_bearer(site: Site, request: Request) -> Person | None:
    """Return whose token a program sends along, which keeps no cookies."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or request.method != "GET":
        return None
    return site.ledger.access.holder(token.strip())


def _of_proxy(proxy: Proxy, request: Request) -> Person | None:
    name = request.headers.get(proxy.user_header, "").strip()[:_LONGEST_NAME]
    if not name or not name.isprintable():
        return None
    role = proxy.role
    if proxy.role_header:
        said = request.headers.get(proxy.role_header, "").strip().lower()
        if said not in set(Role):
            return None
        role = Role(said)
    return Person(name, role, 0)


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


def _address(proxy: Proxy | None, request: Request) -> str:
    """Return from where somebody comes: what the proxy adds last to its header is what it saw."""
    peer = _peer(request)
    if proxy is None or not proxy.is_at(peer):
        return peer
    return request.headers.get("x-forwarded-for", peer).rpartition(",")[2].strip() or peer

"""What Prometheus asks for."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from orchestrator.render.metrics import BOUNDS, exposition
from orchestrator.web.people import Caller
from orchestrator.web.site import Site

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(site: Site, request: Request, caller: Caller) -> Response:  # noqa: ARG001
    """Return what the ledger has, counted."""
    text = exposition(site.ledger.totals(BOUNDS), site.name)
    return PlainTextResponse(text, media_type=_TYPE)

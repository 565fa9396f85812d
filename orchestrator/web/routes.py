"""Which pages there are, and who may see or do what: all of it in one table."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.config.roles import Role
from orchestrator.web.pages import actions, fleet, metrics, runs, signing, targets
from orchestrator.web.people import Caller
from orchestrator.web.site import Site

Handler = Callable[[Site, Request, Caller], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, who may ask for it, and what answers."""

    method: str
    path: str
    role: Role | None
    """What it takes at least; ``None`` for what everybody may."""
    handler: Handler


VIEWER, APPROVER, OPERATOR = Role.VIEWER, Role.APPROVER, Role.OPERATOR
_NEEDED = {
    "approve": APPROVER,
    "pause": APPROVER,
    "resume": OPERATOR,
    "retry": OPERATOR,
    "skip": OPERATOR,
    "abort": OPERATOR,
}
assert _NEEDED.keys() == actions.ACTIONS.keys()

ROUTES: tuple[Route, ...] = (
    Route("GET", "/sign-in", None, signing.form),
    Route("POST", "/sign-in", None, signing.sign_in),
    Route("GET", "/sign-in/{code}", None, signing.once),
    Route("POST", "/sign-out", VIEWER, signing.sign_out),
    Route("GET", "/", VIEWER, fleet.fleet),
    Route("GET", "/fleet/{environment}/{database}", VIEWER, fleet.database),
    Route("GET", "/targets/{target:path}", VIEWER, targets.target),
    Route("GET", "/runs", VIEWER, runs.runs),
    Route("GET", "/runs/{run:int}", VIEWER, runs.run),
    Route("GET", "/runs/{run:int}/series", VIEWER, runs.pace),
    Route("GET", "/runs/{run:int}/targets", VIEWER, runs.targets_of_run),
    Route("GET", "/runs/{run:int}/targets/{position:int}", VIEWER, targets.story),
    Route("GET", "/runs/{run:int}/plan", VIEWER, runs.plan),
    Route("GET", "/audit", VIEWER, runs.audit),
    Route("GET", "/metrics", VIEWER, metrics.metrics),
    *(
        Route("GET", f"/runs/{{run:int}}/{name}", role, actions.ask(name))
        for name, role in _NEEDED.items()
    ),
    *(
        Route("POST", f"/runs/{{run:int}}/{name}", role, actions.act(name))
        for name, role in _NEEDED.items()
    ),
)
"""All but the live events of a run, ``/runs/{run}/events`` (for who may see it), and the files that
browsers load before anybody signed in, ``/static/…``."""

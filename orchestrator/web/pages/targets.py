"""One target: what it went through over time, and what happened to it in one run."""

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import UsageError
from orchestrator.render.html.looks import look
from orchestrator.web.pages.rendering import shown
from orchestrator.web.people import Caller
from orchestrator.web.site import Site


def target(site: Site, request: Request, caller: Caller) -> Response:
    """Show at which heads a target was since when, and the runs that had it."""
    name = request.path_params["target"]
    standings = site.ledger.standing(name)
    with_it = site.ledger.runs_with(name)
    row = next((row for row in site.fleet.read().rows if row.name == name), None)
    if not standings and not with_it and row is None:
        raise UsageError(f"nothing is known of a target {name}")
    values = {
        "name": name,
        "row": row,
        "standings": standings,
        "runs": [(run, position, look(state)) for run, position, state in with_it],
    }
    return shown(site, request, caller, "target.html", values)


def story(site: Site, request: Request, caller: Caller) -> Response:
    """Show what happened to a target in a run: every attempt, with what went wrong."""
    id_, position = request.path_params["run"], request.path_params["position"]
    run = site.ledger.run(id_)
    found = next((row for row in site.ledger.targets(id_) if row.position == position), None)
    if found is None:
        raise UsageError(f"run {id_} has no target number {position}")
    waves = {wave.position: wave.name for wave in site.ledger.waves(id_)}
    values = {
        "run": run,
        "target": found,
        "wave": waves.get(found.wave, ""),
        "look": look(found.state),
        "attempts": site.ledger.attempts(id_, target=found.name),
        "remarks": [one for one in site.ledger.remarks(id_) if one.target == found.name],
        "now": site.ledger.now(),
    }
    return shown(site, request, caller, "story.html", values)

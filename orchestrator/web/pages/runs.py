"""Runs: all of them, one of them, its plan, its pace, and who did what."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.ledger.records import Cell, RunFilter
from orchestrator.render.html.looks import WORDS, Look, code_of, look
from orchestrator.render.html.plan import plan_view
from orchestrator.render.html.run import series
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import State
from orchestrator.runs.from_ledger import StoredRun
from orchestrator.web.live import map_of, parts, state_of
from orchestrator.web.pages.rendering import common, link_from, number, shown
from orchestrator.web.people import Caller
from orchestrator.web.site import Site

_PAGE = 50
_TARGETS = 200
_VERBS = ("upgrade", "downgrade", "stamp")


def runs(site: Site, request: Request, caller: Caller) -> Response:
    """List runs, newest first, filtered."""
    query = request.query_params
    wanted = RunFilter(
        state=query.get("state", ""),
        verb=query.get("verb", ""),
        by=query.get("by", "").strip(),
        before=number(query.get("before", "")),
    )
    found = site.ledger.runs_like(wanted, limit=_PAGE + 1)
    more = len(found) > _PAGE
    values = {
        "runs": found[:_PAGE],
        "filter": wanted,
        "states": [state.value for state in RunState],
        "verbs": _VERBS,
        "older": link_from(request, before=found[_PAGE - 1].id) if more else "",
        "tallies": {run.id: _tally(run.tally) for run in found[:_PAGE]},
    }
    return shown(site, request, caller, "runs.html", values)


def _tally(tally: Mapping[State | None, int]) -> list[tuple[Look, int]]:
    counts = {look(state): count for state, count in tally.items() if count}
    return [(one, counts[one]) for one in WORDS.values() if one in counts]


def run(site: Site, request: Request, caller: Caller) -> Response:
    """Show a run as it is now; events keep it so."""
    id_ = request.path_params["run"]
    state = state_of(site.ledger, id_)
    done = request.query_params.get("did", "")
    did = next(
        (
            one
            for one in site.ledger.access.audit(id_)
            if str(one.id) == done and caller.person and one.by == caller.person.name
        ),
        None,
    )
    values = {
        "view": state.view,
        "parts": parts(state, common(site, request, caller)),
        "map": map_of(state),
        "did": did,
    }
    return shown(site, request, caller, "run.html", values)


def pace(site: Site, request: Request, caller: Caller) -> Response:  # noqa: ARG001
    """Return how fast a run went, for its charts."""
    id_ = request.path_params["run"]
    found = series(site.ledger.run(id_), site.ledger.paces(id_), site.ledger.now())
    return JSONResponse(found.as_json())


def targets_of_run(site: Site, request: Request, caller: Caller) -> Response:
    """List the targets of a run, filtered: what the map shows, for who reads rather than looks."""
    id_ = request.path_params["run"]
    query = request.query_params
    state, wanted = query.get("state", ""), query.get("q", "").strip().casefold()
    cells = site.ledger.cells(id_)
    found = [
        cell
        for cell in cells
        if state in {"", code_of(cell.state)} and wanted in cell.name.casefold()
    ]
    waves = {wave.position: wave.name for wave in site.ledger.waves(id_)}
    start = number(query.get("from", "")) or 0
    later = start + _TARGETS
    values = {
        "run": site.ledger.run(id_),
        "cells": found[start:later],
        "number": len(found),
        "first": start,
        "waves": waves,
        "q": query.get("q", ""),
        "state": state,
        "states": _there(cells),
        "later": link_from(request, **{"from": later}) if later < len(found) else "",
    }
    return shown(site, request, caller, "run_targets.html", values)


def _there(cells: Sequence[Cell]) -> list[Look]:
    codes = {code_of(cell.state) for cell in cells}
    return [one for one in WORDS.values() if one.code in codes]


def plan(site: Site, request: Request, caller: Caller) -> Response:
    """Show the plan of a run, as it was sealed."""
    stored = StoredRun.of(site.ledger, request.path_params["run"])
    values = {
        "run": stored.run,
        "plan": plan_view(stored.plan, stored.run.digest),
    }
    return shown(site, request, caller, "plan.html", values)


def audit(site: Site, request: Request, caller: Caller) -> Response:
    """Show who did what on pages."""
    return shown(site, request, caller, "audit.html", {"lines": site.ledger.access.audit()})

"""What people do about runs: said before, done with a reason, and recorded with their name.

Each does what the command of its name does, by the same code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.ledger.records import RunRecord, TargetRecord
from orchestrator.render.html.looks import look
from orchestrator.render.html.plan import Ahead, ahead
from orchestrator.rollout.events import RunState, WaveState
from orchestrator.rollout.outcomes import State
from orchestrator.runs.context import RunOptions
from orchestrator.runs.from_ledger import StoredRun
from orchestrator.web.pages.rendering import form_of, see_other, shown
from orchestrator.web.people import Caller
from orchestrator.web.site import Site

Handler = Callable[[Site, Request, Caller], Response]
_RETRIED = frozenset({State.FAILED, State.LOCKED})
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a run."""

    site: Site
    run: int
    by: str
    reason: str
    target: str
    """Of which this is about one; else empty."""
    wave: str


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done about a run."""

    verb: str
    what: str
    """What happens then."""
    do: Callable[[Wish], str]
    """Does it, and returns what was done."""
    needs_reason: bool = False
    danger: bool = False


def _options(wish: Wish) -> RunOptions:
    return RunOptions(by=wish.by)


def _approve(wish: Wish) -> str:
    runs = wish.site.load().runs
    return runs.approve(wish.run, wish.wave or None, wish.reason, _options(wish)).text


def _pause(wish: Wish) -> str:
    return wish.site.load().runs.pause(wish.run, _options(wish)).text


def _abort(wish: Wish) -> str:
    return wish.site.load().runs.abort(wish.run, _options(wish)).text


def _skip(wish: Wish) -> str:
    if not wish.target:
        raise UsageError("say which target the run is to go without")
    runs = wish.site.load().runs
    return runs.skip(wish.run, wish.target, wish.reason, _options(wish)).text


def _resume(wish: Wish) -> str:
    return wish.site.load().runs.ask(wish.run, "resume", wish.reason, (), _options(wish)).text


def _retry(wish: Wish) -> str:
    targets = (wish.target,) if wish.target else ()
    return wish.site.load().runs.ask(wish.run, "retry", wish.reason, targets, _options(wish)).text


ACTIONS: Mapping[str, Action] = {
    "approve": Action("Approve", "The run goes on after this wave.", _approve),
    "pause": Action("Pause", "Nothing more starts; what runs is finished.", _pause),
    "resume": Action(
        "Ask to resume",
        "Whoever drives runs is asked to go on with this one: this page drives nothing itself.",
        _resume,
    ),
    "retry": Action(
        "Ask to retry",
        "Whoever drives runs is asked to try again what failed, and to go on.",
        _retry,
    ),
    "skip": Action(
        "Skip", "The run goes on without this target, which stays as it is.", _skip, True, True
    ),
    "abort": Action(
        "Abort", "Nothing more starts, ever; what runs is finished.", _abort, True, True
    ),
}


def ask(name: str) -> Handler:
    """Return the page that says what would happen, and asks."""
    action = ACTIONS[name]

    def handler(site: Site, request: Request, caller: Caller) -> Response:
        return _page(site, request, caller, name, action)

    return handler


def act(name: str) -> Handler:
    """Return what does it, once somebody said yes. Recorded, whatever comes of it."""
    action = ACTIONS[name]

    def handler(site: Site, request: Request, caller: Caller) -> Response:
        id_, fields = request.path_params["run"], form_of(request)
        by = caller.person.name if caller.person else ""
        reason = " ".join(fields.get("reason", "").split())[:_LONGEST]
        target, wave = fields.get("target", ""), fields.get("wave", "")
        if action.needs_reason and not reason:
            return _page(site, request, caller, name, action, "give a reason", 422)
        detail = "; ".join(part for part in (target or wave, reason) if part)
        access = site.ledger.access
        try:
            said = action.do(Wish(site, id_, by, reason, target, wave))
        except OrchestratorError as error:
            access.record(by, name, id_, detail, f"refused: {error}")
            return _page(site, request, caller, name, action, str(error), 409)
        access.record(by, name, id_, detail, said)
        did = next((one.id for one in access.audit(id_, limit=5) if one.by == by), 0)
        return see_other(f"/runs/{id_}?did={did}")

    return handler


def _page(
    site: Site,
    request: Request,
    caller: Caller,
    name: str,
    action: Action,
    problem: str = "",
    status: int = 200,
) -> Response:
    id_ = request.path_params["run"]
    stored = StoredRun.of(site.ledger, id_)
    at_gate = [wave for wave in site.ledger.waves(id_) if wave.state is WaveState.GATE]
    target = request.query_params.get("target", "")
    if request.method == "POST":
        target = form_of(request).get("target", "")
    values = {
        "action": action,
        "name": name,
        "run": stored.run,
        "problem": problem,
        "wave": at_gate[0] if at_gate else None,
        "target": target,
        "row": stored.rows.get(target),
        "row_look": look(stored.rows[target].state) if target in stored.rows else None,
        "ahead": _ahead(name, stored, at_gate[0].position + 1 if at_gate else None),
        "failed": _failed(stored.rows) if name == "retry" and not target else [],
        "left": _left(stored.run),
        "reason": form_of(request).get("reason", "") if request.method == "POST" else "",
    }
    return shown(site, request, caller, "action.html", values, status)


def _ahead(name: str, stored: StoredRun, position: int | None) -> Ahead | None:
    """Return what happens once the run goes on."""
    if name == "approve":
        return None if position is None else ahead(stored.plan, position)
    if name not in {"resume", "retry"} or stored.run.state in {RunState.DONE, RunState.ABORTED}:
        return None
    open_ = [row.wave for row in stored.rows.values() if row.state in {None, State.NOT_STARTED}]
    return ahead(stored.plan, min(open_)) if open_ else None


def _failed(rows: Mapping[str, TargetRecord]) -> list[str]:
    return [row.name for row in rows.values() if row.state in _RETRIED and not row.doubt]


def _left(run: RunRecord) -> int:
    return sum(n for state, n in run.tally.items() if state in {None, State.NOT_STARTED})

"""Plans and runs that never were: what the renderers are shown in tests."""

from dataclasses import replace
from typing import Any, cast

from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.ledger.records import (
    ApprovalRecord,
    AttemptRecord,
    CommittingRecord,
    GateRecord,
    OverrideRecord,
    RemarkRecord,
    RunRecord,
    TargetRecord,
    WaveRecord,
)
from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import Failure, State
from orchestrator.rollout.plan import Plan, PlannedRevision, PlannedTarget, PlannedWave
from orchestrator.runs.planning.preview import Planned
from orchestrator.runs.report import RunReport, Trouble
from orchestrator.runs.rollback import Rollback
from tests.render import samples
from tests.render.samples import DOWN, FIRST, HALF, SECOND, TENANTS, outcome, target

START = 1_795_399_986_645
ROLLOUT = {"max_parallel": 64, "max_per_server": 4, "waves": [], "gate": None, "window": None}
PROD = {
    **ROLLOUT,
    "waves": [{"name": "canary", "gate": {"soak": "15m", "approval": True}}],
    "window": {"days": ["tue", "wed"], "from": "22:00", "to": "04:00", "tz": "Europe/Berlin"},
    "requires": {"environment": "staging", "soak": "24h"},
}
REVISIONS = {
    "orders": {
        FIRST.id: PlannedRevision(FIRST.id, FIRST.message, "aa", reversible=True),
        SECOND.id: PlannedRevision(SECOND.id, "[red]add notes", "bb", reversible=False),
    }
}


def planned_target(name: str, wave: int, **fields: Any) -> PlannedTarget:
    """Return a target that goes from the first revision to the second."""
    environment, database, _ = name.split("/")
    values: dict[str, Any] = {
        "heads": (FIRST.id,),
        "goal": (SECOND.id,),
        "schema_class": "4c1f09e7a2b8",
        "revisions": (SECOND.id,),
    }
    server = "mysql://a.db.prod:3306"
    return PlannedTarget(
        name, environment, database, server, f"{server}/x", wave, **{**values, **fields}
    )


def plan(**fields: Any) -> Plan:
    """Return a plan with two environments, a canary, an empty target and an idle one."""
    first = {"heads": (), "revisions": (FIRST.id, SECOND.id), "schema_class": "77e1c3f2b90d"}
    idle = {"heads": (SECOND.id,), "revisions": ()}
    values: dict[str, Any] = {
        "project": "shop",
        "verb": "upgrade",
        "revision": "heads",
        "selection": {"selectors": (), "where": {}, "exclude": ()},
        "program": "0.1.0",
        "alembic": "1.20",
        "arguments": "",
        "revisions": REVISIONS,
        "rollouts": {"dev": ROLLOUT, "prod": PROD},
        "waves": (
            PlannedWave("dev", "dev", 0, 2),
            PlannedWave(
                "prod/canary", "prod", 0, 1, 2, None, entry=("requires",), gate=("soak", "approval")
            ),
            PlannedWave("prod/rest", "prod", 1, 4),
        ),
        "targets": (
            planned_target("dev/orders/acme", 0),
            planned_target("dev/orders/birch", 0, **idle),
            planned_target("prod/orders/acme", 1),
            planned_target("prod/orders/birch", 2),
            planned_target("prod/orders/cedar", 2, **first),
            planned_target("prod/orders/dune", 2),
            planned_target("prod/orders/elm", 2, heads=None, goal=None, revisions=()),
        ),
        "notes": ("wave prod/eu has no target for which there is work",),
    }
    return Plan(**{**values, **fields})


def planned(**fields: Any) -> Planned:
    """Return that plan, with estimates and a target that could not be read."""
    of = fields.pop("plan", None) or plan()
    values: dict[str, Any] = {
        "seconds": {0: 0.5, 1: 4.0, 2: None},
        "unread": (outcome("prod/orders/elm", State.UNREACHABLE, failure=DOWN),),
        "warnings": (),
        "took": 1.24,
    }
    targets = tuple(target(t.name) for t in of.targets)
    return Planned(of, targets, **{**values, **fields})


def nothing_planned() -> Planned:
    """Return a plan of targets that are at head."""
    there = planned_target("dev/orders/acme", 0, heads=(SECOND.id,), revisions=())
    waves = (PlannedWave("dev", "dev", 0, 1),)
    of = plan(targets=(there,), waves=waves, revisions={}, notes=())
    return planned(plan=of, unread=(), seconds={0: 0.0})


def large_plan() -> Planned:
    """Return a plan of a thousand targets, each of a class of its own."""
    targets = tuple(
        planned_target(f"prod/orders/t{n:04}", 0, schema_class=f"{n:012}") for n in range(1000)
    )
    revisions = {
        "orders": {
            f"{n:04}": PlannedRevision(f"{n:04}", "many", "aa", reversible=n != 777)
            for n in range(1000)
        }
    }
    waves = (PlannedWave("prod/all", "prod", 10, 1000),)
    of = plan(targets=targets, waves=waves, revisions=revisions, notes=())
    return planned(plan=of, unread=(), seconds={0: 90.0})


def rollback(**fields: Any) -> Rollback:
    """Return a rollback of four targets, of which two were moved since."""
    back = {"heads": (SECOND.id,), "goal": (FIRST.id,)}
    of = plan(
        verb="downgrade",
        waves=(PlannedWave("prod", "prod", 0, 2),),
        targets=tuple(planned_target(f"prod/orders/{t}", 0, **back) for t in ("birch", "acme")),
        notes=(),
        parent=12,
    )
    targets = tuple(target(t.name) for t in of.targets)
    moved = ("prod/orders/[red]fir", "prod/orders/elm")
    # The renderer needs nothing of where it would run.
    return Rollback(cast("Any", None), **{"plan": of, "targets": targets, "moved": moved, **fields})


def run(id_: int = 12, **fields: Any) -> RunRecord:
    """Return a run that waits after its canary."""
    values: dict[str, Any] = {
        "project": "shop",
        "verb": "upgrade",
        "revision": "heads",
        "state": RunState.WAITING,
        "by": "kim@build",
        "created_at": START,
        "started_at": START + 20,
        "ended_at": None,
        "reason": "prod/canary waits for approval",
        "waits_until": None,
        "stopped_by": None,
        "parent": None,
        "digest": "c5d9d610",
        "total": 60,
        "holder": None,
        "token": 3,
        "heartbeat_at": None,
        "request": None,
        "request_by": None,
        "tally": {State.DONE: 40, State.UNCHANGED: 2, State.FAILED: 1, None: 17},
    }
    return RunRecord(id_, **{**values, **fields})


def runs() -> list[RunRecord]:
    """Return a run of each kind."""
    done = {State.DONE: 60}
    return [
        run(15, state=RunState.RUNNING, reason=None, tally={None: 60}),
        run(14, state=RunState.DONE, verb="downgrade", revision="before", parent=13, tally=done),
        run(13, state=RunState.FAILED, reason="3 targets of prod/[red] failed; none may"),
        run(),
        run(11, state=RunState.DONE, by="[red]", reason=None, tally=done),
    ]


def record(tenant: str, state: State | None, position: int = 0, **fields: Any) -> TargetRecord:
    """Return a target of a run."""
    values: dict[str, Any] = {
        "environment": "prod",
        "database": "orders",
        "server": "mysql://a.db.prod:3306",
        "wave": 1,
        "heads": (FIRST.id,),
        "goal": (SECOND.id,),
        "schema_class": None,
        "detail": {},
        "state": state,
        "attempts": 1,
        "blocked_by": None,
        "settled_at": START + 900,
        "doubt": state is State.IN_DOUBT,
    }
    return TargetRecord(position, f"prod/orders/{tenant}", **{**values, **fields})


def attempt(tenant: str, state: Any, **fields: Any) -> AttemptRecord:
    """Return an attempt at a target."""
    values: dict[str, Any] = {
        "environment": "prod",
        "database": "orders",
        "started_at": START + 100,
        "ended_at": START + 1_300,
        "state": state,
        "heads_before": (FIRST.id,),
        "heads_after": (FIRST.id,),
        "revisions": (),
        "committing": (),
        "failure": None,
        "milliseconds": 1_200,
        "replayed": None,
    }
    return AttemptRecord(12, 0, f"prod/orders/{tenant}", 1, **{**values, **fields})


def run_report() -> RunReport:
    """Return a run in which everything happened that can."""
    lost = Failure("its worker was killed (SIGKILL)", "look what became of it", SECOND.id)
    begun = (CommittingRecord(SECOND.id, "ALTER TABLE items\nADD COLUMN note TEXT"),)
    troubles = [
        Trouble(record("birch", State.FAILED), attempt("birch", State.FAILED, failure=HALF)),
        *(
            Trouble(record(t, State.FAILED), attempt(t, State.FAILED, failure=DOWN))
            for t in TENANTS[2:5]
        ),
        Trouble(
            record("[red]fir", State.IN_DOUBT),
            attempt("[red]fir", State.IN_DOUBT, failure=lost, committing=begun),
        ),
        Trouble(record("hazel", State.LOCKED), None),
        Trouble(record("gorse", State.SKIPPED), None),
    ]
    return RunReport(
        run=run(stopped_by="[red]kim", reason="prod/canary waits for approval"),
        waves=[
            wave(0, "dev", "dev", 0, 5, WaveState.PASSED, 0, START + 20, START + 400),
            wave(1, "prod/canary", "prod", 4, 7, WaveState.GATE, 4, START + 400, START + 9000),
            wave(2, "prod/rest", "prod", 1, 1048, WaveState.PENDING, 0, None, None),
        ],
        gates=[
            GateRecord(1, GateKind.QUERY, "passed", "as expected on 3 of 3", START + 9_200, 2),
            GateRecord(1, GateKind.REQUIRES, "overridden", "", START + 300, 1),
        ],
        approvals=[ApprovalRecord(0, "kim", "looks [red]good", START + 200)],
        overrides=[OverrideRecord(1, GateKind.REQUIRES, "kim", "hotfix", "", START + 300)],
        remarks=[RemarkRecord("prod/orders/gorse", "skipped", "kim", "leaves us", START + 8_000)],
        troubles=troubles,
        open=[attempt("[red]ivy", None, ended_at=None, milliseconds=None, committing=begun)],
        slowest=[attempt("acme", State.DONE, milliseconds=61_000)],
        replayed=20_900,
        now=START + 60_000,
    )


def wave(*values: Any) -> WaveRecord:
    """Return a wave of a run."""
    return WaveRecord(*values)


def ended(state: RunState, reason: str = "", until: int | None = None, **fields: Any) -> Result:
    """Return an upgrade whose run was left so."""
    end = RunEnd(12, state, reason, until, **fields)
    return replace(samples.upgrade(), interrupted=False, run=end)

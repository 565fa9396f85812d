"""What ``-o json`` answers about plans and runs, as models."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from orchestrator.config.roles import Role
from orchestrator.render.answering import Object, counts
from orchestrator.render.answers import (
    Answer,
    Counts,
    Failure,
    Moment,
    Names,
    Outcome,
    WaveName,
    of,
)
from orchestrator.rollout.events import GateKind, RunState, WaveState
from orchestrator.rollout.outcomes import State


class PlannedRevision(Answer):
    id: str
    message: str
    sha256: str
    reversible: bool | None


class RevisionOfDatabase(PlannedRevision):
    database: str


class PlannedWave(Answer):
    name: str
    environment: str
    targets: int
    budget: int
    max_parallel: int | None
    max_per_server: int | None
    entry: Names
    gate: Names


class WaveToRun(PlannedWave):
    busy: int
    estimate: float | None


class PlannedTarget(Answer):
    name: str
    environment: str
    database: str
    server: str
    url: str = of("place")
    wave: WaveName
    heads: Names | None
    goal: Names | None
    schema_class: str | None
    revisions: Names


class PlanSummary(Answer):
    targets: int
    busy: int
    environments: Counts
    estimate: float | None


class PlanKeys(Answer):
    project: str
    verb: str
    revision: str
    digest: str
    program: str
    alembic: str
    notes: Names
    summary: PlanSummary
    rollouts: dict[str, Object]
    revisions: list[RevisionOfDatabase]
    waves: list[WaveToRun]
    targets: list[PlannedTarget]


class Plan(PlanKeys):
    command: str
    exit_code: int
    interrupted: bool
    seconds: float
    warnings: Names
    file: str | None
    unread: list[Outcome]


class Rollback(PlanKeys):
    """The answer of ``rollback --dry-run``."""

    command: str
    run: int | None
    moved: Names


class Done(Answer):
    """The answer of ``pause``, ``abort``, ``approve`` and ``skip``."""

    command: str
    run: int
    text: str


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


class Run(Answer):
    id: int
    project: str
    verb: str
    revision: str
    state: RunState
    reason: str | None
    until: Moment = of("waits_until")
    by: str
    stopped_by: str | None
    created_at: Moment
    started_at: Moment
    ended_at: Moment
    parent: int | None
    digest: str
    targets: int = of("total")
    states: Annotated[Counts, BeforeValidator(counts)] = of("tally")
    pending: Annotated[int, BeforeValidator(lambda tally: tally.get(None, 0))] = of("tally")
    holder: str | None
    heartbeat_at: Moment
    request: str | None
    request_by: str | None


class TokenAdded(Answer):
    command: str
    name: str
    role: Role
    token: str


class Token(Answer):
    id: int
    name: str
    role: Role
    state: Literal["good", "expired", "revoked"] = "good"
    by: str
    created_at: Moment
    expires_at: Moment
    revoked_at: Moment
    used_at: Moment


class Tokens(Answer):
    command: str
    tokens: list[Token]


class Runs(Answer):
    command: str
    runs: list[Run]


class Wave(Answer):
    name: str
    environment: str
    state: WaveState
    targets: int = of("total")
    failed: int
    budget: int
    started_at: Moment
    ended_at: Moment


class Gate(Answer):
    wave: WaveName
    kind: GateKind
    state: str
    detail: str
    at: Moment
    tries: int


class Approval(Answer):
    wave: WaveName
    by: str
    note: str
    at: Moment


class Override(Answer):
    wave: WaveName
    kind: GateKind
    by: str
    reason: str
    at: Moment


class Remark(Answer):
    name: str = of("target")
    what: str
    by: str
    reason: str
    at: Moment


class Committing(Answer):
    revision: str
    statement: str
    following: Names


class Attempt(Answer):
    name: str = of("target")
    number: int
    state: State | Literal["lost"] | None
    started_at: Moment
    ended_at: Moment
    seconds: Annotated[float | None, BeforeValidator(_seconds)] = of("milliseconds")
    heads_before: Names | None
    heads: Names | None = of("heads_after")
    revisions: Names
    replayed: int | None
    committing: list[Committing]
    failure: Failure | None


class Trouble(Answer):
    name: str
    state: State
    doubt: bool
    attempt: Attempt | None


class Show(Answer):
    command: str
    run: Run
    waves: list[Wave]
    gates: list[Gate]
    approvals: list[Approval]
    overrides: list[Override]
    remarks: list[Remark]
    replayed: int
    troubles: list[Trouble]
    open: list[Attempt]
    slowest: list[Attempt]

"""What ``-o json`` answers, as models: the one source of its keys and of its JSON Schema.

Every key is always there, so that a program need not ask; keys are only ever added.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from orchestrator.render.answering import Object
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import State
from orchestrator.rollout.times import iso


def _or_none(value: Any) -> Any:
    return value or None


def _only_with_debug(value: Any, info: ValidationInfo) -> Any:
    return value if info.context and info.context.get("debug") else None


def _named(wave: Any, info: ValidationInfo) -> Any:
    return info.context["waves"].get(wave) if info.context else None


def of(attribute: str) -> Any:
    """Return a key that is named otherwise than the attribute it comes from."""
    return Field(validation_alias=attribute)


Moment = Annotated[str | None, BeforeValidator(iso)]
Seconds = Annotated[float, BeforeValidator(lambda seconds: round(seconds, 3))]
WaveName = Annotated[str | None, BeforeValidator(_named)]
"""Of a wave that is known by its position."""
Text = Annotated[str | None, BeforeValidator(_or_none)]
"""``None`` where it is empty."""
Names = list[str]
Counts = dict[str, int]


class Answer(BaseModel):
    """Read off the attributes of a result."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        defer_build=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
        protected_namespaces=(),  # `model_value` is a key
    )


class Target(Answer):
    name: str
    environment: str
    database: str
    tenant: str | None
    labels: dict[str, str]
    server: str
    url: str
    schema_: str | None = Field(serialization_alias="schema")


class Revision(Answer):
    id: str
    message: str
    down_revisions: Names = of("down")
    depends_on: Names
    branch_labels: Names
    is_head: bool
    path: str | None


class Difference(Answer):
    kind: str
    text: str
    table: str | None
    name: str | None
    database_value: str | None
    model_value: str | None


class Failure(Answer):
    message: str
    next_step: str | None
    revision: str | None
    statement: str | None
    executed: Names
    half_applied: bool
    retryable: bool
    traceback: Annotated[str | None, BeforeValidator(_only_with_debug)]


class Outcome(Answer):
    name: str = of("target")
    state: State
    heads_before: Names
    heads: Names
    fingerprint: str | None
    server_version: Text
    invalid_indexes: Names
    revisions: list[Revision]
    replayed: int
    differences: list[Difference]
    failure: Failure | None
    blocked_by: str | None
    attempts: int
    seconds: Seconds
    output: str


class OfTarget(Outcome, Target):
    """A target, and what became of it."""


class RunEnd(Answer):
    id: int
    state: RunState
    reason: Text
    until: Moment
    appeared: Names
    vanished: Names


class ClassSize(Answer):
    database: str
    dialect: str
    heads: Names
    fingerprint: str
    targets: int


class Summary(Answer):
    targets: int
    states: Counts
    environments: dict[str, Counts]
    classes: list[ClassSize]


class Result(Answer):
    """The answer of ``status``, ``check``, ``upgrade``, ``downgrade``, ``stamp``, ``wait``."""

    command: str
    exit_code: int
    dry_run: bool
    interrupted: bool
    seconds: Seconds
    warnings: Names
    run: RunEnd | None
    summary: Summary
    targets: list[OfTarget]


class WithFile(OfTarget):
    file: str | None


class Sql(Result):
    """The answer of ``upgrade --sql``."""

    targets: list[WithFile]  # type: ignore[assignment]  # each with a file, besides


class TargetsSummary(Answer):
    targets: int
    environments: Counts
    databases: Counts
    servers: Counts


class Targets(Answer):
    command: str
    summary: TargetsSummary
    targets: list[Target]


class Worker(Answer):
    name: str
    place: str | None
    slots: int
    busy: int
    stale: Names


class Workers(Answer):
    command: str
    scheduler: str
    dashboard: str | None
    workers: list[Worker]


class Check(Answer):
    about: str
    what: str
    verdict: str
    text: str
    next_step: str | None
    names: Names


class Doctor(Answer):
    command: str
    exit_code: int
    interrupted: bool
    seconds: Seconds
    checks: list[Check]


class Drift(Answer):
    change: str
    kind: str
    schema_: Text = Field(validation_alias="schema", serialization_alias="schema")
    table: Text
    name: Text
    detail: Text
    value: str | None
    baseline: str | None


class DriftLine(Drift):
    text: str


class Identity(OfTarget):
    fits: list[Names]
    by: str | None
    nearest: Names | None
    drift: list[DriftLine]
    note: str | None


class Identify(Answer):
    command: str
    exit_code: int
    interrupted: bool
    seconds: Seconds
    warnings: Names
    targets: list[Identity]


class SchemaClass(Answer):
    fingerprint: str
    targets: Names


class Deviation(SchemaClass):
    differences: list[DriftLine]
    failure: str | None


class Siblings(Answer):
    database: str
    dialect: str
    heads: Names
    baseline: SchemaClass
    classes: list[Deviation]


class DriftSummary(Answer):
    targets: int
    classes: int
    differing: int
    unreadable: int


class DriftReport(Answer):
    command: str
    exit_code: int
    interrupted: bool
    seconds: Seconds
    warnings: Names
    summary: DriftSummary
    databases: list[Siblings]
    unreadable: list[OfTarget]


class Standing(Revision):
    standing: Counts


class HistorySummary(Answer):
    revisions: int
    targets: int
    unreadable: int


class History(Answer):
    command: str
    exit_code: int
    interrupted: bool
    database: str
    environments: Names
    summary: HistorySummary
    revisions: list[Standing]
    empty: Counts
    unreadable: list[Outcome]


class NewRevision(Answer):
    """The answer of ``revision`` and ``merge``."""

    command: str
    database: str
    revision: str
    path: str | None
    empty: bool
    revisions: list[Revision]
    warnings: Names


class Export(Answer):
    variable: str
    from_: str = Field(validation_alias="source", serialization_alias="from")


class Init(Answer):
    command: str
    folder: str
    written: Names
    kept: Names
    adopted: str | None
    exports: list[Export]
    found: list[dict[str, str]]
    left_out: list[dict[str, str]]


class ConfigSummary(Answer):
    environments: int
    databases: int
    targets: int


class ConfigCheck(Answer):
    command: str
    path: str
    summary: ConfigSummary
    notes: Names


class ConfigShow(Answer):
    command: str
    path: str
    config: Object


class ErrorText(Answer):
    message: str
    exit_code: int


class Error(Answer):
    """What stands in place of an answer where a command could not give one."""

    error: ErrorText

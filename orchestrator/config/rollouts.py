"""How an environment is upgraded: limits, waves, gates, windows."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from orchestrator.config.base import (
    TAG,
    Count,
    Flag,
    Limit,
    Model,
    Name,
    Scalar,
    TemplateText,
    Text,
)
from orchestrator.config.shares import Budget, Pick
from orchestrator.config.units import Duration, Timeout, seconds

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REST = "rest"
"""The name of the last wave: of what no other wave takes."""

_SCALARS = [{"type": kind} for kind in ("string", "integer", "number", "boolean")]
_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_LABEL = r"^-?[A-Za-z_][A-Za-z0-9_]*$"


def _day(value: Any) -> Any:
    if value not in DAYS:
        raise ValueError(f"a day is one of {', '.join(DAYS)}")
    return value


def _start(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(_TIME, value, re.ASCII):
        raise ValueError('a time of day is text, from "00:00" to "23:59"')
    return value


def _end(value: Any) -> Any:
    return value if value == "24:00" else _start(value)


def label_text(value: Any) -> str:
    """Return a label's value as text: ``True`` is ``true``, ``5`` is ``5``.

    Raises ``ValueError`` for what can't be a label.
    """
    if not isinstance(value, Scalar):
        raise ValueError("a label is text, a number, true or false")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    values = tuple(map(label_text, value if isinstance(value, list | tuple) else (value,)))
    if not values:
        raise ValueError("this must not be empty")
    return values


def _result(value: Any) -> Any:
    if not isinstance(value, Scalar):
        raise ValueError("a result is text, a number, true or false")
    return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Day = Annotated[str, BeforeValidator(_day), WithJsonSchema({"type": "string", "enum": list(DAYS)})]
Start = Annotated[
    str, BeforeValidator(_start), WithJsonSchema({"type": "string", "pattern": f"^{_TIME}$"})
]
End = Annotated[
    str,
    BeforeValidator(_end),
    WithJsonSchema({"type": "string", "pattern": f"^({_TIME}|24:00)$"}),
]
LabelTexts = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    WithJsonSchema(
        {"anyOf": [*_SCALARS, {"type": "array", "items": {"anyOf": _SCALARS}, "minItems": 1}]}
    ),
]
"""The values that a label may have, as text."""
Result = Annotated[Scalar, BeforeValidator(_result)]
SortKeys = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _LABEL},
                {"type": "array", "items": {"type": "string", "pattern": _LABEL}},
            ]
        }
    ),
]


class GateQuery(Model):
    """A query whose result must be as expected before a rollout goes on."""

    sql: Text = Field(examples=["SELECT count(*) FROM orders WHERE total IS NULL"])
    """What is asked. The first column of its first row is the result."""
    expect: Result = Field(examples=[0])
    """The result with which the gate opens: text, a number, true or false."""
    url: TemplateText | None = Field(default=None, examples=["${env:METRICS_DB_URL}"])
    """The database that is asked, with ``{environment}`` and secrets. Left out: every target that
    was just upgraded."""
    timeout: Timeout = seconds("10s")
    """How long one try may take."""
    tries: Limit = 3
    """How often it is tried before the gate fails."""
    delay: Duration = seconds("5s")
    """The wait between two tries."""


class GateCommand(Model):
    """A command that must exit with 0 before a rollout goes on."""

    run: tuple[Text, ...] = Field(min_length=1, examples=[["./smoke.sh", "prod"]])
    """The program and its arguments. It runs in the folder of ``environments.toml``, without a
    shell, and gets the state of the run as JSON on its standard input."""
    timeout: Timeout = seconds("1m")
    """How long one try may take."""
    tries: Limit = 1
    """How often it is tried before the gate fails."""
    delay: Duration = seconds("5s")
    """The wait between two tries."""


class Approval(Model):
    """Who may approve."""

    by: Annotated[Literal["another"], WithJsonSchema({"type": "string", "const": "another"})] = (
        Field(examples=["another"])
    )
    """``another``: whoever began the run may not."""


ApprovalRule = Annotated[
    Annotated[Flag, Tag(TAG + "flag")] | Annotated[Approval, Tag(TAG + "rule")],
    Discriminator(
        lambda value: TAG + ("rule" if isinstance(value, Mapping | Approval) else "flag")
    ),
]


class Gate(Model):
    """What must hold after a wave, before the next one starts: all of it together."""

    soak: Duration = 0.0
    """How long to wait after the wave's last target."""
    approval: ApprovalRule = Field(default=False, examples=[True, {"by": "another"}])
    """Somebody must approve: with ``approve RUN``, on a page, or on the terminal;
    ``{ by = "another" }`` if it may not be who began the run."""
    query: GateQuery | None = None
    """A query whose result must be as expected."""
    command: GateCommand | None = None
    """A command that must exit with 0."""


class Wave(Model):
    """Targets that are upgraded together, before the next wave may start.

    The first wave that matches takes a target; what none takes is in a last wave named ``rest``.
    """

    name: Name = Field(examples=["canary"])
    """The wave's name, shown in reports."""
    where: Mapping[str, LabelTexts] = Field(default={}, examples=[{"tier": "internal"}])
    """The labels that a tenant must have to be in it, each with a value or a list of values. They
    are compared as text, as by ``--where``. Left out: any."""
    pick: Pick | None = Field(default=None, examples=["1%"])
    """How many tenants it takes, as a count or as a percentage of those that match. They are
    chosen by the digest of the plan, so the same plan always picks the same ones. Left out: all."""
    stratify: tuple[Text, ...] = Field(default=(), examples=[["tier", "shard"]])
    """Labels of which ``pick`` is to take every value, besides every schema class."""
    order_by: SortKeys = Field(default=(), examples=[["tier", "-size"]])
    """A label, or a list of labels, by which its tenants are sorted; ``-label`` is descending.
    Left out: the order of the tenants."""
    max_parallel: Limit | None = None
    """Targets of the wave worked on at once, within the limit of the environment."""
    max_per_server: Limit | None = None
    """Targets of the wave on one server worked on at once, within the limit of the environment."""
    max_failures: Budget | None = Field(default=None, examples=[3, "1%"])
    """How many of its targets may fail. Left out: what the rollout says."""
    gate: Gate | None = None
    """What must hold after it, before the next wave starts."""


class Window(Model):
    """When a rollout may start anything. What runs when it closes is finished."""

    days: tuple[Day, ...] = Field(default=DAYS, examples=[["tue", "wed"]])
    """The days on which it opens. Past midnight it belongs to the day on which it opened."""
    from_: Start = Field(alias="from", examples=["22:00"])
    """When it opens, ``HH:MM``."""
    to: End = Field(examples=["04:00"])
    """When it closes, ``HH:MM``; on the next day, where that is before ``from``."""
    tz: Text = Field(default="UTC", examples=["Europe/Berlin"])
    """The time zone of both, by its IANA name."""


class Requires(Model):
    """What another environment must have before this one is upgraded."""

    environment: Text = Field(examples=["staging"])
    """Every revision about to be reached must be on every target there of the same database."""
    soak: Duration = Field(default=0.0, examples=["24h"])
    """How long it must have been there, by the ledger."""


class Rollout(Model):
    """How an environment is upgraded: limits, time-outs, retries, waves, gates, its window."""

    max_parallel: Limit = 16
    """Targets worked on at once."""
    max_per_server: Limit = 8
    """Targets of one server worked on at once."""
    lock_timeout: Timeout = seconds("5s")
    """How long to wait for the target's lock and for each lock of its tables."""
    wait_for_lock: Duration = 0.0
    """How long to wait for whoever is at work on a target, while that lives: another run, another
    pod. Left out: not at all."""
    statement_timeout: Timeout | None = None
    """How long one statement may run. Left out: no limit."""
    target_timeout: Timeout = seconds("1h")
    """How long one attempt at one target may take; its worker is then stopped."""
    retries: Count = 3
    """How many more attempts a target gets when nothing was changed yet: it could not be reached,
    a lock was not had in time, a deadlock."""
    retry_delay: Duration = seconds("1s")
    """The wait before the first retry; it doubles each time, and varies at random by half."""
    max_failures: Budget = Field(default=0, examples=[3, "1%"])
    """How many targets of a wave may fail before the run stops: a count, a percentage of the wave
    (rounded down), or a list of both, of which the larger counts."""
    window: Window | None = None
    """When targets may be started. Left out: always."""
    waves: tuple[Wave, ...] = ()
    """The waves, in their order. Left out: all targets are one wave."""
    gate: Gate | None = None
    """What must hold after the last wave, of what no listed wave takes."""

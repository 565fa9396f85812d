"""Checks of rollouts: waves that take something, gates that ask something, windows that open."""

import re
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo, available_timezones

from orchestrator.config.checks.waves import check_waves
from orchestrator.config.models import Config, Environment, Gate, Window
from orchestrator.config.problems import Path, Problem, did_you_mean

# Not a shell's ${file:-x}, which a command may well have.
_SECRET = re.compile(r"\$\{(env|file|cmd):[^-=?+}]")


def check_rollout(name: str, environment: Environment) -> Iterator[Problem]:
    """Yield what is wrong with the rollout of one environment."""
    at: Path = ("environments", name, "rollout")
    rollout = environment.rollout
    if rollout.window is not None:
        yield from _window((*at, "window"), rollout.window)
    yield from check_waves(name, environment)
    for where, gate in gates(at, environment):
        yield from _gate(where, gate)


def gates(at: Path, environment: Environment) -> Iterator[tuple[Path, Gate]]:
    """Yield each gate of an environment, with its place; ``at`` is that of the rollout."""
    for index, wave in enumerate(environment.rollout.waves):
        if wave.gate is not None:
            yield (*at, "waves", index, "gate"), wave.gate
    if environment.rollout.gate is not None:
        yield (*at, "gate"), environment.rollout.gate


def check_requires(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with what environments require of each other."""
    required = {
        name: environment.requires.environment
        for name, environment in config.environments.items()
        if environment.requires is not None
    }
    for name, other in required.items():
        yield from _requires(config, name, other)
    yield from _cycles(required, config.order)


def _requires(config: Config, name: str, other: str) -> Iterator[Problem]:
    at = ("environments", name, "requires", "environment")
    order = config.order
    if other not in config.environments:
        known = [known for known in config.environments if known != name]
        hint = did_you_mean(other, known) or f"there are: {', '.join(known) or 'no others'}"
        yield Problem(at, f"unknown environment '{other}' in requires", hint)
    elif other == name:
        yield Problem(at, f"environment '{name}' can't require itself")
    elif name in order and other in order and order.index(other) > order.index(name):
        hint = f"the order is: {', '.join(order)}"
        yield Problem(at, f"'{name}' requires '{other}', which is upgraded later", hint)


def _cycles(required: Mapping[str, str], order: Sequence[str]) -> Iterator[Problem]:
    """Yield each cycle once, at the environment that closes it."""
    done: set[str] = set()
    for start in required:
        trail: list[str] = []
        name = start
        while name in required and name not in done and required[name] != name:
            done.add(name)
            trail.append(name)
            name = required[name]
        # Within the promotion path, somebody requires what comes later: that is said already.
        if name in trail and not set(order).issuperset(trail[trail.index(name) :]):
            cycle = [*trail[trail.index(name) :], name]
            at = ("environments", trail[-1], "requires", "environment")
            yield Problem(at, f"environments require each other: {' → '.join(cycle)}")


def _window(at: Path, window: Window) -> Iterator[Problem]:
    if not window.days:
        yield Problem((*at, "days"), "a window without days never opens", "leave 'days' out")
    for index, day in enumerate(window.days):
        if day in window.days[:index]:
            yield Problem((*at, "days", index), f"'{day}' is twice in days")
    if window.from_ == window.to:
        hint = 'for whole days write from = "00:00" and to = "24:00"'
        yield Problem((*at, "to"), "a window that closes when it opens is never open", hint)
    if not _is_zone(window.tz):
        yield Problem((*at, "tz"), f"unknown time zone '{window.tz}'", _zone_hint(window.tz))


def _is_zone(name: str) -> bool:
    if name == "UTC":  # needs no data
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # of Python's own: a folder's name is an OSError
        return False
    return True


def _zone_hint(name: str) -> str:
    known = available_timezones()
    if not known:
        return "this machine has no time zones: install its tzdata, or pip install tzdata"
    return did_you_mean(name, known) or 'for example: tz = "Europe/Berlin"'


def _gate(at: Path, gate: Gate) -> Iterator[Problem]:
    if not (gate.soak or gate.approval or gate.query or gate.command):
        hint = 'for example: gate = { soak = "15m", approval = true }'
        yield Problem(at, "a gate that asks for nothing", hint)
    if gate.query is not None and _SECRET.search(gate.query.sql):
        yield Problem((*at, "query", "sql"), "secrets are not filled in here, only in url")
    for index, argument in enumerate(gate.command.run if gate.command else ()):
        if _SECRET.search(argument):
            hint = "let the command read it: it has the environment of orchestrator"
            yield Problem((*at, "command", "run", index), "secrets are not filled in here", hint)

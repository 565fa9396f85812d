"""Checks of where jobs run: that a scheduler is named, and is not talked to in the open."""

from collections.abc import Iterator

from orchestrator.config.engine import LOCAL, Engine
from orchestrator.config.problems import Path, Problem
from orchestrator.config.template import parse

_AT: Path = ("engine",)
_ANY_PLACE = "*"
_HERE = frozenset({"127.0.0.1", "localhost", "[::1]"})
_WRITE = "write tls://host:port, or local for one that each command starts for itself"
UNPROTECTED = (
    'add security = { ca = "ca.pem", cert = "client.pem", key = "key.pem" }: '
    "whoever can speak to a scheduler can run code on its workers"
)


def check_place(at: Path, place: str) -> Iterator[Problem]:
    """Yield what is wrong with the place that an environment asks for."""
    if parse(place).secrets:
        hint = "write its name, or a label of the tenant"
        yield Problem((*at, "place"), "a place is no secret", hint)
    if place == _ANY_PLACE:
        hint = "leave it out: then any worker does"
        yield Problem((*at, "place"), "'*' is what a worker offers that takes any", hint)


def check_engine(engine: Engine) -> Iterator[Problem]:
    """Yield what is wrong with ``[engine]``."""
    if engine.kind == "local":
        for key in ("scheduler", "security"):
            if getattr(engine, key) is not None:
                yield Problem((*_AT, key), f"'{key}' is of a cluster", 'add kind = "dask"')
        return
    if engine.scheduler is None:
        hint = 'for example: scheduler = "tls://scheduler.ops:8786"; to try it out: "local"'
        yield Problem((*_AT, "kind"), "'scheduler' is missing", hint)
        return
    template = parse(engine.scheduler)
    for label in sorted(template.labels):
        hint = "one scheduler serves all targets; place = … tells where each one's jobs run"
        yield Problem((*_AT, "scheduler"), f"nothing fills {{{label}}} here", hint)
    if not template.secrets and not template.labels:
        yield from _address(engine, engine.scheduler)


def _address(engine: Engine, scheduler: str) -> Iterator[Problem]:
    problem = address_problem(scheduler, protected=engine.security is not None)
    if problem is not None:
        yield Problem((*_AT, "scheduler"), *problem)


def address_problem(scheduler: str, *, protected: bool) -> tuple[str, str] | None:
    """Return what is wrong with a scheduler's address, and what to do about it, if anything."""
    if scheduler == LOCAL:
        return None
    protocol, _, rest = scheduler.partition("://")
    host = rest.rpartition(":")[0]
    if protocol not in {"tcp", "tls"} or not host:
        return f"'{scheduler}' is no address of a scheduler", _WRITE
    if protocol == "tls":
        return None if protected else (f"{scheduler} needs certificates", UNPROTECTED)
    if protected:
        return f"{scheduler} is not protected", "write tls:// in place of tcp://"
    return None if host in _HERE else (f"{scheduler} is not protected", UNPROTECTED)

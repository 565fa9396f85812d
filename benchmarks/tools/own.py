"""Ourselves and Alembic, as tools among the others."""

from pathlib import Path

from benchmarks.contenders import BIN
from benchmarks.subject import Subject
from benchmarks.tools.tool import Invocation, Revisions, Tool


def orchestrator(_: Path) -> Tool:
    """``orchestrator upgrade``, as it is configured."""
    return Tool("`orchestrator upgrade`", _upgrade, retry=_retry)


def tolerant(_: Path) -> Tool:
    """``orchestrator upgrade``, which goes on where one target failed."""
    return Tool("`orchestrator upgrade`, `max_failures = 1`", _tolerant, retry=_retry)


def alembic(_: Path) -> Tool:
    """``alembic upgrade head`` for each target."""
    return Tool("`xargs -P {at_once}` over `alembic upgrade head`", _alembic)


def _upgrade(subject: Subject, _: Revisions) -> Invocation:
    return Invocation((str(BIN / "orchestrator"), "upgrade"), subject.folder)


def _retry(subject: Subject, tenant: str) -> Invocation:
    command = (str(BIN / "orchestrator"), "retry", "1", f"prod/app/{tenant}")
    return Invocation(command, subject.folder)


def _tolerant(subject: Subject, revisions: Revisions) -> Invocation:
    with (subject.folder / "environments.toml").open("a") as file:
        file.write("max_failures = 1\n")  # the rollout's, which is the last table
    return _upgrade(subject, revisions)


def _alembic(subject: Subject, _: Revisions) -> Invocation:
    each = f'DATABASE_URL="$1" {BIN / "alembic"} upgrade head'
    command = ("xargs", "-P", str(subject.parallel), "-I{}", "sh", "-c", each, "-", "{}")
    return Invocation(command, subject.folder, "".join(f"{url}\n" for url in subject.urls))

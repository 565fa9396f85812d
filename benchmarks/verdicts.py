"""The ways to compare models with every tenant, each with what it says of them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from benchmarks.contenders import BIN
from benchmarks.fleets import Fleet

_LOOP = """
while read -r url; do
    said=$(DATABASE_URL="$url" "$ALEMBIC" check 2>&1)
    case "$said" in
        *"No new upgrade operations detected"*) echo same ;;
        *"New upgrade operations detected"*) echo differs ;;
        *) echo "$said" >&2; exit 1 ;;
    esac
done
"""

_DIFFERS = 4


@dataclass(frozen=True)
class Verdicts:
    """How long it took to find out who differs from the models."""

    seconds: float
    differ: frozenset[str]
    start: float = 0.0
    """What of it does not grow with the number of tenants."""

    def scaled(self, timed: int, count: int) -> float:
        """Return what it would take for ``count`` tenants."""
        return self.start + (self.seconds - self.start) * count / timed


def ours(fleet: Fleet) -> Verdicts:
    """``orchestrator check -o json``; the whole command."""
    command = [str(BIN / "orchestrator"), "check", "-o", "json"]
    seconds, done = _run(command, fleet.subject.folder, "")
    expected = _DIFFERS if fleet.drifted else 0
    if done.returncode != expected:
        raise RuntimeError(f"check ended with {done.returncode}:\n{done.stdout[-3000:]}")
    states = {one["tenant"]: one["state"] for one in json.loads(done.stdout)["targets"]}
    if odd := set(states.values()) - {"in_sync", "differs"}:
        raise RuntimeError(f"check says {odd}")
    return Verdicts(seconds, _differing(states))


def loop(fleet: Fleet, tenants: tuple[str, ...]) -> Verdicts:
    """``for url in …; do alembic check; done``."""
    seconds, done = _run(["sh", "-c", _LOOP], fleet.subject.folder, _lines(fleet, tenants))
    if done.returncode:
        raise RuntimeError(f"alembic check failed:\n{done.stderr}")
    return Verdicts(seconds, _differing(dict(zip(tenants, done.stdout.split(), strict=True))))


def in_process(fleet: Fleet, tenants: tuple[str, ...]) -> Verdicts:
    """``compare_metadata`` over all in one process."""
    script = Path(__file__).with_name("comparing.py")
    command = [sys.executable, str(script)]
    seconds, done = _run(command, fleet.subject.folder, _lines(fleet, tenants))
    if done.returncode:
        raise RuntimeError(f"compare_metadata failed:\n{done.stderr}")
    answer = json.loads(done.stdout)
    states = dict(zip(tenants, answer["verdicts"], strict=True))
    return Verdicts(seconds, _differing(states), seconds - answer["seconds"])


def _differing(states: Mapping[str, str]) -> frozenset[str]:
    return frozenset(tenant for tenant, state in states.items() if state == "differs")


def _lines(fleet: Fleet, tenants: tuple[str, ...]) -> str:
    urls = fleet.urls
    return "".join(f"{urls[tenant]}\n" for tenant in tenants)


def _run(
    command: list[str], folder: Path, text: str
) -> tuple[float, subprocess.CompletedProcess[str]]:
    environ = {**os.environ, "ALEMBIC": str(BIN / "alembic")}
    began = monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environ, input=text, capture_output=True, text=True, check=False
    )
    return monotonic() - began, done

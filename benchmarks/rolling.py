"""What a run costs besides its migrations: the scheduler, the ledger and the view of a huge fleet.

The workers are simulated: a pool that finishes every job at once. All else is real: the state
machine, the loop, a SQLite ledger on disk, the live view on a terminal that nobody looks at.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import tables

_PARALLEL = 64
_REVISION = "a1"


def rolling(folder: Path, options: argparse.Namespace) -> None:
    """Print what a run over very many simulated targets costs for each of them."""
    title = f"A run over {options.simulated:,} simulated targets, {_PARALLEL} at once"
    columns = ("run", "ms per target", "most memory, MB", "views per second", "longest gap, s")
    tables.begin(title, *columns, texts=1)
    for label, waves in (("one wave", 1), ("a canary and the rest", 2)):
        for number in range(options.rounds):
            place = folder / f"rolling-{waves}-{number}"
            place.mkdir()
            command = [sys.executable, "-m", "benchmarks.rolling", str(place)]
            done = subprocess.run(
                [*command, str(options.simulated), str(waves)],
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(done.stdout)
            tables.cells(
                label,
                f"{found['ms']:.3f}",
                f"{found['mb']:.0f}",
                f"{found['views']:.1f}",
                f"{found['gap']:.2f}",
            )
    tables.end()


class SimulatedEngine:
    """Finishes every job when it is next asked."""

    def __init__(self) -> None:
        self.given: deque[Any] = deque()

    @property
    def busy(self) -> int:
        return len(self.given)

    def capacity_of(self, place: str | None) -> int:  # noqa: ARG002 - as engines take them
        return 1_000_000

    def room(self, place: str | None, before: Sequence[str | None] = ()) -> int:  # noqa: ARG002
        return 1_000_000

    def submit(
        self,
        key: str,
        job: Any,  # noqa: ARG002 - as engines take them
        timeout: float,  # noqa: ARG002
        *,
        kind: str,  # noqa: ARG002
        place: str | None,  # noqa: ARG002
    ) -> None:
        self.given.append(key)

    def wait(self, timeout: float) -> list[Any]:  # noqa: ARG002 - all is done at once
        from orchestrator.engines.base import Finished

        names, self.given = self.given, deque()
        return [Finished(name, done(name)) for name in names]

    def kill(self) -> list[Any]:
        return []


def done(name: str) -> Any:
    """Return the outcome of a target whose one revision has run."""
    from orchestrator.rollout.outcomes import Outcome, Revision, State

    revisions = (Revision(_REVISION, "simulated"),)
    return Outcome(name, State.DONE, (), (_REVISION,), revisions)


def run(folder: Path, count: int, waves: int, engine: Any) -> dict[str, float]:
    """Run over so many targets, whose jobs an engine takes, and return what it cost."""
    from rich.console import Console

    from orchestrator.actions.project import Project
    from orchestrator.cli.live import LiveProgress
    from orchestrator.dispatch.workers import Workers
    from orchestrator.rollout.plan import Plan, PlannedTarget
    from orchestrator.runs.context import ProjectContext, RunContext, RunOptions
    from orchestrator.runs.planning.layout import lay_out
    from orchestrator.runs.recorded_run import RecordedRun
    from orchestrator.runs.starting import drive, record

    _write(folder, count, waves)
    project = Project.load(folder / "environments.toml")
    targets = project.targets()
    planned = [
        PlannedTarget(t.name, "prod", "app", t.server, "", 0, (), (_REVISION,), "c", (_REVISION,))
        for t in targets
    ]
    laid = lay_out(project.file.config, targets, planned, {}, "seed", waves=True)
    plan = Plan("b", "upgrade", "heads", {}, "", "", "", {}, {}, laid.waves, laid.targets)
    views: list[float] = []

    class Watched(LiveProgress):
        def view(self) -> Any:
            views.append(time.monotonic())
            return super().view()

    with ExitStack() as stack:
        screen = Console(file=io.StringIO(), force_terminal=True, width=100)
        observer = Watched(screen, stack)
        context = ProjectContext(project.file, project._secrets, (), observer, lambda _: targets)
        workers = Workers(project.file, project._secrets, (), 1)
        workers._engine = engine
        ledger = stack.enter_context(context.ledger())
        running = RunContext(context, ledger, workers, RunOptions(by="benchmark"))
        observer.begin("upgrade", targets)
        began = time.monotonic()
        id_ = record(running, plan)
        run = RecordedRun(id_, plan, {t.name: t for t in targets}, {}, {})
        ended = drive(running, run)
        took = time.monotonic() - began
    assert ended.end.state == "done", ended.end
    gaps = [later - earlier for earlier, later in pairwise(views)]
    return {
        "ms": took / count * 1000,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "views": len(views) / took,
        "gap": max(gaps),
    }


def _write(folder: Path, count: int, waves: int) -> None:
    (folder / "migrations/app/versions").mkdir(parents=True)
    (folder / "migrations/app/env.py").write_text("")
    rows = "".join(f"t{number},tier{number % 3}\n" for number in range(count))
    (folder / "tenants.csv").write_text("name,tier\n" + rows)
    canary = '[[environments.prod.rollout.waves]]\nname = "canary"\npick = "1%"\n'
    (folder / "environments.toml").write_text(
        f"""
[project]
name = "b"
[databases.app]
script_location = "migrations/app"
[environments.prod]
url = "sqlite:///var/{{tenant}}.db"
tenants = {{ csv = "tenants.csv" }}
[environments.prod.rollout]
max_parallel = {_PARALLEL}
max_per_server = {_PARALLEL}
{canary if waves > 1 else ""}
"""
    )


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), SimulatedEngine())))

"""Whether a recorded run that is taken up would still do what it began."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.dispatch.workers import Workers
from orchestrator.errors import Refused
from orchestrator.fleet.target import Target
from orchestrator.rollout.plan import Plan
from orchestrator.rollout.plan_changes import changes
from orchestrator.rollout.revisions import Revisions
from orchestrator.runs.from_ledger import StoredRun
from orchestrator.runs.planning.planner import arguments_digest, place_of, settings_of
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.worker.jobs import Verb

_SHOWN = 20


def assert_unchanged(
    stored: StoredRun, snapshot: SnapshotReader, targets: Sequence[Target]
) -> None:
    """Raise ``Refused`` where the run would now do something else than what was stored.

    ``targets``: those of the plan that are there.
    """
    plan, id_ = stored.plan, stored.run.id
    snapshot.learn(sorted({*plan.revisions, *(target.database for target in plan.targets)}))
    found = [
        *_edited(plan, snapshot),
        *_new(plan, snapshot),
        *_settings(plan, snapshot.workers),
        *_elsewhere(plan, targets),
    ]
    if found:
        lines = "\n".join(f"  {line}" for line in found[:_SHOWN])
        raise Refused(
            f"run {id_} can't go on, as it would not do what it started:\n{lines}\n"
            f"put that back, or abort it and start a new one: orchestrator abort {id_}"
        )


def _edited(plan: Plan, snapshot: SnapshotReader) -> Iterator[str]:
    for database, of in plan.revisions.items():
        history = snapshot.histories.get(database)
        paths = {} if history is None else history.paths
        for id_, revision in of.items():
            if _digest(paths.get(id_)) != revision.sha256:
                yield _was_edited(database, id_)


def _new(plan: Plan, snapshot: SnapshotReader) -> Iterator[str]:
    """What came since would be applied to targets that no earlier wave has tried it on."""
    if plan.verb != Verb.UPGRADE or plan.revision != "heads":
        return
    goals = {(t.database, t.goal): None for t in plan.targets if t.goal is not None}
    found: dict[tuple[str, str], None] = {}
    for database, goal in goals:
        history = snapshot.histories.get(database)
        if history is not None:
            found |= {(database, revision.id): None for revision in history.pending(goal)}
    for database, id_ in found:
        yield f"revision {id_} of {database} is new: the run began without it"


def _settings(plan: Plan, workers: Workers) -> list[str]:
    config = workers.file.config
    known = [name for name in plan.rollouts if name in config.environments]
    now = replace(
        plan,
        project=config.project.name,
        arguments=arguments_digest(workers.x),
        rollouts={name: settings_of(config, name) for name in known},
    )
    return changes(plan, now)


def _elsewhere(plan: Plan, targets: Sequence[Target]) -> Iterator[str]:
    planned = {target.name: target for target in plan.targets}
    for target in targets:
        if place_of(target) != planned[target.name].place:
            yield f"{target.name} is at {place_of(target)} now"


@dataclass(slots=True)
class RevisionFiles:
    """Looks, while a run goes on, whether the files of its revisions are still the planned ones.

    A run may wait for days, and each new worker reads them as they are then.
    """

    plan: Plan
    histories: Mapping[str, Revisions]
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _next: float = 0.0

    def edited(self) -> str | None:
        """Return what was edited, in words. Looks at most every tenth of a second."""
        if time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + _EVERY
        for database, of in self.plan.revisions.items():
            history = self.histories.get(database)
            paths = {} if history is None else history.paths
            for id_, revision in of.items():
                path = paths.get(id_)
                if path is not None and not self._is_same(path, revision.sha256):
                    return _was_edited(database, id_)
        return None

    def _is_same(self, path: str, digest: str) -> bool:
        state = _state(path)
        if self._seen.get(path) == state and state != _GONE:
            return True
        if _digest(path) != digest:
            return False
        self._seen[path] = state
        return True


_EVERY = 0.1
_GONE = (0, 0)


def _state(path: str) -> tuple[int, int]:
    try:
        of = Path(path).stat()
    except OSError:
        return _GONE
    return of.st_mtime_ns, of.st_size


def _digest(path: str | None) -> str:
    try:
        text = b"" if path is None else Path(path).read_bytes()
    except OSError:
        text = b""
    return hashlib.sha256(text).hexdigest()


def _was_edited(database: str, id_: str) -> str:
    return f"the file of revision {id_} of {database} was edited"

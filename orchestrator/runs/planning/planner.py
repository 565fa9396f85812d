"""From where targets stand to what a run would do with them."""

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json import loads
from pathlib import Path
from typing import Any

from orchestrator.config.models import Config
from orchestrator.dispatch.observer import NullObserver, Observer
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.target import Target
from orchestrator.ledger.ledger import Ledger
from orchestrator.rollout.outcomes import Outcome, Revision, State
from orchestrator.rollout.plan import Plan, PlannedRevision, PlannedTarget, canonical
from orchestrator.runs.order import Order
from orchestrator.runs.planning.layout import lay_out
from orchestrator.runs.planning.reversible import is_reversible
from orchestrator.snapshot.reader import SnapshotReader
from orchestrator.version import VERSION
from orchestrator.worker.jobs import Verb

_READ = frozenset({State.CURRENT, State.BEHIND, State.EMPTY})


@dataclass(frozen=True, slots=True)
class PlannedPath:
    """From heads to heads: where targets that stand alike go, and by which revisions."""

    goal: tuple[str, ...]
    revisions: tuple[Revision, ...] = ()


@dataclass(slots=True)
class Planner:
    """Makes the plan of an order: reads where its targets stand, and asks Alembic for their paths.

    Changes nothing.
    """

    workers: Workers
    order: Order
    ledger: Ledger | None = None
    """Knows which waves passed in earlier runs."""
    asks: bool = True
    """Whether ``env.py`` may be run, as by ``status``; a run leaves that to its workers."""
    classes: bool = True
    """Read the schemas, too, so that the plan knows their classes. They are read anyhow where a
    wave picks of each class."""
    warnings: list[str] = field(default_factory=list)
    snapshot: SnapshotReader = field(init=False)
    read: dict[str, Outcome] = field(default_factory=dict)
    """What was read of each target."""

    def __post_init__(self) -> None:
        if self.workers.warning is not None:
            self.warnings.append(self.workers.warning)
        schemas = self.classes or self.order.picks_by_class(self.workers.file.config)
        self.snapshot = SnapshotReader(self.workers, schemas, self.asks, self.warnings)

    def plan(self, observer: Observer) -> Plan:
        """Return what a run would do."""
        order, targets = self.order, self.order.targets
        paths = self.paths(observer)
        config = self.workers.file.config
        planned = [self._planned(target, paths.get(target.name)) for target in targets]
        revisions = self._revisions(paths)
        environments = dict.fromkeys(target.environment for target in targets)
        rollouts = {name: settings_of(config, name) for name in environments}
        files = {d: {i: r.sha256 for i, r in of.items()} for d, of in revisions.items()}
        seed = _digest([[[t.name, t.heads, t.schema_class] for t in planned], files, rollouts])
        laid = lay_out(
            config,
            targets,
            planned,
            order.needs,
            seed,
            waves=order.verb is Verb.UPGRADE,
            passed=self._has_passed(planned, revisions),
        )
        return Plan(
            project=config.project.name,
            verb=order.verb.value,
            revision=order.revision,
            selection=order.selection,
            program=VERSION,
            alembic=importlib.metadata.version("alembic"),
            arguments=arguments_digest(self.workers.x),
            revisions=revisions,
            rollouts=rollouts,
            waves=laid.waves,
            targets=laid.targets,
            notes=laid.notes,
        )

    def paths(self, observer: Observer) -> dict[str, PlannedPath]:
        """Read where targets stand, and return the path of each whose heads are known."""
        self.read = self.snapshot.outcomes(self.order.targets, observer)
        return self._paths(self.order.targets)

    def _has_passed(
        self,
        planned: Sequence[PlannedTarget],
        revisions: Mapping[str, Mapping[str, PlannedRevision]],
    ) -> Callable[[str, str], bool]:
        """Return what tells whether all that is to be applied in an environment went through the
        gate of a wave there before, in earlier runs, as its files are now."""
        wanted: dict[str, set[tuple[str, str, str]]] = {}
        unknown = {target.environment for target in planned if target.goal is None}
        for target in planned:
            of = revisions.get(target.database, {})
            files = ((target.database, id_, of[id_].sha256) for id_ in target.revisions)
            wanted.setdefault(target.environment, set()).update(files)

        def has_passed(environment: str, wave: str) -> bool:
            if environment in unknown:
                return False
            left = set(wanted.get(environment, ()))
            if self.ledger is None:
                return not left
            for plan in self.ledger.passed(environment, f"{environment}/{wave}"):
                for database, of in loads(plan)["revisions"].items():
                    left -= {(database, id_, revision["sha256"]) for id_, revision in of.items()}
            return not left

        return has_passed

    def _planned(self, target: Target, path: PlannedPath | None) -> PlannedTarget:
        outcome = self.read[target.name]
        heads = outcome.heads if self._knows(outcome) else None
        return PlannedTarget(
            name=target.name,
            environment=target.environment,
            database=target.database,
            server=target.server,
            place=place_of(target),
            wave=0,
            heads=heads,
            goal=None if path is None else path.goal,
            schema_class=_class(target, outcome) if heads is not None else None,
            revisions=() if path is None else tuple(r.id for r in path.revisions),
        )

    def _paths(self, targets: Sequence[Target]) -> dict[str, PlannedPath]:
        """Return the path of each target whose heads are known, asking one of each group."""
        groups: dict[Any, list[Target]] = {}
        for target in targets:
            outcome = self.read[target.name]
            if self._knows(outcome):
                key = target.database, outcome.heads, self.order.back_to.get(target.name)
                groups.setdefault(key, []).append(target)
        found: dict[str, PlannedPath] = {}
        left: list[list[Target]] = []
        for group in groups.values():
            heads = self.read[group[0].name].heads
            if self._at_head(group[0]):
                found.update((target.name, PlannedPath(heads)) for target in group)
            else:
                left.append(group)
        answers = self._asked([group[0] for group in left])
        for group in left:
            if (path := answers.get(group[0].name)) is not None:
                found.update((target.name, path) for target in group)
        return found

    def _knows(self, outcome: Outcome) -> bool:
        """Whether it is known where a target stands, well enough for where it goes."""
        # What looks empty may have its versions where only env.py knows: the end is the same.
        sure = self.asks or outcome.heads or self.order.revision == "heads"
        return outcome.state in _READ and bool(sure)

    def _at_head(self, target: Target) -> bool:
        return self.order.is_upgrade_to_heads and self.read[target.name].state is State.CURRENT

    def _asked(self, targets: Sequence[Target]) -> dict[str, PlannedPath]:
        """Let Alembic tell the ways from where targets were read to stand. Runs no ``env.py``."""
        outcomes = self.workers.run(
            self.order.verb,
            targets,
            NullObserver(),
            each=lambda target: {
                "heads": self.read[target.name].heads,
                "back_to": self.order.back_to.get(target.name),
            },
            here=True,
            revision=self.order.revision,
            dry_run=True,
            purge=self.order.purge,
        )
        return {
            name: PlannedPath(outcome.heads, outcome.revisions)
            for name, outcome in outcomes.items()
            if outcome.state in {State.PLANNED, State.UNCHANGED}
        }

    def _revisions(self, paths: Mapping[str, PlannedPath]) -> dict[str, dict[str, PlannedRevision]]:
        found: dict[str, dict[str, PlannedRevision]] = {}
        for target in self.order.targets:
            path = paths.get(target.name)
            for revision in () if path is None else path.revisions:
                of = found.setdefault(target.database, {})
                if revision.id not in of:
                    of[revision.id] = _revision(revision)
        return found


def place_of(target: Target) -> str:
    """Return where a target is, fit for people and files: no secret in it."""
    schema = str(target.address.schema)
    return target.address.redacted + (f"#{schema}" if schema else "")


def arguments_digest(x: Sequence[str]) -> str:
    """Return what tells arguments of ``-x`` apart without telling them; empty for none."""
    return _digest(list(x)) if x else ""


def settings_of(config: Config, environment: str) -> dict[str, Any]:
    """Return the settings of an environment's rollout as JSON, those of its databases with it."""
    settings = config.environments[environment]
    requires = settings.requires
    x = [dict(settings.x), {name: dict(own.x) for name, own in settings.databases.items()}]
    return {
        **settings.rollout.model_dump(mode="json", by_alias=True),
        # What revisions read may decide what they do. It may be secret, too.
        "x": _digest(x),
        "requires": None if requires is None else requires.model_dump(mode="json"),
        "databases": {
            name: own.model_dump(mode="json", exclude={"url", "schema_", "x"}, exclude_none=True)
            for name, own in settings.databases.items()
        },
    }


def _class(target: Target, outcome: Outcome) -> str:
    parts = [
        target.database,
        target.address.backend,
        outcome.server_version,
        list(outcome.heads),
        outcome.fingerprint,
    ]
    return _digest(parts)[:12]


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode(errors="surrogatepass")).hexdigest()


def _revision(revision: Revision) -> PlannedRevision:
    text = b"" if revision.path is None else Path(revision.path).read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    return PlannedRevision(revision.id, revision.message, digest, is_reversible(text))

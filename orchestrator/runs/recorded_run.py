"""A run as the ledger has it, with the targets that it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.config.models import Config, Rollout
from orchestrator.dispatch.slots import works
from orchestrator.dispatch.workers import Workers
from orchestrator.fleet.target import Target
from orchestrator.rollout.events import GateKind
from orchestrator.rollout.plan import Plan
from orchestrator.rollout.revisions import Revisions
from orchestrator.rollout.stages import Past, Stage
from orchestrator.runs.attempts import Attempts
from orchestrator.snapshot.at_head import AtHead
from orchestrator.worker.jobs import Job, Verb


@dataclass(frozen=True)
class RecordedRun:
    """A run that is to be driven from where it stands."""

    id: int
    plan: Plan
    targets: Mapping[str, Target]
    """The plan's that are there."""
    needs: Mapping[str, Sequence[str]]
    histories: Mapping[str, Revisions]
    """The revisions of each database that the plan has revisions of."""
    past: Past = field(default_factory=Past)
    earlier: Mapping[str, Attempts] = field(default_factory=dict)
    """The attempts of earlier processes."""
    at_head: AtHead | None = None
    """Knows the targets that need no worker, when their turn comes."""
    created: frozenset[str] = frozenset()
    """In a rollback: targets whose database or schema the run that is rolled back had made."""
    held_to: bool = False
    """Whether a target must stand where the plan saw it."""

    @property
    def verb(self) -> Verb:
        """What the run does."""
        return Verb(self.plan.verb)

    @cached_property
    def goals(self) -> Mapping[str, tuple[str, ...]]:
        """Where each target goes, as far as the plan knows."""
        return {t.name: t.goal for t in self.plan.targets if t.goal is not None}

    def stages(self, config: Config) -> list[Stage]:
        """Return its waves as the state machine takes them."""
        members: dict[int, list[Target]] = {}
        for planned in self.plan.targets:
            if planned.name in self.targets:
                members.setdefault(planned.wave, []).append(self.targets[planned.name])
        return [
            Stage(
                wave.name,
                wave.environment,
                tuple(works(config, members.get(at, ()), self.needs, wave)),
                wave.budget,
                tuple(map(GateKind, wave.entry)),
                tuple(map(GateKind, wave.gate)),
            )
            for at, wave in enumerate(self.plan.waves)
        ]

    def job(self, workers: Workers, target: Target, attempts: Attempts, settings: Rollout) -> Job:
        """Return the job of the next attempt at a target."""
        rolls_back = self.plan.parent is not None
        goal = self.goals.get(target.name)
        return workers.job_on(
            self.verb,
            target,
            revision=self.plan.revision,
            recorded=True,
            purge=bool(self.plan.selection.get("purge")),
            origin=attempts.origin,
            back_to=goal if rolls_back else None,
            drops=target.name in self.created,
            # The scripts may have changed since the run began, and it may have waited for long.
            goal=None if rolls_back else goal,
            committing=attempts.committing if attempts.unseen else (),
            lock_wait=settings.target_timeout if attempts.unseen else settings.wait_for_lock,
            verify_only=attempts.verify_only,
            revision_digests=self._digests(target.database) if workers.are_elsewhere else {},
        )

    def _digests(self, database: str) -> Mapping[str, str]:
        of = self.plan.revisions.get(database, {})
        return {id_: revision.sha256 for id_, revision in of.items()}

"""What one environment requires of another before it is upgraded, looked up in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.rollouts import Requires
from orchestrator.config.units import duration
from orchestrator.errors import OrchestratorError
from orchestrator.rollout.requires import Lack, lacks, opens_at
from orchestrator.rollout.times import moment
from orchestrator.runs.context import RunContext
from orchestrator.runs.recorded_run import RecordedRun

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class UnmetCondition:
    """Why a condition does not hold yet; without a reason, it is only not its turn."""

    reason: str
    opens_at: int | None = None
    """When it will by time alone, in ms; ``None`` where that takes somebody."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Looks whether every revision about to be applied has been where it must have been."""

    context: RunContext
    run: RecordedRun

    def unmet(self, wave: int, now: int) -> UnmetCondition | None:
        """Return what the environment of a wave requires and has not, or ``None`` for nothing."""
        environment = self.run.plan.waves[wave].environment
        requires = self.context.config.environments[environment].requires
        if requires is None:
            return None
        found: list[Lack] = []
        try:
            targets = self.context.project.find([requires.environment])
        except OrchestratorError as error:
            # Nobody there: nothing could be tried first, so nothing may pass. The run waits.
            what = f"{requires.environment} must have its revisions first"
            return UnmetCondition(f"{what}, and has no targets to see: {error}")
        for database, wanted in self._revisions(environment).items():
            names = [target.name for target in targets if target.database == database]
            standings = self.context.ledger.standings(requires.environment, database)
            found += lacks(
                names,
                {name: [(s.heads, s.since) for s in of] for name, of in standings.items()},
                self.run.histories[database].ancestors,
                wanted,
                round(requires.soak * 1000),
                now,
            )
        return _unmet(requires, found) if found else None

    def _revisions(self, environment: str) -> Mapping[str, Sequence[str]]:
        """Return what is about to be applied in an environment, by database."""
        found: dict[str, dict[str, None]] = {}
        for target in self.run.plan.targets:
            if target.environment == environment:
                known = target.goal is not None
                may = target.revisions if known else self._all(target.database)
                found.setdefault(target.database, {}).update(dict.fromkeys(may))
        return {database: tuple(ids) for database, ids in found.items() if ids}

    def _all(self, database: str) -> Sequence[str]:
        """What a target may be about to get of which nobody knows where it stands."""
        history = self.run.histories.get(database)
        if history is None:
            return ()
        upto = history.ancestors([self.run.plan.revision])
        return tuple(upto) or tuple(revision.id for revision in history.pending(()))


def _unmet(requires: Requires, found: Sequence[Lack]) -> UnmetCondition:
    what = f"{requires.environment} must have its revisions"
    if requires.soak:
        what += f" for {duration(requires.soak)}"
    shown = "; ".join(str(lack) for lack in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    opens = opens_at(found)
    when = "" if opens is None else f" (until {moment(opens)})"
    return UnmetCondition(f"{what}{when}: {shown}{more}", opens)

"""What one environment requires of another before it is upgraded, looked up in the ledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.rollouts import Requires
from orchestrator.config.units import duration
from orchestrator.errors import OrchestratorError
from orchestrator.fleet.target import Target
from orchestrator.ledger.ledger import Ledger
from orchestrator.rollout.requires import Lack, lacks, opens_at
from orchestrator.rollout.revisions import Revisions
from orchestrator.rollout.times import moment
from orchestrator.runs.gates.waiting import Missing

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Required:
    """Looks whether every revision about to be applied has been where it must have been."""

    ledger: Ledger
    requires: Requires
    targets: Callable[[], Sequence[Target]]
    """The targets of the environment that is required."""
    revisions: Mapping[str, Sequence[str]]
    """What is about to be applied, by database."""
    histories: Mapping[str, Revisions]
    """The revisions of each database."""

    def missing(self, now: int) -> Missing | None:
        """Return what is missing, or ``None`` where nothing is."""
        found: list[Lack] = []
        try:
            targets = self.targets()
        except OrchestratorError as error:
            # Nobody there: nothing could be tried first, so nothing may pass. The run waits.
            what = f"{self.requires.environment} must have its revisions first"
            return Missing(f"{what}, and has no targets to see: {error}")
        for database, wanted in self.revisions.items():
            names = [target.name for target in targets if target.database == database]
            standings = self.ledger.standings(self.requires.environment, database)
            found += lacks(
                names,
                {name: [(s.heads, s.since) for s in of] for name, of in standings.items()},
                self.histories[database].ancestors,
                wanted,
                round(self.requires.soak * 1000),
                now,
            )
        return self._missing(found) if found else None

    def _missing(self, found: Sequence[Lack]) -> Missing:
        what = f"{self.requires.environment} must have its revisions"
        if self.requires.soak:
            what += f" for {duration(self.requires.soak)}"
        shown = "; ".join(str(lack) for lack in found[:_SHOWN])
        more = f"; and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        opens = opens_at(found)
        when = "" if opens is None else f" (until {moment(opens)})"
        return Missing(f"{what}{when}: {shown}{more}", opens)

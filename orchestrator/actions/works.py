"""Targets as works of a schedule: what each waits for, and which limits it counts against."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.config.models import Config
from orchestrator.fleet.target import Target
from orchestrator.rollout.schedule import Slot, Work


def works(
    config: Config,
    targets: Sequence[Target],
    needs: Mapping[str, Sequence[str]],
    *,
    staged: bool = True,
) -> list[Work]:
    """Return one work per target, in the order given.

    ``staged``: one environment after the other. Commands that only read need no stages.
    """
    slots: dict[tuple[str, str, str], tuple[Slot, ...]] = {}
    result = []
    for target in targets:
        key = (target.environment, target.database, target.server)
        if key not in slots:
            slots[key] = tuple(_slots(config, *key))
        stage = target.environment if staged else ""
        result.append(Work(target.name, stage, needs.get(target.name, ()), slots[key]))
    return result


def _slots(config: Config, environment: str, database: str, server: str) -> Iterator[Slot]:
    settings = config.environments[environment]
    yield Slot(environment, settings.rollout.max_parallel)
    yield Slot(f"{environment} {server}", settings.rollout.max_per_server)
    own = settings.databases.get(database)
    if own is not None and own.max_parallel is not None:
        yield Slot(f"{environment}/{database}", own.max_parallel)
    if own is not None and own.max_per_server is not None:
        yield Slot(f"{environment}/{database} {server}", own.max_per_server)

"""From targets to works of a schedule: what each waits for, and which limits it counts against."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.config.models import Config
from orchestrator.engines.fd_limits import workers_allowed
from orchestrator.fleet.arguments import place
from orchestrator.fleet.target import Target
from orchestrator.rollout.plan import PlannedWave
from orchestrator.rollout.schedule import Slot, Work

LOCAL_HOST = "this machine"
"""The key of the slot that all targets share."""
ANY_NUMBER = 1_000_000
"""How many a cluster bears is known only while the run goes on: the dispatcher says so then."""


def works(
    config: Config,
    targets: Iterable[Target],
    needs: Mapping[str, Sequence[str]],
    wave: PlannedWave | None = None,
) -> list[Work]:
    """Return one work per target, in the order given. A wave may have limits of its own.

    No more are at work at once than this process may have files open for, or than a cluster has
    workers for, in each place. Several histories of one physical database come one after the other.
    Raises ``ValueError`` for a place that a target has no label for.
    """
    targets = tuple(targets)
    most = workers_allowed() if config.engine.kind == "local" else ANY_NUMBER
    machine = Slot(LOCAL_HOST, most)
    histories = Counter(target.address.identity for target in targets)
    slots: dict[tuple[str, str, str], tuple[Slot, ...]] = {}
    result = []
    for target in targets:
        key = (target.environment, target.database, target.server)
        if key not in slots:
            slots[key] = (
                *_slots(config, *key),
                *_wave_slots(wave, target.server),
                Slot(server_slot(target), most),
                machine,
            )
        own = slots[key]
        if (at := place(config, target)) is not None:
            own = (*own, Slot(place_slot(at), most))
        if histories[target.address.identity] > 1:
            own = (*own, Slot(f"place {target.address.identity}", 1))
        result.append(Work(target.name, needs.get(target.name, ()), own))
    return result


def place_slot(place: str) -> str:
    """Return the key of the slot that all targets share whose jobs ask for a place."""
    return f"workers of {place}"


def server_slot(target: Target) -> str:
    """Return the key of the slot that all targets on the server of ``target`` share."""
    return f"server {target.server}"


def _wave_slots(wave: PlannedWave | None, server: str) -> Iterator[Slot]:
    if wave is not None and wave.max_parallel is not None:
        yield Slot(f"wave {wave.name}", wave.max_parallel)
    if wave is not None and wave.max_per_server is not None:
        yield Slot(f"wave {wave.name} {server}", wave.max_per_server)


def _slots(config: Config, environment: str, database: str, server: str) -> Iterator[Slot]:
    settings = config.environments[environment]
    yield Slot(environment, settings.rollout.max_parallel)
    yield Slot(f"{environment} {server}", settings.rollout.max_per_server)
    own = settings.databases.get(database)
    if own is not None and own.max_parallel is not None:
        yield Slot(f"{environment}/{database}", own.max_parallel)
    if own is not None and own.max_per_server is not None:
        yield Slot(f"{environment}/{database} {server}", own.max_per_server)

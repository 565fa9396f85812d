"""In which order targets run, and which of them wait for which."""

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.config.models import Config
from orchestrator.fleet.placement import placement
from orchestrator.fleet.target import Target

Dependencies = Mapping[str, tuple[str, ...]]


def ordered(targets: Sequence[Target], config: Config) -> tuple[Target, ...]:
    """Return the targets in the order in which they run.

    Environments by the promotion path, those off it last. Within one: shared targets, then
    tenants in the order in which ``targets`` first has them, each with its databases by
    ``after``, then shared targets that are ``after`` a tenant's database. No target comes before
    one that it depends on. To keep tenants as listed, order first and select afterwards.
    """
    environments = {name: at for at, name in enumerate(_environments(config))}
    databases = {name: at for at, name in enumerate(sorted_databases(config))}
    stages = {name: _stages(config, name, databases) for name in {t.environment for t in targets}}
    tenants: dict[tuple[str, str | None], int] = {}

    def key(target: Target) -> tuple[int, int, int, int]:
        environment = target.environment
        tenant = tenants.setdefault((environment, target.tenant), len(tenants))
        stage = stages[environment][target.database]
        at = 0 if target.tenant is None else tenant
        return environments[environment], stage, at, databases[target.database]

    return tuple(sorted(targets, key=key))


def dependencies(targets: Sequence[Target], config: Config) -> Dependencies:
    """Return which of ``targets`` must succeed before each: names by name.

    A target waits for the databases that its own is ``after``: the same tenant's, or the shared
    one; a shared target waits for every tenant's. Where one is not among ``targets``, it is
    looked through to what that one is ``after``. Many targets that wait for the same share one
    tuple.
    """
    by_environment: dict[str, list[Target]] = {}
    for target in targets:
        by_environment.setdefault(target.environment, []).append(target)
    found: dict[str, tuple[str, ...]] = {}
    for environment, members in by_environment.items():
        waiting = Waiting(members, config, _shared(config, environment))
        found.update((target.name, waiting.of(target)) for target in members)
    return {target.name: found[target.name] for target in targets}


def reversed_(
    targets: Sequence[Target], deps: Dependencies
) -> tuple[tuple[Target, ...], Dependencies]:
    """Return the order and the dependencies of a downgrade: what waited is now waited for."""
    # By identity: thousands of targets that wait for thousands share one tuple, and hashing or
    # copying it for each of them would be quadratic.
    waits: dict[int, tuple[str, ...]] = {id(names): names for names in deps.values()}
    members: dict[int, list[str]] = {}
    for name, names in deps.items():
        members.setdefault(id(names), []).append(name)
    groups: dict[str, list[tuple[str, ...]]] = {}
    for key, names in waits.items():
        group = tuple(members[key])
        for name in names:
            groups.setdefault(name, []).append(group)
    back = tuple(reversed(targets))
    return back, {target.name: _joined(groups.get(target.name, ())) for target in back}


def sorted_databases(config: Config) -> tuple[str, ...]:
    """Return the databases by ``after``; of those that are free to go, the file's first."""
    left = dict.fromkeys(config.databases)
    done: list[str] = []
    while left:
        free = (name for name in left if left.keys().isdisjoint(config.databases[name].after))
        # A cycle is reported by the checks of the file; here every database gets a place.
        name = next(free, next(iter(left)))
        del left[name]
        done.append(name)
    return tuple(done)


def _environments(config: Config) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*config.order, *config.environments)))


def _shared(config: Config, environment: str) -> frozenset[str]:
    return frozenset(
        name for name in config.databases if placement(config, environment, name).shared
    )


def _stages(config: Config, environment: str, databases: Iterable[str]) -> dict[str, int]:
    """Number the stages of an environment: even ones are for shared targets, odd for tenants."""
    shared = _shared(config, environment)
    stages: dict[str, int] = {}
    for name in databases:
        earliest = max((stages.get(other, 0) for other in config.databases[name].after), default=0)
        stages[name] = earliest + ((earliest % 2 == 0) != (name in shared))
    return stages


def _joined(groups: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if len(groups) == 1:
        return groups[0]
    return tuple(name for group in groups for name in group)


Names = tuple[str, ...]
_FEW = 10


class Waiting:
    """The targets of one environment by database and tenant, and who waits for whom."""

    def __init__(self, targets: Sequence[Target], config: Config, shared: frozenset[str]) -> None:
        self._names = {(target.database, target.tenant): target.name for target in targets}
        self._tenants = tuple(dict.fromkeys(t.tenant for t in targets if t.tenant is not None))
        self._after = {name: config.databases[name].after for name in config.databases}
        self._shared = shared
        self._of_everyone: dict[str, Names] = {}
        self._same: dict[Names, Names] = {}

    def of(self, target: Target) -> Names:
        """Return the names of the targets that must succeed first."""
        return self._before(target.database, target.tenant)

    def _before(self, database: str, tenant: str | None) -> Names:
        found = [self._at(other, tenant) for other in self._after[database]]
        return self._joined([names for names in found if names])

    def _at(self, database: str, tenant: str | None) -> Names:
        """What stands for a database that is waited for: its target, or what that waits for."""
        if tenant is None or database in self._shared:
            return self._everyone(database)
        name = self._names.get((database, tenant))
        return self._before(database, tenant) if name is None else (name,)

    def _everyone(self, database: str) -> Names:
        if database not in self._of_everyone:
            self._of_everyone[database] = self._found_for_everyone(database)
        return self._of_everyone[database]

    def _found_for_everyone(self, database: str) -> Names:
        name = self._names.get((database, None))
        if name is not None:
            return (name,)
        if database in self._shared or not self._tenants:
            # Without any tenant there may still be something shared further on.
            return self._before(database, None)
        found = [self._at(database, tenant) for tenant in self._tenants]
        return self._joined([names for names in found if names])

    def _joined(self, found: list[Names]) -> Names:
        """Join tuples, each name once. One alone is passed on, so that it stays shared."""
        if len(found) < 2:
            return found[0] if found else ()
        names = tuple(dict.fromkeys(name for part in found for name in part))
        # Every tenant may wait for the same few shared ones. (Long tuples are slow to look up.)
        return self._same.setdefault(names, names) if len(names) < _FEW else names

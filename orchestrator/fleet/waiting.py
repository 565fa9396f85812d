"""What each target of one environment waits for."""

from collections.abc import Sequence

from orchestrator.config.models import Config
from orchestrator.fleet.target import Target

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

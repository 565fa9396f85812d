"""How many targets a server bears at once, learned from what it ran out of."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Throttle:
    """Counts what is at work on each server, and halves how much may be when one runs out.

    Guarantees: failures of attempts that ran side by side halve the number once; it never goes
    below one, and never up again; a server that ran out of nothing has no limit here.
    """

    _began: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    _limits: dict[str, int] = field(default_factory=dict)
    _narrowed: dict[str, int] = field(default_factory=dict)
    """How many attempts had begun anywhere when the limit was last changed."""
    _times: dict[str, int] = field(default_factory=dict)
    _begun: int = 0

    def begin(self, server: str, name: str) -> None:
        """An attempt at a target begins."""
        self._begun += 1
        self._began[server][name] = self._begun

    def end(self, server: str, name: str, *, exhausted: bool = False) -> int | None:
        """An attempt ended. Return how many may be at once from now on, where that is fewer."""
        among = len(self._began[server])
        began = self._began[server].pop(name, None)
        if not exhausted or began is None or began <= self._narrowed.get(server, 0):
            return None
        among = min(among, self._limits.get(server, among))
        if among < 2:
            return None
        self._limits[server] = among // 2
        self._narrowed[server] = self._begun
        self._times[server] = self._times.get(server, 0) + 1
        return among // 2

    def free(self, server: str) -> bool:
        """Whether another attempt may begin on the server now."""
        limit = self._limits.get(server)
        return limit is None or len(self._began[server]) < limit

    def retries(self, server: str, retries: int) -> int:
        """How many more attempts are due: one for each time that fewer were tried, besides."""
        return retries and retries + self._times.get(server, 0)

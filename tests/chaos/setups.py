"""What a round of chaos is like: drawn from its seed."""

import random
from dataclasses import dataclass

from tests.chaos.world import LEDGERS

KILLS = (
    "orchestrator",
    "group",
    "worker",
    "workers",
    "fork server",
    "mariadb",
    "mysql",
    "postgres",
    "ledger",
)
CLUSTER_KILLS = (
    "orchestrator",
    "orchestrator sleeps",
    "take over",
    "machine",
    "machine sleeps",
    "host",
    "host sleeps",
    "migration",
    "migrations",
    "migrations sleep",
    "scheduler",
    "scheduler sleeps",
    "link cut",
    "link silent",
    "link slow",
    "wires cut",
    "wires silent",
    "wires slow",
    "mariadb",
    "mysql",
    "postgres",
    "ledger",
)
"""On a cluster: a machine is all processes of a worker, its host the one that speaks to the
scheduler, and its migrations those that work on targets. Links lead to the scheduler, wires to
databases."""
_REPLAYS = {False: 2, True: 4}
"""One of so many rounds is with replay, on this machine and on a cluster."""
_SPANS = {False: 3.5, True: 10.0}
"""About as many seconds as an undisturbed run takes once it has begun, without and with replay."""
MORE_TENANTS = 4
"""In a round with replay: a worker builds each revision on two targets first."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a round is like; all of it follows from its seed."""

    seed: int
    ledger: str
    budget: str
    retries: int
    kills: tuple[tuple[tuple[str, float], ...], ...]
    """Of the first commands, one after the other: what is killed, and how many seconds after the
    run was taken up (below 0: after the command was started)."""
    replays: bool = False
    """Its revisions may be replayed, and are."""
    cluster: bool = False
    """Its jobs run on a Dask cluster."""

    @classmethod
    def of(
        cls,
        seed: int,
        kill: str | None = None,
        ledger: str | None = None,
        *,
        cluster: bool = False,
    ) -> "Setup":
        """Return the round of a seed; the first kill and the ledger may be given."""
        luck = random.Random(seed)
        replays = seed % _REPLAYS[cluster] == 1
        count = luck.choices((1, 2, 3), (5, 3, 2))[0]
        of = CLUSTER_KILLS if cluster else KILLS
        kills = [_kills(luck, _SPANS[replays], of) for _ in range(count)]
        chosen = luck.choice(LEDGERS)
        if kill is not None:
            kills[0] = ((kill, kills[0][0][1]), *kills[0][1:])
        return cls(
            seed,
            ledger or chosen,
            luck.choice(('"100%"', '"100%"', "0")),
            luck.choice((0, 1, 3)),
            tuple(kills),
            replays,
            cluster,
        )


def _kills(luck: random.Random, span: float, of: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    several = luck.choices((1, 2, 3), (6, 3, 1))[0]
    when = luck.choices((luck.uniform(-1.5, 0), luck.uniform(0, span)), (1, 6))[0]
    found = []
    for _ in range(several):
        found.append((luck.choice(of), round(when, 2)))
        when = max(when, 0.0) + luck.uniform(0, 1.0)
    return tuple(found)

"""Rollouts in which something is killed, in small. ``make chaos`` does it in large."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.rounds import play, undisturbed
from tests.chaos.setups import CLUSTER_KILLS, KILLS, Setup
from tests.chaos.world import Servers

Rig = tuple[Servers, dict[str, Any]]
ROUNDS = (
    # What is killed when, by command; on which ledger; its budget and retries; with replay, which
    # begins after about three seconds.
    ((("orchestrator", 0.5),), "sqlite", '"100%"', 1, False),
    ((("group", 4.2),), "mariadb", "0", 0, True),
    ((("worker", 0.4), ("worker", 0.7)), "sqlite", "0", 0, False),
    ((("workers", 5.1),), "postgres", '"100%"', 3, True),
    ((("fork server", 0.3), ("orchestrator", 0.9)), "sqlite", '"100%"', 1, False),
    ((("mariadb", 3.8),), "sqlite", '"100%"', 1, True),
    ((("mysql", 3.4), ("workers", 4.6)), "sqlite", '"100%"', 1, True),
    ((("postgres", 0.7), ("workers", 0.8)), "sqlite", "0", 0, False),
    ((("ledger", 4.3), ("group", 5.0)), "postgres", '"100%"', 1, True),
    ((("ledger", 0.5), ("mariadb", 0.8)), "mariadb", "0", 1, False),
    ((("ledger", 3.3), ("worker", 4.9)), "mysql", '"100%"', 0, True),
)
CLUSTER_ROUNDS = (
    # The same on a cluster, of several commands, none of them with replay.
    (
        (
            (("machine", 0.3), ("link cut", 0.6), ("wires silent", 1.2), ("mysql", 1.5)),
            (("orchestrator", 0.5),),
            (("scheduler", 0.4), ("wires slow", 0.6)),
        ),
        "postgres",
        '"100%"',
        1,
    ),
    (
        (
            (("host", 0.4), ("scheduler sleeps", 0.8), ("postgres", 1.5), ("take over", 1.8)),
            (("link slow", -0.5), ("migrations sleep", 0.5), ("wires cut", 0.7)),
        ),
        "sqlite",
        '"100%"',
        0,
    ),
    (
        (
            (("machine sleeps", 0.2), ("migrations", 0.4), ("orchestrator", 0.6)),
            (("migration", 0.4), ("orchestrator sleeps", 0.5), ("orchestrator", 0.6)),
            (("link silent", 0.2), ("host sleeps", 0.3), ("mariadb", 0.6), ("ledger", 0.9)),
        ),
        "mysql",
        "0",
        3,
    ),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Servers that may be killed, and what an undisturbed upgrade makes."""
    with Servers() as servers:
        yield servers, undisturbed(servers, tmp_path_factory.mktemp("undisturbed"))


def test_every_kind_of_kill_is_there() -> None:
    assert {what for kills, *_ in ROUNDS for what, _ in kills} == set(KILLS)
    of_cluster = [kill for commands, *_ in CLUSTER_ROUNDS for kills in commands for kill in kills]
    assert {what for what, _ in of_cluster} == set(CLUSTER_KILLS)


@pytest.mark.parametrize(
    "seed",
    # Every kind of kill in test-slow; here the first, and one of a MySQL server, with replay.
    [
        seed if seed in {0, 6} else pytest.param(seed, marks=pytest.mark.slow)
        for seed in range(len(ROUNDS))
    ],
)
def test_whatever_is_killed_each_revision_is_done_once(rig: Rig, tmp_path: Path, seed: int) -> None:
    kills, ledger, budget, retries, replays = ROUNDS[seed]
    setup = Setup(seed, ledger, budget, retries, (kills,), replays)

    servers, reference = rig
    print(play(servers, tmp_path, setup, reference, tenants=1 if replays else 2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(len(CLUSTER_ROUNDS)))
def test_on_a_cluster_each_revision_is_done_once(rig: Rig, tmp_path: Path, seed: int) -> None:
    kills, ledger, budget, retries = CLUSTER_ROUNDS[seed]
    setup = Setup(seed, ledger, budget, retries, kills, cluster=True)

    servers, reference = rig
    print(play(servers, tmp_path, setup, reference, tenants=2))

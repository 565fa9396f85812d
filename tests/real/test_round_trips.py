"""How many round trips a target takes, counted on the way to a real server.

Where a server is far away, they are the time that an upgrade takes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.network import Traffic, network
from tests.real.conftest import Fleet

MAKES = b"CREATE TABLE alembic_version"
SIZES = {"mariadb": (10, 20), "mysql": (10, 20), "postgres": (4, 8)}
"""Revisions of two fleets. A pipeline that is longer may hear the first answers before it has said
all, which counts as a round trip but is not waited for."""


@dataclass(frozen=True)
class Trips:
    """Round trips of one target, connecting and signing in included."""

    once: int
    each: float
    """Those of one revision more."""


BUILT = {"mariadb": Trips(23, 4), "mysql": Trips(23, 4), "postgres": Trips(17, 3)}
REPLAYED = {"mariadb": Trips(25, 0.1), "mysql": Trips(25, 0.1), "postgres": Trips(19, 0)}
"""A target that is at base, with one statement in each revision; all in one transaction on
PostgreSQL, and ten at once where each commits."""
AT_HEAD = {"mariadb": 0, "mysql": 0, "postgres": 18}
"""One more target that is at head."""


def through(fleet: Fleet, revisions: int, targets: int) -> tuple[Traffic, Traffic]:
    """Upgrade empty targets with one worker, and again; return what went through."""
    assert fleet.server is not None
    fleet.declare(targets, max_parallel=1)
    for number in range(revisions):
        down = f"r{number - 1}" if number else None
        make = f'op.create_table("t{number}", sa.Column("n", sa.Integer))'
        fleet.project.revision(f"r{number}", down, make)
    file = fleet.project.folder / "environments.toml"
    text, found = file.read_text(), []
    for _ in range(2):
        with network(fleet.server.port) as (port, traffic):
            there = text.replace(f":{fleet.server.port}/", f":{port}/")
            # What is enciphered can't be told apart.
            plain = "_{tenant}?ssl_disabled=true'" if fleet.kind == "mysql" else "_{tenant}'"
            file.write_text(there.replace("_{tenant}'", plain))
            fleet.project.run("upgrade")
        found.append(traffic)
    return found[0], found[1]


def migrating(traffic: Traffic) -> list[int]:
    """The round trips of each connection that migrated a target, in their order."""
    return [len(said) for said in traffic.connections if any(MAKES in text for text in said)]


@pytest.mark.parametrize("kind", BUILT)
def test_a_target_takes_so_many(new_fleet: Callable[[str], Fleet], kind: str) -> None:
    less, more = SIZES[kind]
    few = migrating(through(new_fleet(kind), less, 4)[0])
    many = migrating(through(new_fleet(kind), more, 4)[0])

    assert len(few) == len(many) == 4
    for expected, which in ((BUILT[kind], 1), (REPLAYED[kind], 3)):
        each = (many[which] - few[which]) / (more - less)
        assert Trips(round(few[which] - each * less), each) == expected


@pytest.mark.parametrize("kind", AT_HEAD)
def test_one_more_target_at_head_takes_so_many(
    new_fleet: Callable[[str], Fleet], kind: str
) -> None:
    few = through(new_fleet(kind), 1, 2)[1].round_trips
    many = through(new_fleet(kind), 1, 6)[1].round_trips

    assert round((many - few) / 4) == AT_HEAD[kind]

"""One contract, four servers: places for ledgers, and runs to put into them."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.location import Location
from orchestrator.ledger import Ledger
from orchestrator.ledger.records import NewRun, NewTarget, NewWave
from tests.servers import Server, unique


class Place:
    """Somewhere that a ledger can be."""

    def __init__(self, url: str, server: Server | None = None, database: str = "") -> None:
        self.url, self.server, self.database = url, server, database

    @property
    def location(self) -> Location:
        """As ``Ledger.open`` wants it."""
        return located(self.url)

    @property
    def file(self) -> Path:
        """The file of a SQLite ledger."""
        return Path(self.location.file or "")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement behind the ledger's back."""
        if self.server is not None:
            return self.server.execute(sql, self.database)
        self.file.parent.mkdir(exist_ok=True, parents=True)
        with closing(sqlite3.connect(self.file)) as connection:
            rows = connection.execute(sql).fetchall()
            connection.commit()
            return rows


def located(url: str) -> Location:
    """Return the location that a URL names."""
    return AddressTemplate.parse(url, None, Path("/")).blank.resolve(lambda _: "")


@pytest.fixture
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Make an empty place of a kind."""
    with ExitStack() as stack:

        def make(kind: str) -> Place:
            if kind == "sqlite":
                return Place(f"sqlite:///{tmp_path}/{unique('kept')}/ledger.db")
            server: Server = request.getfixturevalue(kind)
            (name,) = stack.enter_context(server.databases(unique("ledger")))
            return Place(server.url(name), server, name)

        yield make


@pytest.fixture(params=["sqlite", "mariadb", "mysql", "postgres"])
def place(request: pytest.FixtureRequest, new_place: Callable[[str], Place]) -> Place:
    """An empty place on each kind of server in turn."""
    return new_place(request.param)


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    """A new ledger on each kind of server in turn."""
    with Ledger.open(place.location) as ledger:
        yield ledger


def a_run(
    ledger: Ledger, names: Sequence[str] = ("prod/app/a", "prod/app/b"), verb: str = "upgrade"
) -> int:
    """Record a run of one wave."""
    waves = [NewWave("canary", "prod", 0, len(names))]
    new = (NewTarget(name, "prod", "app", "sqlite", 0, ("r1",), ("r2",)) for name in names)
    return ledger.create(NewRun("shop", verb, "heads", "kim@host", "d1"), waves, new)

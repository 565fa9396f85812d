"""``upgrade`` by the workers of a Dask cluster beside the processes of this machine."""

import argparse
from functools import partial
from pathlib import Path

from benchmarks import tables
from benchmarks.cluster_fleet import HERE, SLOTS, THERE, WORKERS, Fleet, compare, fleet_of
from benchmarks.distance import distance


def upgrades(folder: Path, options: argparse.Namespace) -> None:
    """Empty databases to head, by as many processes of this machine and of a cluster on it."""
    with fleet_of(folder, options.cluster_targets, options) as fleet:
        title = f"Upgrade of MariaDB databases by {options.revisions} revisions each"
        columns = ("targets", "seconds", "ms per target", "against this machine")
        tables.begin(f"{title}, {WORKERS * SLOTS} at once", "by", *columns)
        ways = {
            HERE: partial(fleet.here, fleet.place),
            THERE: partial(fleet.there, fleet.cluster.address),
        }
        for way, (_, *numbers) in compare(fleet, ways, {}).items():
            tables.cells(way, *numbers)
        tables.end(
            f"The cluster has {WORKERS} workers of {SLOTS} slots; scheduler and workers are on "
            "this machine, with TLS. They are there before anything is timed."
        )


def from_afar(folder: Path, options: argparse.Namespace) -> None:
    """The same, who drives some time away: from the databases, or from a scheduler near them."""
    with fleet_of(folder, options.cluster_far_targets, options) as fleet:
        title = f"Upgrade of MariaDB databases from afar, {WORKERS * SLOTS} at once"
        columns = ("targets", "seconds", "ms per target", "against this machine")
        tables.begin(title, "round trip", "by", *columns, "round trips per target", texts=2)
        for away in (float(ms) / 1000 for ms in options.distances.split(",")):
            _from(away, fleet)
        tables.end(
            "The time lies between this machine and the databases, or this machine and the "
            "scheduler, which is near the workers as they are near the databases."
        )


def _from(away: float, fleet: Fleet) -> None:
    port = int(fleet.cluster.address.rpartition(":")[2])
    with (
        distance(fleet.place.server.port, away) as to_databases,
        distance(port, away) as to_scheduler,
    ):
        ways = {
            HERE: partial(fleet.here, fleet.place.through(to_databases.port)),
            THERE: partial(fleet.there, f"tls://127.0.0.1:{to_scheduler.port}"),
        }
        networks = {HERE: to_databases, THERE: to_scheduler}
        for way, (count, *numbers) in compare(fleet, ways, networks).items():
            trips = f"{count.round_trips / fleet.count:.1f}" if count else ""
            tables.cells(f"{away * 1000:g} ms", way, *numbers, trips)

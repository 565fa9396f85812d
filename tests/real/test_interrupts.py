"""Ctrl-C: once to finish what runs, twice to stop it."""

import os
import signal
from pathlib import Path

from tests.project_folder import wait_until
from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE


def slow_fleet(new_fleet, tmp_path: Path, seconds: float) -> Fleet:
    fleet = new_fleet("sqlite")
    fleet.declare(6, max_parallel=2)
    started = str(tmp_path / "started")
    fleet.project.revision(
        "a1",
        None,
        f"{CREATE}\ntry:\n    open({started!r}, 'x').close()\n"
        f"except FileExistsError:\n    open({started + '2'!r}, 'w').close()\n"
        f"time.sleep({seconds})",
    )
    return fleet


def test_one_ctrl_c_starts_nothing_more_and_lets_finish_what_runs(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 2)
    started = fleet.project.start("upgrade", "-o", "json")
    wait_until((tmp_path / "started").exists)

    started.interrupt()

    states = started.wait(130).states()
    assert sorted(states.values()) == ["done"] * 2 + ["not_started"] * 4
    for tenant in fleet.tenants:
        done = states[f"prod/app/{tenant}"] == "done"
        assert (fleet.project.folder / "var" / f"{tenant}.db").exists() == done
        assert not done or fleet.heads(tenant) == ["a1"]


def test_two_ctrl_c_stop_the_workers_and_say_what_is_in_doubt(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 50)
    started = fleet.project.start("upgrade", "-o", "json")
    wait_until((tmp_path / "started").exists)
    wait_until((tmp_path / "started2").exists)

    started.interrupt()
    wait_until(lambda: "interrupted" in started.err)
    started.interrupt()

    states = started.wait(130).states()
    assert sorted(states.values()) == ["in_doubt"] * 2 + ["not_started"] * 4
    for tenant in ("t000", "t001"):
        assert "items" not in fleet.tables(tenant)


def test_sigterm_finishes_what_runs_as_ctrl_c_does(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 1)
    started = fleet.project.start("upgrade", "-o", "json")
    wait_until((tmp_path / "started").exists)

    started.process.send_signal(signal.SIGTERM)

    assert "done" in started.wait(130).states().values()


def test_sigterm_to_the_process_group_reaches_no_worker(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 1)
    started = fleet.project.start("upgrade", "-o", "json")
    wait_until((tmp_path / "started").exists)

    os.killpg(started.process.pid, signal.SIGTERM)

    states = started.wait(130).states()
    assert set(states.values()) == {"done", "not_started"}


def test_no_process_is_left_behind(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 1)
    started = fleet.project.start("upgrade")
    wait_until((tmp_path / "started").exists)
    started.process.kill()
    started.process.wait(30)

    wait_until(lambda: not _group(started.process.pid))


def _group(leader: int) -> list[str]:
    """The processes of a process group that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == str(leader) and fields[0] != "Z":
            found.append(stat.parent.name)
    return found

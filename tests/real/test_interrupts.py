"""Ctrl-C: once to finish what runs, twice to stop it."""

import json
import os
import signal
import time
from pathlib import Path

from tests.real.conftest import Fleet
from tests.real.test_failures import CREATE


def wait_for_file(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def slow_fleet(new_fleet, tmp_path: Path, seconds: float) -> Fleet:
    fleet = new_fleet("sqlite")
    fleet.declare(6, max_parallel=2)
    started = str(tmp_path / "started")
    fleet.workshop.revision(
        "a1", None, f"{CREATE}\nopen({started!r}, 'w').close()\ntime.sleep({seconds})"
    )
    return fleet


def test_one_ctrl_c_starts_nothing_more_and_lets_finish_what_runs(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 2)
    process = fleet.workshop.start("upgrade", "-o", "json")
    wait_for_file(tmp_path / "started")

    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group

    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    states = {t["name"]: t["state"] for t in json.loads(out)["targets"]}
    assert sorted(states.values()) == ["done"] * 2 + ["not_started"] * 4
    for tenant in fleet.tenants:
        done = states[f"prod/app/{tenant}"] == "done"
        assert (fleet.workshop.folder / "var" / f"{tenant}.db").exists() == done
        assert not done or fleet.heads(tenant) == ["a1"]


def test_two_ctrl_c_stop_the_workers_and_say_what_is_in_doubt(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 50)
    process = fleet.workshop.start("upgrade", "-o", "json")
    wait_for_file(tmp_path / "started")
    time.sleep(0.5)

    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)

    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    states = [t["state"] for t in json.loads(out)["targets"]]
    assert sorted(states) == ["in_doubt"] * 2 + ["not_started"] * 4
    for tenant in ("t000", "t001"):
        assert "items" not in fleet.tables(tenant)


def test_sigterm_finishes_what_runs_as_ctrl_c_does(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 1)
    process = fleet.workshop.start("upgrade", "-o", "json")
    wait_for_file(tmp_path / "started")

    process.send_signal(signal.SIGTERM)

    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "done" in {t["state"] for t in json.loads(out)["targets"]}


def test_no_process_is_left_behind(new_fleet, tmp_path):
    fleet = slow_fleet(new_fleet, tmp_path, 1)
    process = fleet.workshop.start("upgrade")
    wait_for_file(tmp_path / "started")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)

    deadline = time.monotonic() + 20
    while _group(process.pid):
        assert time.monotonic() < deadline, _group(process.pid)
        time.sleep(0.1)


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

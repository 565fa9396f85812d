"""Streams that can't be written to, and terminals that go away: the run is not touched by it."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project_folder import wait_until
from tests.real.conftest import Fleet

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'
HELD = "while not os.path.exists({!r}): time.sleep(0.05)\n"


@pytest.fixture
def fleet(new_fleet) -> Fleet:
    """Three SQLite files, and a revision."""
    fleet = new_fleet("sqlite")
    fleet.declare(3, max_parallel=1)
    fleet.project.revision("a1", None, CREATE)
    return fleet


def run(fleet: Fleet, *arguments: str, out: str = "", err: str = "") -> tuple[int, str, str]:
    """Run the program with its streams on files that may be full."""
    program = str(Path(sys.executable).with_name("orchestrator"))
    streams = {}
    folder = fleet.project.folder
    with (
        open(out or folder / "out", "w") as on_out,  # noqa: PTH123
        open(err or folder / "err", "w") as on_err,  # noqa: PTH123
    ):
        streams = {"stdout": on_out, "stderr": on_err, "stdin": subprocess.DEVNULL}
        code = subprocess.run([program, *arguments], cwd=folder, check=False, **streams).returncode
    said = [
        "" if full else (folder / name).read_text() for name, full in (("out", out), ("err", err))
    ]
    return code, said[0], said[1]


@pytest.mark.parametrize("form", [(), ("-o", "json")])
def test_a_full_disk_under_stdout_is_one_message_and_names_the_run(fleet: Fleet, form):
    code, _, err = run(fleet, "upgrade", *form, out="/dev/full")

    assert code == 5
    assert "standard output: No space left on device" in err
    assert "orchestrator show 1" in err
    assert "Traceback" not in err
    assert "internal error" not in err
    assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)


@pytest.mark.parametrize("command", [("status", "-o", "json"), ("targets",), ("--help",)])
def test_so_it_is_for_what_only_reads(fleet: Fleet, command):
    code, _, err = run(fleet, *command, out="/dev/full")

    assert (code, err.count("error:")) == (5, 1), err
    assert "No space left on device" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_a_full_disk_under_stderr_leaves_the_run_alone(fleet: Fleet):
    code, out, _ = run(fleet, "upgrade", err="/dev/full")

    assert code == 5
    assert "3 targets: 3 done" in out
    assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)


@pytest.mark.parametrize("form", [(), ("-o", "json")])
def test_a_full_disk_under_the_events_is_told_and_leaves_the_run_alone(fleet: Fleet, form):
    code, out, err = run(fleet, "upgrade", "--events", "/dev/full", *form)

    assert code == 5
    assert err.count("error:") == 1
    assert "--events /dev/full: No space left on device" in err
    assert "orchestrator show 1" in err
    assert "done" in out
    assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)


def test_a_terminal_that_goes_away_pauses_the_run(fleet: Fleet):
    """A hang-up reaches the whole process group, workers too, and writing to it fails."""
    go = fleet.project.folder / "go"
    begun = fleet.project.folder / "begun"
    text = f"open({str(begun)!r}, 'w').close()\n" + HELD.format(str(go)) + CREATE
    fleet.project.revision("a1", None, text)
    program = str(Path(sys.executable).with_name("orchestrator"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program, "upgrade"],
        cwd=fleet.project.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # As of a terminal, also where the tests themselves run under nohup.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    os.close(theirs)
    try:
        wait_until(begun.exists)
        os.killpg(process.pid, signal.SIGHUP)
        os.close(ours)
        go.touch()
        assert process.wait(60) == 130
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    heads = [fleet.rows(t, "SELECT count(*) FROM sqlite_master")[0][0] for t in fleet.tenants]
    assert [bool(count) for count in heads] == [True, False, False], "it finished what ran"
    assert fleet.project.run("resume", "-o", "json").states() == {
        f"prod/app/{tenant}": "done" for tenant in fleet.tenants
    }


def test_nohup_keeps_its_meaning(fleet: Fleet):
    go = fleet.project.folder / "go"
    begun = fleet.project.folder / "begun"
    text = f"open({str(begun)!r}, 'w').close()\n" + HELD.format(str(go)) + CREATE
    fleet.project.revision("a1", None, text)
    program = str(Path(sys.executable).with_name("orchestrator"))
    command = ["nohup", program, "upgrade"]
    process = subprocess.Popen(
        command,
        cwd=fleet.project.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(begun.exists)
        os.killpg(process.pid, signal.SIGHUP)
        go.touch()
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    assert all(fleet.heads(tenant) == ["a1"] for tenant in fleet.tenants)

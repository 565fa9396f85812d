"""Worker processes: whatever becomes of one costs only its own job."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import forkserver
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from orchestrator.engines.base import CannotStart, Finished, Lost, Message
from orchestrator.engines.local import LocalEngine
from tests.engines.jobs import EngineEvent, pids_of, run, serve
from tests.project_folder import wait_until


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(
        serve, ("hello",), size=3, is_final=lambda content: content[0] == "done"
    ) as engine:
        yield engine


def alive(pids: Iterable[int]) -> set[int]:
    """Which of these processes have not ended."""
    return {pid for pid in pids if not _ended(Path(f"/proc/{pid}/stat"))}


def _ended(stat: Path) -> bool:
    try:
        return ") Z" in stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def one_at_a_time(engine: LocalEngine, kinds: str) -> list[int]:
    """Run a job of each kind in turn, and return which process did each."""
    jobs = {f"{n} of {kind}": ("talk", 0) for n, kind in enumerate(kinds)}
    return pids_of(run(engine, jobs, at_once=1))


@pytest.fixture
def new_engine() -> Iterator[Callable[[int], LocalEngine]]:
    """Make a engine of a size."""
    with ExitStack() as stack:
        yield lambda size: stack.enter_context(
            LocalEngine(serve, ("hi",), size=size, is_final=lambda content: content[0] == "done")
        )


def test_every_job_ends_once_and_workers_are_used_again(engine: LocalEngine) -> None:
    told = run(engine, {f"job {n}": ("talk", n) for n in range(12)})

    pids = set()
    for number, events in enumerate(told.values()):
        *words, last = events
        assert [w.content for w in words] == [("word", n) for n in range(number)]
        assert isinstance(last, Finished)
        assert last.content[1][0] == "hello"
        pids.add(last.content[1][1])
    assert len(pids) <= 3


def test_a_worker_that_leaves_a_child_is_missed_at_once(engine: LocalEngine) -> None:
    began = time.monotonic()
    word, lost = run(engine, {"parent": ("fork", 20)})["parent"]

    assert isinstance(word, Message)
    assert isinstance(lost, Lost)
    assert "exit code 3" in lost.reason
    assert time.monotonic() - began < 15


def test_a_worker_that_is_told_lost_with_the_fork_server_works_no_more(engine: LocalEngine) -> None:
    first = run(engine, {"a": ("talk", 0)})["a"][-1]
    assert isinstance(first, Finished)
    worker = first.content[1][1]
    engine.submit("b", ("sleep", 60), 100, kind="")
    server: Any = forkserver
    os.kill(server._forkserver._forkserver_pid, signal.SIGKILL)

    events: list[EngineEvent] = []
    while not events:
        events = engine.wait(5)

    assert isinstance(events[0], Lost)
    wait_until(lambda: not alive([worker]))
    assert isinstance(run(engine, {"c": ("talk", 0)})["c"][-1], Finished)


@contextmanager
def fork_servers_killed(times: int) -> Iterator[None]:
    """Kill the fork server, then the next ones, each while it imports what it preloads."""
    server: Any = forkserver
    killed: list[int] = []
    over = Event()

    def kill() -> None:
        killed.append(server._forkserver._forkserver_pid)
        os.kill(killed[-1], signal.SIGKILL)

    def kill_the_next() -> None:
        while len(killed) <= times and not over.is_set():
            if server._forkserver._forkserver_pid not in {None, *killed}:
                time.sleep(0.2)
                kill()
            time.sleep(0.01)

    kill()
    killer = Thread(target=kill_the_next)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


@pytest.fixture
def slow_engine() -> Iterator[LocalEngine]:
    preload = ("tests.engines.slow_to_import",)
    with LocalEngine(
        serve, ("hello",), size=2, is_final=lambda c: c[0] == "done", preload=preload
    ) as engine:
        run(engine, {"a of one": ("talk", 0)})
        yield engine


def test_a_fork_server_that_dies_while_it_starts_a_worker_is_replaced(
    slow_engine: LocalEngine,
) -> None:
    with fork_servers_killed(1):
        assert isinstance(run(slow_engine, {"b of two": ("talk", 0)})["b of two"][-1], Finished)


def test_fork_servers_that_all_die_are_told(slow_engine: LocalEngine) -> None:
    told = pytest.raises(CannotStart, match="no more worker processes can be started")
    with fork_servers_killed(3), told:
        slow_engine.submit("b", ("talk", 0), 30, kind="two")


def test_a_worker_that_closes_its_pipe_is_stopped(engine: LocalEngine) -> None:
    (lost,) = run(engine, {"mute": ("close", None)})["mute"]
    assert isinstance(lost, Lost)


def test_a_worker_that_dies_idle_is_replaced(engine: LocalEngine) -> None:
    first = run(engine, {"a": ("talk", 0)})["a"][-1]
    assert isinstance(first, Finished)
    os.kill(first.content[1][1], signal.SIGKILL)

    told = run(engine, {"b": ("talk", 0), "c": ("talk", 0)})

    # It may be given the job before its end is noticed; then the job is lost, and told so.
    assert all(isinstance(events[-1], Finished | Lost) for events in told.values())
    assert isinstance(run(engine, {"d": ("talk", 0)})["d"][-1], Finished)


def test_a_worker_is_replaced_after_its_share_of_jobs(
    monkeypatch: pytest.MonkeyPatch, new_engine: Callable[[int], LocalEngine]
) -> None:
    monkeypatch.setattr("orchestrator.engines.local._MAX_JOBS_PER_WORKER", 3)

    pids = one_at_a_time(new_engine(1), "aaaaaaa")

    assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6]


@pytest.mark.parametrize(("size", "kinds"), [(1, "abcde"), (2, "abcdef"), (5, "abcdefghij")])
def test_kinds_that_take_turns_find_their_worker_again(
    new_engine: Callable[[int], LocalEngine], size: int, kinds: str
) -> None:
    pids = one_at_a_time(new_engine(size), kinds * 3)

    assert pids == pids[: len(kinds)] * 3
    assert len(alive(pids)) == len(kinds)


@pytest.mark.parametrize(("size", "most"), [(1, 5), (4, 8), (6, 12)])
def test_the_number_of_processes_is_bounded(
    new_engine: Callable[[int], LocalEngine], size: int, most: int
) -> None:
    engine = new_engine(size)
    pids: set[int] = set()
    for turn in range(6):  # each time as many at once as may be, all of kinds that were not there
        jobs = {f"job of {turn}-{n}": ("talk", 0) for n in range(size)}
        pids |= set(pids_of(run(engine, jobs, at_once=size)))
        assert len(alive(pids)) <= most

    assert len(pids) == 6 * size
    engine.close()
    assert not alive(pids)


def test_the_worker_that_was_idle_longest_is_retired(
    new_engine: Callable[[int], LocalEngine],
) -> None:
    engine = new_engine(1)
    a, b, c, d, e, again = one_at_a_time(engine, "abcdea")
    assert again == a

    (f,) = one_at_a_time(engine, "f")

    assert alive([a, b, c, d, e, f]) == {a, c, d, e, f}
    assert one_at_a_time(engine, "acdef") == [a, c, d, e, f]
    (new,) = one_at_a_time(engine, "b")
    assert new != b
    assert alive([a, c, d, e, f]) == {c, d, e, f}


def test_a_busy_worker_is_never_retired(new_engine: Callable[[int], LocalEngine]) -> None:
    engine = new_engine(2)
    engine.submit("long", ("sleep", 2), 100, kind="long")

    ends: list[EngineEvent] = []
    for number in range(8):
        engine.submit(f"{number}", ("talk", 0), 30, kind=f"{number}")
        while f"{number}" not in {event.key for event in ends}:
            ends += engine.wait(5)
    while "long" not in {event.key for event in ends}:
        ends += engine.wait(5)

    assert all(isinstance(end, Finished) for end in ends)
    assert len(ends) == 9


def test_an_answer_to_a_worker_that_died_is_quiet(engine: LocalEngine) -> None:
    engine.submit("it", ("kill", signal.SIGKILL), 30, kind="")
    wait_until(lambda: not engine._workers[0].process.is_alive())
    engine.answer("it", "go")
    assert isinstance(engine.wait(5)[-1], Lost)


def test_a_worker_whose_asker_was_killed_at_once_says_nothing() -> None:
    # As in the fork server: its child reads what it is for from somebody who is gone.
    program = """
import multiprocessing.forkserver, os, sys
import orchestrator.worker.preload
from multiprocessing import spawn
reading, writing = os.pipe()
os.close(writing)
try:
    spawn._main(reading, 0)
except Exception:
    sys.excepthook(*sys.exc_info())
try:
    raise EOFError("another one")
except Exception:
    sys.excepthook(*sys.exc_info())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0
    assert ran.stderr.count("Traceback") == 1
    assert "another one" in ran.stderr

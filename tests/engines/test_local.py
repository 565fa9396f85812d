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
from orchestrator.engines.base import Event as EngineEvent
from orchestrator.engines.local import LocalEngine
from tests.workshop import wait_until


def serve(pipe: Any, greeting: str) -> None:
    """Do what each job says."""
    while True:
        deed, value = pipe.recv()
        if deed in ("talk", "ask"):
            for word in range(value):
                pipe.send(("word", word))
            deed = pipe.recv() if deed == "ask" else deed
        elif deed == "sleep":
            time.sleep(value)
        elif deed == "exit":
            os._exit(value)
        elif deed == "kill":
            os.kill(os.getpid(), value)
        elif deed == "fork":
            if not os.fork():
                time.sleep(value)
                os._exit(0)
            pipe.send(("word", "forked"))
            os._exit(3)
        elif deed == "close":
            pipe.close()
            time.sleep(60)
        pipe.send(("done", (greeting, os.getpid(), deed)))


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(
        serve, ("hello",), size=3, is_last=lambda content: content[0] == "done"
    ) as engine:
        yield engine


def run(
    engine: LocalEngine, jobs: dict[str, tuple[str, Any]], timeout: float = 30, *, at_once: int = 3
) -> dict[str, list[EngineEvent]]:
    """Run jobs, whose kind is what follows "of" in their key, and return the events of each."""
    told: dict[str, list[EngineEvent]] = {key: [] for key in jobs}
    waiting = list(jobs)
    ended = 0
    while ended < len(jobs):
        while waiting and engine.busy < at_once:
            key = waiting.pop(0)
            engine.submit(key, jobs[key], timeout, kind=_kind(key))
        for event in engine.wait(5):
            told[event.key].append(event)
            ended += not isinstance(event, Message)
    return told


def _kind(key: str) -> str:
    return key.partition(" of ")[2]


def pids_of(told: dict[str, list[EngineEvent]]) -> list[int]:
    """Which process did each job."""
    ends = [events[-1] for events in told.values()]
    assert all(isinstance(end, Finished) for end in ends), ends
    return [end.content[1][1] for end in ends if isinstance(end, Finished)]


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
            LocalEngine(serve, ("hi",), size=size, is_last=lambda content: content[0] == "done")
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


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (("exit", 0), "exit code 0"),
        (("exit", 3), "exit code 3"),
        (("kill", signal.SIGKILL), "killed by SIGKILL"),
        (("kill", signal.SIGSEGV), "killed by SIGSEGV"),
    ],
)
def test_a_worker_that_ends_costs_its_own_job(engine: LocalEngine, deed: Any, words: str) -> None:
    told = run(engine, {"a": ("talk", 1), "bad": deed, "b": ("talk", 1), "c": ("talk", 2)})

    (lost,) = told.pop("bad")
    assert isinstance(lost, Lost)
    assert words in lost.reason
    assert not lost.timed_out
    assert all(isinstance(events[-1], Finished) for events in told.values())


def test_a_worker_that_overruns_its_time_is_stopped(engine: LocalEngine) -> None:
    began = time.monotonic()
    told = run(engine, {"slow": ("sleep", 60)}, timeout=0.5)

    (lost,) = told["slow"]
    assert isinstance(lost, Lost)
    assert lost.timed_out
    assert time.monotonic() - began < 50
    assert isinstance(run(engine, {"next": ("talk", 0)})["next"][-1], Finished)


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
        serve, ("hello",), size=2, is_last=lambda c: c[0] == "done", preload=preload
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


def test_kill_stops_all_and_names_what_was_running(engine: LocalEngine) -> None:
    for key in ("a", "b"):
        engine.submit(key, ("sleep", 60), 100, kind="")

    assert sorted(lost.key for lost in engine.kill()) == ["a", "b"]
    assert engine.busy == 0


def test_more_jobs_than_workers_is_a_bug_of_the_caller(engine: LocalEngine) -> None:
    for key in ("a", "b", "c"):
        engine.submit(key, ("sleep", 1), 100, kind="")

    with pytest.raises(RuntimeError, match="more jobs than workers"):
        engine.submit("d", ("sleep", 1), 100, kind="")
    engine.kill()


def test_a_worker_is_replaced_after_its_share_of_jobs(
    monkeypatch: pytest.MonkeyPatch, new_engine: Callable[[int], LocalEngine]
) -> None:
    monkeypatch.setattr("orchestrator.engines.local._JOBS_PER_WORKER", 3)

    pids = one_at_a_time(new_engine(1), "aaaaaaa")

    assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6]


def test_no_worker_gets_jobs_of_two_kinds(engine: LocalEngine) -> None:
    told = run(engine, {f"{n} of {'abcde'[n % 5]}": ("talk", 0) for n in range(60)})

    served: dict[int, set[str]] = {}
    for key, pid in zip(told, pids_of(told), strict=True):
        served.setdefault(pid, set()).add(_kind(key))
    assert all(len(kinds) == 1 for kinds in served.values())
    assert {kind for kinds in served.values() for kind in kinds} == set("abcde")


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


def test_a_worker_that_asks_is_answered_and_nobody_else(engine: LocalEngine) -> None:
    for key in ("one", "two"):
        engine.submit(key, ("ask", 1), 30, kind="")
    told: dict[str, Any] = {}
    while len(told) < 2:
        for event in engine.wait(5):
            if isinstance(event, Message):
                engine.answer("nobody", "never")
                engine.answer(event.key, f"go, {event.key}")
            else:
                told[event.key] = event.content[1][2]  # type: ignore[union-attr]  # it is Finished
    assert told == {"one": "go, one", "two": "go, two"}
    engine.answer("one", "too late")  # it works on nothing any more


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

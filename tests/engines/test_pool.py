"""Worker processes: whatever becomes of one costs only its own job."""

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines.pool import Event, Finished, Lost, Message, Pool
from tests.workshop import wait_until


def serve(pipe: Any, greeting: str) -> None:
    """Do what each job says."""
    while True:
        deed, value = pipe.recv()
        if deed == "talk":
            for word in range(value):
                pipe.send(("word", word))
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
def pool() -> Iterator[Pool]:
    with Pool(serve, ("hello",), size=3, is_last=lambda content: content[0] == "done") as pool:
        yield pool


def run(
    pool: Pool, jobs: dict[str, tuple[str, Any]], timeout: float = 30
) -> dict[str, list[Event]]:
    """Run jobs, three at once, and return the events of each."""
    told: dict[str, list[Event]] = {key: [] for key in jobs}
    waiting = list(jobs)
    ended = 0
    while ended < len(jobs):
        while waiting and pool.busy < 3:
            key = waiting.pop(0)
            pool.submit(key, jobs[key], timeout)
        for event in pool.wait(5):
            told[event.key].append(event)
            ended += not isinstance(event, Message)
    return told


def test_every_job_ends_once_and_workers_are_used_again(pool: Pool) -> None:
    told = run(pool, {f"job {n}": ("talk", n) for n in range(12)})

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
def test_a_worker_that_ends_costs_its_own_job(pool: Pool, deed: Any, words: str) -> None:
    told = run(pool, {"a": ("talk", 1), "bad": deed, "b": ("talk", 1), "c": ("talk", 2)})

    (lost,) = told.pop("bad")
    assert isinstance(lost, Lost)
    assert words in lost.reason
    assert not lost.timed_out
    assert all(isinstance(events[-1], Finished) for events in told.values())


def test_a_worker_that_overruns_its_time_is_stopped(pool: Pool) -> None:
    began = time.monotonic()
    told = run(pool, {"slow": ("sleep", 60)}, timeout=0.5)

    (lost,) = told["slow"]
    assert isinstance(lost, Lost)
    assert lost.timed_out
    assert time.monotonic() - began < 50
    assert isinstance(run(pool, {"next": ("talk", 0)})["next"][-1], Finished)


def test_a_worker_that_leaves_a_child_is_missed_at_once(pool: Pool) -> None:
    began = time.monotonic()
    word, lost = run(pool, {"parent": ("fork", 20)})["parent"]

    assert isinstance(word, Message)
    assert isinstance(lost, Lost)
    assert "exit code 3" in lost.reason
    assert time.monotonic() - began < 15


def test_a_worker_that_is_told_lost_with_the_fork_server_works_no_more(pool: Pool) -> None:
    first = run(pool, {"a": ("talk", 0)})["a"][-1]
    assert isinstance(first, Finished)
    worker = Path(f"/proc/{first.content[1][1]}/stat")
    pool.submit("b", ("sleep", 60), 100)
    server: Any = forkserver
    os.kill(server._forkserver._forkserver_pid, signal.SIGKILL)

    events: list[Event] = []
    while not events:
        events = pool.wait(5)

    assert isinstance(events[0], Lost)
    wait_until(lambda: not worker.exists() or ") Z" in worker.read_text())
    assert isinstance(run(pool, {"c": ("talk", 0)})["c"][-1], Finished)


def test_a_worker_that_closes_its_pipe_is_stopped(pool: Pool) -> None:
    (lost,) = run(pool, {"mute": ("close", None)})["mute"]
    assert isinstance(lost, Lost)


def test_a_worker_that_dies_idle_is_replaced(pool: Pool) -> None:
    first = run(pool, {"a": ("talk", 0)})["a"][-1]
    assert isinstance(first, Finished)
    os.kill(first.content[1][1], signal.SIGKILL)

    told = run(pool, {"b": ("talk", 0), "c": ("talk", 0)})

    # It may be given the job before its end is noticed; then the job is lost, and told so.
    assert all(isinstance(events[-1], Finished | Lost) for events in told.values())
    assert isinstance(run(pool, {"d": ("talk", 0)})["d"][-1], Finished)


def test_kill_stops_all_and_names_what_was_running(pool: Pool) -> None:
    for key in ("a", "b"):
        pool.submit(key, ("sleep", 60), 100)

    assert sorted(lost.key for lost in pool.kill()) == ["a", "b"]
    assert pool.busy == 0


def test_more_jobs_than_workers_is_a_bug_of_the_caller(pool: Pool) -> None:
    for key in ("a", "b", "c"):
        pool.submit(key, ("sleep", 1), 100)

    with pytest.raises(RuntimeError, match="more jobs than workers"):
        pool.submit("d", ("sleep", 1), 100)
    pool.kill()


def test_a_worker_is_replaced_after_its_share_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.engines.pool._JOBS_PER_WORKER", 3)
    with Pool(serve, ("hi",), size=1, is_last=lambda content: content[0] == "done") as pool:
        pids = []
        for number in range(7):
            pool.submit(f"{number}", ("talk", 0), 30)
            events: list[Event] = []
            while not events:
                events = pool.wait(5)
            assert isinstance(events[-1], Finished)
            pids.append(events[-1].content[1][1])
    assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6]

"""What every engine guarantees: ``engines/base.py``, held against each that there is."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engines.base import Engine, Finished, Lost, Message
from orchestrator.engines.local import LocalEngine
from tests.engines.cluster import Cluster, new_cluster
from tests.engines.dask_jobs import jobs_program, on_cluster
from tests.engines.jobs import is_final, kind_of, pids_of, run, serve
from tests.engines.one_process_per_job import OneProcessPerJob
from tests.project_folder import wait_until

NewEngine = Callable[[int], Engine]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three workers of one slot each."""
    with new_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        for place in ("a", "b", "c"):
            cluster.start_worker(jobs_program(cluster, place))
        wait_until(lambda: cluster.said().count("connected to") == 3)
        yield cluster


@pytest.fixture(params=["local", "one process per job", "dask"])
def new_engine(request: pytest.FixtureRequest) -> Iterator[NewEngine]:
    """Make an engine of a capacity; a cluster has its own."""
    with ExitStack() as stack:

        def new(size: int) -> Engine:
            if request.param == "dask":
                there: Cluster = request.getfixturevalue("cluster")
                engine: Engine = on_cluster(there)
            else:
                kind = LocalEngine if request.param == "local" else OneProcessPerJob
                engine = kind(serve, ("hello",), size=size, is_final=is_final)
            return stack.enter_context(engine)

        yield new


@pytest.fixture
def engine(new_engine: NewEngine) -> Engine:
    return new_engine(3)


def test_every_job_ends_once_and_its_messages_come_in_order(engine: Engine) -> None:
    told = run(engine, {f"job {n}": ("talk", n) for n in range(9)})

    for number, events in enumerate(told.values()):
        *words, last = events
        assert [w.content for w in words] == [("word", n) for n in range(number)]
        assert isinstance(last, Finished)
        assert last.content[1][0] == "hello"
    assert engine.busy == 0
    assert not engine.wait(0)


def test_a_key_may_come_again_once_it_ended(engine: Engine) -> None:
    for deed in (("talk", 1), ("exit", 1), ("talk", 2)):
        ends = [isinstance(e, Finished | Lost) for e in run(engine, {"it": deed})["it"]]
        assert ends.count(True) == 1
        assert ends[-1]


def test_it_knows_how_many_run_and_may_run(engine: Engine) -> None:
    assert (engine.capacity, engine.busy) == (3, 0)
    for key in ("a", "b", "c"):
        engine.submit(key, ("sleep", 60), 100, kind="")
    assert engine.busy == 3
    with pytest.raises(RuntimeError, match="more jobs than workers"):
        engine.submit("d", ("sleep", 1), 100, kind="")
    assert engine.busy == 3


@pytest.mark.parametrize(
    "deed", [("exit", 0), ("exit", 3), ("kill", signal.SIGKILL), ("kill", signal.SIGSEGV)]
)
def test_a_worker_that_ends_costs_its_own_job(engine: Engine, deed: Any) -> None:
    told = run(engine, {"a": ("talk", 1), "bad": deed, "b": ("talk", 1), "c": ("talk", 2)})

    (lost,) = told.pop("bad")
    assert isinstance(lost, Lost)
    assert lost.reason
    assert not lost.timed_out
    assert all(isinstance(events[-1], Finished) for events in told.values())


def test_a_worker_that_overruns_its_time_is_stopped(engine: Engine, tmp_path: Path) -> None:
    written = tmp_path / "written"
    (lost,) = run(engine, {"slow": ("write", (str(written), 3))}, timeout=1.5)["slow"]

    assert isinstance(lost, Lost)
    assert lost.timed_out
    time.sleep(2.5)
    assert not written.exists(), "what is lost executes nothing more"
    assert isinstance(run(engine, {"slow": ("talk", 0)})["slow"][-1], Finished)


def test_no_worker_gets_jobs_of_two_kinds(engine: Engine) -> None:
    told = run(engine, {f"{n} of {'abcde'[n % 5]}": ("talk", 0) for n in range(20)})

    served: dict[int, set[str]] = {}
    for key, pid in zip(told, pids_of(told), strict=True):
        served.setdefault(pid, set()).add(kind_of(key))
    assert all(len(kinds) == 1 for kinds in served.values())
    assert {kind for kinds in served.values() for kind in kinds} == set("abcde")


def test_a_worker_that_asks_is_answered_and_nobody_else(engine: Engine) -> None:
    for key in ("one", "two"):
        engine.submit(key, ("ask", 1), 30, kind="")
    told: dict[str, Any] = {}
    while len(told) < 2:
        for event in engine.wait(5):
            if isinstance(event, Message):
                engine.answer("nobody", "never")
                engine.answer(event.key, f"go, {event.key}")
            else:
                assert isinstance(event, Finished)
                told[event.key] = event.content[1][2]
    assert told == {"one": "go, one", "two": "go, two"}
    engine.answer("one", "too late")  # it works on nothing any more


def test_kill_stops_all_and_names_what_was_running(engine: Engine, tmp_path: Path) -> None:
    for key in ("a", "b"):
        engine.submit(key, ("write", (str(tmp_path / key), 3)), 100, kind="")

    assert sorted(lost.key for lost in engine.kill()) == ["a", "b"]

    assert engine.busy == 0
    assert not engine.wait(3.5)
    assert not list(tmp_path.iterdir())
    assert isinstance(run(engine, {"a": ("talk", 0)})["a"][-1], Finished)


def test_close_stops_what_still_works(new_engine: NewEngine, tmp_path: Path) -> None:
    engine = new_engine(2)
    engine.submit("a", ("write", (str(tmp_path / "a"), 3)), 100, kind="")
    engine.close()

    time.sleep(3.5)
    assert not list(tmp_path.iterdir())


def test_waiting_ends_as_soon_as_anything_happened(engine: Engine) -> None:
    run(engine, {"warm": ("talk", 0)})
    began = time.monotonic()
    engine.submit("it", ("talk", 0), 100, kind="")
    while not engine.wait(60):
        pass
    assert time.monotonic() - began < 50


def test_jobs_run_elsewhere(engine: Engine) -> None:
    assert os.getpid() not in pids_of(run(engine, {"it": ("talk", 0)}))

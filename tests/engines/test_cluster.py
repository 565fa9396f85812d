"""A cluster's engine: places, workers that come and go, a scheduler that dies, silence."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from orchestrator.engines import dask_worker, wire
from orchestrator.engines.base import CannotStart, EngineEvent, Finished, Lost, Message, Nobody
from orchestrator.engines.dask_engine import DaskEngine, NoCluster
from orchestrator.engines.dask_here import cluster_here
from orchestrator.engines.dask_worker import EVERYBODY, offering, without_pages
from orchestrator.engines.host import Host
from tests.engines.cluster import Cluster, new_cluster
from tests.engines.dask_jobs import SERVICE, jobs_program, on_cluster, pack
from tests.engines.jobs import pids_of, run
from tests.project_folder import wait_until


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with new_cluster(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def there(cluster: Cluster, *places: str, slots: int = 1) -> None:
    """Start a worker in each place, and wait until all are there."""
    before = cluster.said().count("connected to")
    for place in places:
        cluster.start_worker(jobs_program(cluster, place, slots))
    wait_until(lambda: cluster.said().count("connected to") == before + len(places))


def until(engine: DaskEngine, key: str, kind: type[Any]) -> list[EngineEvent]:
    """Return what happens until something of a kind happens to a key."""
    found: list[EngineEvent] = []
    while not any(event.key == key and isinstance(event, kind) for event in found):
        found += engine.wait(30)
    return found


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_job_runs_in_its_place(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu", "us", slots=2)
    engine = stack.enter_context(on_cluster(cluster))

    assert [(about.name, about.place, about.slots) for about in engine.hosts] == [
        ("eu-host", "eu", 2),
        ("us-host", "us", 2),
    ]
    assert (engine.capacity, engine.capacity_of("eu"), engine.capacity_of("asia")) == (4, 2, 0)
    for key in ("a", "b"):
        engine.submit(key, ("sleep", 60), 100, kind="", place="eu")
    assert (engine.room("eu"), engine.room("us"), engine.room(None)) == (0, 2, 2)
    with pytest.raises(RuntimeError, match="more jobs than workers"):
        engine.submit("c", ("talk", 0), 100, kind="", place="eu")
    with pytest.raises(Nobody, match=r"no worker of place asia; start one: .* --place asia"):
        engine.submit("c", ("talk", 0), 100, kind="", place="asia")
    (parent,) = {parent_of(pid) for pid in pids_of(run(engine, {"c": ("talk", 0)}, at_once=9))}
    assert parent != os.getpid()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_nobody_connects_to_a_worker(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu", "us")
    engine = stack.enter_context(on_cluster(cluster))
    told = run(engine, {f"{n}": ("talk", 2) for n in range(4)}, at_once=2)
    assert len(told) == 4

    port = int(cluster.address.rpartition(":")[2])
    for worker in cluster.workers:
        connected = [c for c in psutil.Process(worker.pid).net_connections() if c.raddr]
        assert {c.raddr.port for c in connected} == {port}
    inward = psutil.Process(cluster.scheduler.pid).net_connections()
    assert {c.laddr.port for c in inward if c.raddr} == {port}


def test_workers_come_and_go(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster))
    engine.submit("a", ("ask", 1), 100, kind="")
    until(engine, "a", Message)

    cluster.workers[0].kill()
    (lost,) = [event for event in until(engine, "a", Lost) if isinstance(event, Lost)]

    assert "gone from the cluster (eu-host)" in lost.reason
    assert (engine.busy, engine.capacity) == (0, 0)
    with pytest.raises(CannotStart):
        engine.submit("a", ("talk", 0), 100, kind="")
    there(cluster, "eu")
    wait_until(lambda: engine.wait(0.1) == [] and engine.capacity == 1)
    assert isinstance(run(engine, {"a": ("talk", 0)})["a"][-1], Finished)


def test_a_scheduler_that_dies_is_told_and_its_workers_start_nothing(
    cluster: Cluster, stack: ExitStack
) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster))
    (pid,) = pids_of(run(engine, {"a": ("talk", 0)}))
    engine.submit("a", ("ask", 1), 100, kind="")
    until(engine, "a", Message)

    cluster.scheduler.kill()
    (lost,) = [event for event in until(engine, "a", Lost) if isinstance(event, Lost)]

    assert f"the scheduler at {cluster.address} can't be reached" in lost.reason
    with pytest.raises(CannotStart, match="can't be reached"):
        engine.submit("b", ("talk", 0), 100, kind="")
    wait_until(lambda: not alive(pid))  # it was not answered, and ended
    wait_until(lambda: "connection to the scheduler is lost" in cluster.said())
    assert "Traceback" not in cluster.said()
    with pytest.raises(NoCluster, match="can't be reached"):
        on_cluster(cluster)


DRIVER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from types import SimpleNamespace
from tests.engines.cluster import Certificates
from tests.engines.dask_jobs import on_cluster
address, ca, cert, key = sys.argv[1:]
files = Certificates(Path(ca), Path(cert), Path(key))
engine = on_cluster(SimpleNamespace(address=address, certificates=files), patience=2)
engine.submit("a", ("ask", 1), 100, kind="")
while True:
    for event in engine.wait(1):
        print(event, flush=True)
    if not engine.busy and engine.room(None):
        engine.submit("a", ("talk", 0), 100, kind="")
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
def test_an_engine_that_falls_silent_is_let_go(
    cluster: Cluster, stack: ExitStack, sent: signal.Signals
) -> None:
    there(cluster, "eu")
    files = cluster.certificates
    arguments = [cluster.address, *map(str, (files.ca, files.cert, files.key))]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments], stdout=subprocess.PIPE, text=True
    )
    stack.enter_context(driver)
    stack.callback(driver.kill)
    assert driver.stdout is not None
    assert "Message" in driver.stdout.readline()
    os.kill(driver.pid, sent)

    other = stack.enter_context(on_cluster(cluster))
    told = run(other, {"b": ("talk", 1)}, timeout=60)["b"]

    assert isinstance(told[-1], Finished)
    if sent is signal.SIGSTOP:
        os.kill(driver.pid, signal.SIGCONT)
        assert "Lost" in driver.stdout.readline()
        assert "Finished" in driver.stdout.readline()


def test_a_worker_without_jobs_stays_at_hand(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster, patience=2))

    for key in ("a", "b"):
        time.sleep(5)
        assert isinstance(run(engine, {key: ("talk", 0)})[key][-1], Finished)


@pytest.mark.parametrize(
    ("deed", "why"), [("unreadable", "nobody can read it"), ("unsendable", "can't be sent")]
)
def test_an_answer_that_does_not_travel_costs_its_own_job(
    cluster: Cluster, stack: ExitStack, deed: str, why: str
) -> None:
    there(cluster, "east")
    engine = stack.enter_context(on_cluster(cluster))

    engine.submit("one", (deed, 0), 30, kind="")
    *_, lost = until(engine, "one", Lost)
    assert isinstance(lost, Lost)
    assert why in lost.reason
    engine.submit("two", ("talk", 0), 30, kind="")
    assert until(engine, "two", Finished)


def test_a_worker_that_hangs_keeps_nobody(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu", "us")
    os.kill(cluster.workers[1].pid, signal.SIGSTOP)
    engine = stack.enter_context(on_cluster(cluster, patience=3))

    assert isinstance(run(engine, {"a": ("sleep", 8)})["a"][-1], Finished)
    assert [about.name for about in engine.hosts] == ["eu-host"]

    os.kill(cluster.workers[1].pid, signal.SIGCONT)
    wait_until(lambda: engine.wait(0.1) == [] and engine.capacity == 2)


def test_a_worker_that_was_started_again_at_its_address_is_another_one(
    cluster: Cluster, stack: ExitStack
) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster))
    engine.submit("a", ("ask", 1), 100, kind="")
    until(engine, "a", Message)
    (address,), (about,) = engine._hosts, engine.hosts

    again = wire.Introduction(address, replace(about, host="another life"))
    engine._client.log_event(EVERYBODY, [wire.packed(again)])

    (lost,) = [event for event in until(engine, "a", Lost) if isinstance(event, Lost)]
    assert "was started again" in lost.reason
    assert engine.hosts[0].host == "another life"


def test_a_host_does_not_say_what_it_is_before_it_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    call = wire.packed(wire.RollCall("too early"))
    said: list[tuple[str, list[str]]] = []
    loop = SimpleNamespace(add_callback=lambda *_: None)
    worker: Any = SimpleNamespace(
        scheduler=SimpleNamespace(address="tcp://s:1"),
        security=None,
        address="tcp://w:1",
        loop=loop,
        log_event=lambda topic, texts: said.append((topic, texts)),
    )

    async def client(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(id="its topic")

    async def listen(_: Any, __: Any, everybody: Any) -> None:
        everybody([call])

    monkeypatch.setattr(dask_worker, "new_client", client)
    monkeypatch.setattr(dask_worker, "listen", listen)
    monkeypatch.setattr(dask_worker, "_of_client", lambda of: of)
    host = new_host()
    try:
        asyncio.run(dask_worker.offer(worker, host))
    finally:
        host.close()

    ((topic, (text,)),) = said
    introduction = wire.told(text)
    assert topic == EVERYBODY
    assert isinstance(introduction, wire.Introduction)
    assert introduction.about.topic == "its topic"


def test_two_engines_take_turns(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu")
    one, two = (stack.enter_context(on_cluster(cluster)) for _ in range(2))
    one.submit("a", ("ask", 1), 100, kind="")
    until(one, "a", Message)

    two.submit("b", ("talk", 1), 100, kind="")
    assert not two.wait(1)
    one.answer("a", "go")
    until(one, "a", Finished)
    assert isinstance(until(two, "b", Finished)[-1], Finished)


def test_no_process_works_for_two_engines(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu")
    one = stack.enter_context(on_cluster(cluster, patience=2))
    pids = [*pids_of(run(one, {"a": ("talk", 0)})), *pids_of(run(one, {"b": ("talk", 0)}))]
    one.close()
    two = stack.enter_context(on_cluster(cluster))

    assert pids[0] == pids[1]
    assert pids_of(run(two, {"a": ("talk", 0)})) != pids[:1]
    wait_until(lambda: not alive(pids[0]))  # what the first one left behind


def test_a_stopped_worker_is_given_up_until_it_wakes(cluster: Cluster, stack: ExitStack) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster, patience=3))
    engine.submit("a", ("ask", 1), 100, kind="")
    until(engine, "a", Message)

    os.kill(cluster.workers[0].pid, signal.SIGSTOP)
    (lost,) = [event for event in until(engine, "a", Lost) if isinstance(event, Lost)]
    assert "has said nothing for too long" in lost.reason
    assert engine.capacity == 0
    with pytest.raises(Nobody):
        engine.submit("a", ("talk", 0), 100, kind="")

    os.kill(cluster.workers[0].pid, signal.SIGCONT)
    wait_until(lambda: engine.wait(0.1) == [] and engine.capacity == 1)
    assert isinstance(run(engine, {"a": ("talk", 0)})["a"][-1], Finished)


def test_a_worker_of_every_place_takes_what_no_other_can(
    cluster: Cluster, stack: ExitStack
) -> None:
    there(cluster, "eu", "*")
    engine = stack.enter_context(on_cluster(cluster))
    rooms = [engine.room("eu"), engine.room("asia"), engine.room("asia", ["eu", "eu"])]
    assert rooms == [2, 1, 0]

    for key, place in (("a", "eu"), ("b", "asia")):
        engine.submit(key, ("sleep", 60), 100, kind="", place=place)

    assert (engine.room("eu"), engine.room(None)) == (0, 0)
    with pytest.raises(RuntimeError, match="more jobs than workers"):
        engine.submit("c", ("talk", 0), 100, kind="", place="eu")


def new_host() -> Host:
    return Host(SERVICE, "here", "*", 2)


def listening() -> set[str]:
    """The addresses on which this process listens."""
    found = psutil.Process().net_connections()
    return {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN}


def test_a_cluster_of_this_process_takes_jobs_of_every_place() -> None:
    before = psutil.Process().net_connections()
    with cluster_here(new_host) as address, DaskEngine(address, SERVICE) as engine:
        assert [(about.name, about.place) for about in engine.hosts] == [("here", "*")]
        engine.submit("a", ("talk", 1), 100, kind="", place="eu")
        assert isinstance(until(engine, "a", Finished)[-1], Finished)
        engine.submit("b", ("sleep", 60), 100, kind="", place="us")
        assert engine.dashboard is None
        assert listening() <= {"127.0.0.1"}
    assert len(psutil.Process().net_connections()) == len(before)
    assert not [p for p in psutil.Process().children() if "sleep" in p.cmdline()]


def test_what_is_wrong_with_a_cluster_of_this_process_is_told() -> None:
    def broken() -> Host:
        raise OSError("no more files")

    with pytest.raises(NoCluster, match=r"no scheduler .* in this process: no more files"):
        cluster_here(broken).__enter__()


def test_without_certificates_a_worker_listens_on_loopback_alone() -> None:
    async def run() -> set[str]:
        from distributed import Scheduler

        with without_pages():
            scheduler = Scheduler(
                host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0"
            )
        async with scheduler, offering(scheduler.address, new_host()):
            return listening()

    assert asyncio.run(run()) == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("shown", "link"),
    [
        (None, "http://127.0.0.1:{}/status"),
        ("${env:DASK_SCHEDULER}", "http://${env:DASK_SCHEDULER}:{}/status"),
        ("tls://${env:DASK_HOST}:8786", "http://${env:DASK_HOST}:{}/status"),
    ],
)
def test_the_link_to_dasks_page_has_the_host_as_people_are_told_of_it(
    cluster: Cluster, shown: str | None, link: str
) -> None:
    security = cluster.certificates.security
    with DaskEngine(cluster.address, SERVICE, shown=shown, security=security) as engine:
        told = engine.dashboard
    assert told is not None
    head, _, tail = link.partition("{}")
    assert told.startswith(head)
    assert told.endswith(tail)


def cut(cluster: Cluster, name: str) -> None:
    """Cut the connection of a client of Dask whose name begins so; it makes another one."""
    from distributed import Client

    async def abort(dask_scheduler: Any = None) -> None:
        for id_, stream in dask_scheduler.client_comms.items():
            if f"-{name}-" in id_:
                stream.comm.abort()

    with Client(cluster.address, security=cluster.certificates.security) as client:
        client.run_on_scheduler(abort)


def test_a_worker_that_may_have_missed_letters_starts_anew(
    cluster: Cluster, stack: ExitStack
) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster))
    engine.submit("a", ("ask", 1), 100, kind="")
    until(engine, "a", Message)

    cut(cluster, "orchestrator-worker")

    (lost,) = [event for event in until(engine, "a", Lost) if isinstance(event, Lost)]
    assert "eu-host" in lost.reason or "let it go" in lost.reason
    wait_until(lambda: cluster.said().count("connected to") == 2)
    wait_until(lambda: engine.wait(0.1) == [] and engine.capacity == 1)
    assert isinstance(run(engine, {"a": ("talk", 0)})["a"][-1], Finished)


def test_an_engine_that_may_have_missed_reports_gives_up(
    cluster: Cluster, stack: ExitStack
) -> None:
    there(cluster, "eu")
    engine = stack.enter_context(on_cluster(cluster, patience=3))
    engine.submit("a", ("ask", 1), 100, kind="")
    until(engine, "a", Message)

    cut(cluster, "orchestrator")

    (lost,) = [event for event in until(engine, "a", Lost) if isinstance(event, Lost)]
    assert "can't be reached: the connection was lost" in lost.reason


def test_a_letter_that_is_lost_is_as_good_as_silence() -> None:
    said: list[wire.Word] = []
    host = Host(SERVICE, "eu-1", None, 1)
    host.start(lambda _, texts: said.extend(wire.told(text).word for text in texts), "topic")

    def put(number: int, order: wire.Order) -> None:
        host.put(wire.packed(wire.Letter("session", host.id, number, 1.0, order)))

    put(0, wire.Submit("a", "", 60, pack(("ask", 1))))
    put(2, wire.Answer("a", pack("go")))
    wait_until(lambda: not put(3, wire.Beat()) and wire.Gone in map(type, said))
    host.close()

    gone = said[-1]
    assert isinstance(gone, wire.Gone)
    assert "heard nothing for too long" in gone.reason
    assert wire.Ended not in map(type, said)

"""A fleet that is upgraded by workers of a Dask cluster, and what of it may die meanwhile."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.engines.cluster import Cluster, new_cluster
from tests.links import Network
from tests.project_folder import ProjectFolder, Started, wait_until
from tests.real.conftest import Fleet

LOG = 'op.create_table("log", sa.Column("n", sa.Integer))'
SAYS = 'op.execute("INSERT INTO log (n) VALUES ({})")'
SLOW = f"time.sleep(0.8)\n{SAYS}"


@pytest.fixture(params=["mariadb", "postgres"])
def fleet(request: pytest.FixtureRequest, new_fleet: Callable[[str], Fleet]) -> Fleet:
    return new_fleet(request.param)


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with new_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def declare(
    fleet: Fleet, cluster: Cluster, targets: int, *bodies: str, patience: str = "60s"
) -> None:
    """Declare a fleet whose even tenants are in the east, and the others in the west."""
    fleet.declare(targets, retries=5)
    file = fleet.project.folder / "environments.toml"
    places = ("east", "west")
    tenants = [{"name": t, "region": places[n % 2]} for n, t in enumerate(fleet.tenants)]
    listed = ", ".join(f'{{ name = "{t["name"]}", region = "{t["region"]}" }}' for t in tenants)
    text = re.sub(r"tenants = .*", f'tenants = [{listed}]\nplace = "{{region}}"', file.read_text())
    of = cluster.certificates
    security = f'{{ ca = "{of.ca}", cert = "{of.cert}", key = "${{file:{of.key}}}" }}'
    fleet.project.environ["SCHEDULER"] = cluster.address
    engine = f'kind = "dask"\nscheduler = "${{env:SCHEDULER}}"\nsecurity = {security}'
    file.write_text(f'{text}\n[engine]\n{engine}\npatience = "{patience}"\n')
    for number, body in enumerate((LOG, *bodies)):
        down = f"r{number - 1}" if number else None
        fleet.project.revision(f"r{number}", down, body)


def worker(fleet: Fleet, place: str, project: ProjectFolder | None = None) -> Started:
    """Start a worker of a place, and wait until it is connected."""
    of = project or fleet.project
    started = of.start("worker", "--place", place, "--slots", "2", "--name", f"{place}-1")
    wait_until(lambda: "connected to" in started.err)
    return started


def assert_done(fleet: Fleet, revisions: int) -> None:
    """Every target is at head, and got each revision once."""
    for tenant in fleet.tenants:
        assert fleet.heads(tenant) == [f"r{revisions}"]
        rows = fleet.rows(tenant, "SELECT n FROM log ORDER BY n")
        assert rows == [(n,) for n in range(1, revisions + 1)], tenant


def test_workers_upgrade_what_is_near_them(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 6, *(SAYS.format(n) for n in (1, 2, 3)), patience="8s")
    worker(fleet, "east")

    paused = fleet.project.run("upgrade", code=6)
    assert (
        "no worker of place west; start one: orchestrator worker --place west"
        in paused.err + paused.out
    )
    west = worker(fleet, "west")
    shown = fleet.project.run("workers", "-o", "json").json["workers"]
    assert [(w["name"], w["place"], w["slots"], w["stale"]) for w in shown] == [
        ("east-1", "east", 2, []),
        ("west-1", "west", 2, []),
    ]
    fleet.project.run("resume")

    assert_done(fleet, 3)
    assert "west-1" in fleet.project.run("workers").out
    assert set(fleet.project.run("status", "-o", "json").states().values()) == {"current"}
    assert fleet.project.run("upgrade", "-o", "json").states().keys() == {
        f"prod/app/{tenant}" for tenant in fleet.tenants
    }
    assert fleet.password not in west.err


def test_workers_that_stay_read_revisions_that_are_new(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 2, SAYS.format(1))
    worker(fleet, "east"), worker(fleet, "west")
    fleet.project.run("upgrade")

    fleet.project.revision("r2", "r1", SAYS.format(2))
    fleet.project.run("upgrade")

    assert_done(fleet, 2)


def test_a_worker_of_dask_does_as_well(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 2, SAYS.format(1))
    of = cluster.certificates
    files = ["--tls-ca-file", str(of.ca), "--tls-cert", str(of.cert), "--tls-key", str(of.key)]
    program = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.address, *files]
    preload = ["--preload", "orchestrator.dispatch.dask_preload"]
    environ = {**os.environ, **fleet.project.environ}
    for place in ("east", "west"):
        options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", *preload]
        ours = ["--place", place, "--slots", "1"]
        command = [*program, *options, *ours]
        cluster.start_worker(command, cwd=fleet.project.folder, env=environ)
    workers = fleet.project.run
    wait_until(lambda: len(workers("workers", "-o", "json").json["workers"]) == 2)

    fleet.project.run("upgrade")

    assert_done(fleet, 1)


def test_another_copy_of_the_project_gets_no_jobs(
    fleet: Fleet, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    declare(fleet, cluster, 2, SAYS.format(1))
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(fleet.project.folder, copy, dirs_exist_ok=True)
    other = ProjectFolder(copy, fleet.project.environ)
    other.revision("r1", "r0", SAYS.format(2))
    worker(fleet, "west")
    worker(fleet, "east", other)

    refused = fleet.project.run("upgrade", code=5)

    assert "worker east-1 has another version of migrations/app" in refused.err
    assert all(not fleet.tables(tenant) for tenant in fleet.tenants)
    assert fleet.project.run("workers").out.count("another migrations/app") == 1


def test_a_worker_is_killed(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 4, SLOW.format(1), SAYS.format(2))
    east, _, _ = worker(fleet, "east"), worker(fleet, "east"), worker(fleet, "west")
    running = fleet.project.start("upgrade")
    wait_until(lambda: "log" in fleet.tables("t000") or "log" in fleet.tables("t002"))
    east.kill()

    ran = running.wait(None)

    if ran.code:  # DDL that commits may be in doubt; then somebody has to look
        assert fleet.ddl_commits, ran
        states = fleet.project.run("show", "last", "-o", "json", code=None)
        assert "in_doubt" in states.out
        return
    assert_done(fleet, 2)


def test_who_drives_is_killed(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 6, SLOW.format(1), SAYS.format(2), patience="8s")
    worker(fleet, "east"), worker(fleet, "west")
    running = fleet.project.start("upgrade")
    wait_until(lambda: any("log" in fleet.tables(tenant) for tenant in fleet.tenants))
    running.kill()

    ran = fleet.project.run("resume", code=None)

    if ran.code:
        assert fleet.ddl_commits, ran
        assert "in doubt" in ran.out + ran.err, ran
        return
    assert_done(fleet, 2)


def test_the_scheduler_is_killed(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 6, SLOW.format(1), SAYS.format(2), patience="8s")
    worker(fleet, "east"), worker(fleet, "west")
    running = fleet.project.start("upgrade")
    wait_until(lambda: any("log" in fleet.tables(tenant) for tenant in fleet.tenants))
    cluster.scheduler.kill()

    ran = running.wait(6)
    shown = fleet.project.run("show", "last").out
    assert "the scheduler at ${env:SCHEDULER} can't be reached" in ran.err + ran.out
    assert cluster.address not in ran.err + ran.out + shown
    refused = fleet.project.run("resume", "last", code=5)
    assert "can't be reached" in refused.err
    assert fleet.project.run("show", "last", "-o", "json").json["run"]["state"] == "paused"


def test_the_network_to_the_scheduler_is_gone(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 6, SLOW.format(1), SAYS.format(2), patience="2s")
    worker(fleet, "east"), worker(fleet, "west")
    with Network() as network:
        link = network.link(cluster.port)
        fleet.project.environ["SCHEDULER"] = f"tls://127.0.0.1:{link.port}"
        running = fleet.project.start("upgrade")
        wait_until(lambda: any("log" in fleet.tables(tenant) for tenant in fleet.tenants))
        network.tell(link.cut)

        ran = running.wait(6)

        refused = fleet.project.run("resume", "last", code=5)

    assert "can't be reached" in ran.err + ran.out
    assert "can't be reached" in refused.err


def test_ctrl_c(fleet: Fleet, cluster: Cluster) -> None:
    declare(fleet, cluster, 16, SLOW.format(1), SAYS.format(2))
    worker(fleet, "east"), worker(fleet, "west")
    running = fleet.project.start("upgrade")
    wait_until(lambda: any("log" in fleet.tables(tenant) for tenant in fleet.tenants))
    running.interrupt()
    running.wait(130)

    started = [t for t in fleet.tenants if "log" in fleet.tables(t)]
    assert started
    assert len(started) < 16
    assert all(fleet.heads(tenant) == ["r2"] for tenant in started)
    fleet.project.run("resume")
    assert_done(fleet, 2)


def test_it_says_what_to_install(fleet: Fleet, cluster: Cluster, tmp_path: Path) -> None:
    declare(fleet, cluster, 1)
    (tmp_path / "distributed.py").write_text("raise ImportError")
    fleet.project.environ["PYTHONPATH"] = str(tmp_path)

    refused = fleet.project.run("workers", code=2)

    assert 'pip install "alembic-orchestrator[dask]"' in refused.err


def driver_of(fleet: Fleet, folder: Path) -> ProjectFolder:
    """Return a copy of the project in another folder, without what workers know of databases."""
    shutil.copytree(fleet.project.folder, folder, dirs_exist_ok=True)
    environ = {k: v for k, v in fleet.project.environ.items() if k != "FLEET_PASSWORD"}
    return ProjectFolder(folder, environ)


def test_who_drives_knows_nothing_of_the_databases(
    fleet: Fleet, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    declare(fleet, cluster, 6, *(SAYS.format(n) for n in (1, 2)))
    file = fleet.project.folder / "environments.toml"
    query = 'query = { sql = "SELECT count(*) FROM log", expect = 2, tries = 1 }'
    waves = f'waves = [{{ name = "first", pick = 2, gate = {{ {query} }} }}]'
    file.write_text(
        file.read_text().replace(
            "[environments.prod.rollout]", f"[environments.prod.rollout]\n{waves}"
        )
    )
    env_py = fleet.project.folder / "migrations/app/env.py"
    models = "import sqlalchemy as sa\ntarget_metadata = sa.MetaData()\n"
    models += 'sa.Table("log", target_metadata, sa.Column("n", sa.Integer))\n'
    env_py.write_text(env_py.read_text().replace("target_metadata = None\n", models))
    driver = driver_of(fleet, tmp_path_factory.mktemp("driver"))
    east, west = worker(fleet, "east"), worker(fleet, "west")

    assert set(driver.run("status", "-o", "json").states().values()) == {"empty"}
    assert "place east: 1 worker, 2 slots" in (doctor := driver.run("doctor").out)
    assert "app: all that migrations want" in doctor
    assert "6 targets" in driver.run("plan").out
    assert set(driver.run("upgrade", "--dry-run", "-o", "json").states().values()) == {"planned"}
    upgraded = driver.run("upgrade", "--yes")
    assert_done(fleet, 2)
    assert set(driver.run("status", "-o", "json").states().values()) == {"current"}
    assert set(driver.run("check", "-o", "json").states().values()) == {"in_sync"}
    driver.run("upgrade")
    driver.run("wait", "--timeout", "30s")
    assert "as expected on 2 of 2" in driver.run("show", "last", "-o", "json").out
    one, other = fleet.tenants[0], fleet.tenants[1]
    fleet.rows(other, "CREATE TABLE extra (n INTEGER)")
    drift = driver.run("drift", code=4)
    assert f"{other}: extra table extra" in drift.out
    fleet.rows(one, "DELETE FROM alembic_version")
    assert driver.run("status", f"prod/app/{one}", "-o", "json", code=None).states() == {
        f"prod/app/{one}": "unversioned"
    }
    assert "r2" in driver.run("identify", f"prod/app/{one}", code=None).out
    assert fleet.password not in upgraded.out + east.err + west.err


def test_what_only_a_worker_can_tell_of_a_target_is_told(
    fleet: Fleet, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    declare(fleet, cluster, 4, SAYS.format(1), patience="5s")
    driver = driver_of(fleet, tmp_path_factory.mktemp("driver"))
    at = "${env:FLEET_PASSWORD}"
    for project in (fleet.project, driver):
        file = project.folder / "environments.toml"
        file.write_text(file.read_text().replace(at, f"{at}${{env:NOTHING_{{region}}}}"))
    fleet.project.environ["NOTHING_east"] = ""
    worker(fleet, "east")

    read = driver.run("status", "-o", "json", code=3)
    assert list(read.states().values()) == ["empty", "unreachable"] * 2
    assert "there is no worker of place west" in read.out
    assert "place west: there is no worker" in driver.run("doctor", code=2).out
    worker(fleet, "west")
    read = driver.run("status", "-o", "json", code=3)
    assert list(read.states().values()) == ["empty", "unreachable"] * 2
    assert "worker west-1: ${env:NOTHING_west}: the environment variable is not set" in read.out, (
        read.out
    )
    doctor = driver.run("doctor", code=2)
    assert "its user lacks worker west-1: ${env:NOTHING_west}" not in doctor.out
    assert "worker west-1: ${env:NOTHING_west}: the environment variable is not set" in doctor.out
    assert fleet.password not in read.out + doctor.out


def test_two_targets_that_are_one_database_by_their_secrets_are_refused(
    fleet: Fleet, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    declare(fleet, cluster, 2, SAYS.format(1))
    name = fleet.prefix + "_{tenant}"
    file = fleet.project.folder / "environments.toml"
    file.write_text(file.read_text().replace(name, "${env:NAME_{tenant}}"))
    driver = driver_of(fleet, tmp_path_factory.mktemp("driver"))
    for tenant in fleet.tenants:
        fleet.project.environ[f"NAME_{tenant}"] = fleet.database("t000")
    worker(fleet, "east"), worker(fleet, "west")

    for command in ("status", "upgrade"):
        refused = driver.run(command, code=2)
        assert "prod/app/t000 (" in refused.err
        assert "are one database" in refused.err
    assert not fleet.tables("t000")


def local(fleet: Fleet, targets: int, *bodies: str) -> None:
    """Declare a fleet of three places whose cluster each command starts for itself."""
    fleet.declare(targets)
    file = fleet.project.folder / "environments.toml"
    places = ("east", "west", "north")
    tenants = ", ".join(
        f'{{ name = "{t}", region = "{places[n % 3]}" }}' for n, t in enumerate(fleet.tenants)
    )
    text = re.sub(r"tenants = .*", f'tenants = [{tenants}]\nplace = "{{region}}"', file.read_text())
    file.write_text(f'{text}\n[engine]\nkind = "dask"\nscheduler = "local"\n')
    for number, body in enumerate((LOG, *bodies)):
        fleet.project.revision(f"r{number}", f"r{number - 1}" if number else None, body)


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_a_cluster_for_the_time_of_a_command(fleet: Fleet) -> None:
    local(fleet, 5, SLOW.format(1), SAYS.format(2))
    shown = fleet.project.run("workers", "-o", "json").json
    assert (shown["scheduler"], shown["dashboard"]) == ("local", None)
    assert [worker["place"] for worker in shown["workers"]] == ["*"]

    running = fleet.project.start("upgrade")
    wait_until(lambda: any("log" in fleet.tables(tenant) for tenant in fleet.tenants))
    processes = family(running.process.pid)
    ran = running.wait(0)

    assert_done(fleet, 2)
    assert len(processes) > 3
    wait_until(lambda: gone(processes))
    assert "distributed" not in ran.err
    said = fleet.project.run("workers").out
    assert "each command starts a cluster for itself" in said
    refused = fleet.project.run("worker", code=2)
    assert 'scheduler = "local" has no other workers' in refused.err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_cluster_of_a_command_ends_with_it(fleet: Fleet, sent: signal.Signals) -> None:
    local(fleet, 5, SLOW.format(1), SAYS.format(2))
    running = fleet.project.start("upgrade")
    wait_until(lambda: any("log" in fleet.tables(tenant) for tenant in fleet.tenants))
    processes = family(running.process.pid)
    os.kill(running.process.pid, sent)

    running.wait(130 if sent is signal.SIGINT else -signal.SIGKILL)
    wait_until(lambda: gone(processes))

    ran = fleet.project.run("resume", code=None)
    if ran.code:  # DDL that commits may be in doubt; then somebody has to look
        assert fleet.ddl_commits, ran
        assert "in doubt" in ran.out + ran.err, ran
        return
    assert_done(fleet, 2)

"""Order and limits, seen from inside the migrations themselves."""

from collections import Counter
from pathlib import Path

from tests.project_folder import ProjectFolder
from tests.real.conftest import Fleet

LOGGED = """
import pathlib
log = pathlib.Path({log!r})
name = str(op.get_bind().engine.url).rpartition("/var/")[2].removesuffix(".db")
with log.open("a") as file: file.write(f"+ {{name}}\\n")
time.sleep({seconds})
with log.open("a") as file: file.write(f"- {{name}}\\n")
"""


def shop(project: ProjectFolder, rollout: str, seconds: float, log: Path) -> None:
    project.config(
        f"""
        [project]
        name = "shop"
        order = ["dev", "prod"]
        [databases.orders]
        script_location = "migrations/orders"
        after = ["catalog"]
        [databases.catalog]
        script_location = "migrations/catalog"
        [databases.billing]
        script_location = "migrations/billing"
        after = ["orders"]
        [environments.prod]
        url = "sqlite:///var/prod/{{tenant}}/{{database}}.db"
        tenants = ["zoe", "acme", "birch"]
        [environments.prod.rollout]
        {rollout}
        [environments.prod.databases.billing]
        url = "sqlite:///var/prod/billing.db"
        [environments.dev]
        url = "sqlite:///var/dev/{{tenant}}/{{database}}.db"
        tenants = ["b", "a"]
        [environments.dev.rollout]
        {rollout}
        """
    )
    for database in ("catalog", "orders", "billing"):
        project.scripts(database)
        project.revision(
            "a1", None, LOGGED.format(log=str(log), seconds=seconds), database=database
        )


def test_one_at_a_time_follows_the_configured_order_exactly(project: ProjectFolder, tmp_path: Path):
    log = tmp_path / "log"
    shop(project, "max_parallel = 1", 0, log)

    listed = project.run("targets", "-o", "json").json["targets"]
    project.run("upgrade")

    expected = [
        "dev/b/catalog",
        "dev/b/orders",
        "dev/b/billing",
        "dev/a/catalog",
        "dev/a/orders",
        "dev/a/billing",
        "prod/zoe/catalog",
        "prod/zoe/orders",
        "prod/acme/catalog",
        "prod/acme/orders",
        "prod/birch/catalog",
        "prod/birch/orders",
        "prod/billing",
    ]
    started = [line[2:] for line in log.read_text().splitlines() if line.startswith("+")]
    assert started == expected
    # A target's file is named environment/tenant/database, the target environment/database/tenant.
    names = ["/".join([e, *reversed(rest)]) for e, *rest in (path.split("/") for path in expected)]
    assert [target["name"] for target in listed] == names


def test_limits_and_dependencies_hold_at_every_moment(project: ProjectFolder, tmp_path: Path):
    log = tmp_path / "log"
    shop(project, "max_parallel = 3\nmax_per_server = 2", 0.3, log)

    project.run("upgrade")

    running: Counter[str] = Counter()
    done: set[str] = set()
    most = 0
    for line in log.read_text().splitlines():
        sign, _, name = line.partition(" ")
        running[name] += 1 if sign == "+" else -1
        if sign == "+":
            environment, *rest = name.split("/")
            if rest[-1] == "orders":
                assert f"{environment}/{rest[0]}/catalog" in done
            if name == "prod/billing":
                assert sum(d.startswith("prod/") for d in done) == 6
            if environment == "prod":
                assert sum(d.startswith("dev/") for d in done) == 6
        else:
            done.add(name)
        most = max(most, sum(running.values()))
    assert most == 2, "all SQLite files are one server, whose limit is 2"
    assert len(done) == 13


def test_downgrade_goes_in_the_reverse_order(project: ProjectFolder, tmp_path: Path):
    shop(project, "max_parallel = 1", 0, tmp_path / "up")
    for database in ("catalog", "orders", "billing"):
        down = LOGGED.format(log=str(tmp_path / "down"), seconds=0)
        project.revision("a1", None, "pass", down, database=database)
    project.run("upgrade")

    project.run("downgrade", "prod", "--revision", "base", "--yes")

    started = [
        line[2:] for line in (tmp_path / "down").read_text().splitlines() if line.startswith("+")
    ]
    assert started == [
        "prod/billing",
        "prod/birch/orders",
        "prod/birch/catalog",
        "prod/acme/orders",
        "prod/acme/catalog",
        "prod/zoe/orders",
        "prod/zoe/catalog",
    ]


def test_a_limit_per_database_comes_on_top(new_fleet):
    fleet: Fleet = new_fleet("sqlite")
    fleet.declare(6, max_parallel=4)
    log = fleet.project.folder / "log"
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text() + "\n[environments.prod.databases.app]\nmax_parallel = 1\n")
    fleet.project.revision("a1", None, LOGGED.format(log=str(log), seconds=0.1))

    fleet.project.run("upgrade")

    signs = [line[0] for line in log.read_text().splitlines()]
    assert signs == ["+", "-"] * 6

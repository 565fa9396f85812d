"""``upgrade`` beside other tools and the plain driver, in turns, and equal tables counted after."""

import argparse
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from sqlalchemy.engine import make_url

from benchmarks import contenders, tables
from benchmarks.subject import Subject
from benchmarks.upgrading import on_server, private
from tests.servers import MariaDBServer, MySQLServer, PostgresServer

DBMATE = "2.36.0"
AT_ONCE = (2, 8)
Way = Callable[[Subject], float]


def peers(folder: Path, options: argparse.Namespace) -> None:
    """Empty databases to head with each tool, on MariaDB, MySQL and PostgreSQL."""
    dbmate = installed_dbmate(folder)
    size = f"{options.targets} targets by {options.revisions} revisions"
    title = f"Upgrade of {size}, beside other tools"
    tables.begin(title, "server", "at once", "way", "seconds", "against the plain driver", texts=3)
    servers = {"MariaDB": MariaDBServer, "MySQL": MySQLServer, "PostgreSQL": PostgresServer}
    for name, kind in servers.items():
        with private(kind()) as server:
            new = on_server(server, folder / name)
            for at_once in AT_ONCE:
                _compare(name, new, at_once, options, dbmate)
    tables.end()


def installed_dbmate(folder: Path) -> Path:
    """Install dbmate from npm, where its program is a package for each system."""
    if shutil.which("npm") is None:
        raise SystemExit("peers: dbmate is installed with npm, which is not there")
    subprocess.run(
        ["npm", "install", "--silent", "--prefix", str(folder / "npm"), f"dbmate@{DBMATE}"],
        check=True,
        capture_output=True,
    )
    return next((folder / "npm/node_modules/@dbmate").glob("*/bin/dbmate"))


def _compare(
    name: str,
    new: Callable[[int, argparse.Namespace], Subject],
    at_once: int,
    options: argparse.Namespace,
    dbmate: Path,
) -> None:
    count = options.targets
    options = argparse.Namespace(**{**vars(options), "parallel": at_once})
    statements = contenders.recorded_sql(new(count, options))
    ways: dict[str, Way] = {
        "the same SQL on plain driver connections": lambda s: contenders.replay(s, statements),
        f"`xargs -P {at_once}` over dbmate": lambda s: _dbmate(s, dbmate, statements),
        "`orchestrator upgrade`": contenders.orchestrator,
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, list[int]] = {}
    for _ in range(options.rounds):
        for way, run in ways.items():
            subject = new(count, options)
            seconds[way].append(run(subject))
            found[way] = [_tables(url) for url in subject.urls]
    if len({json.dumps(counts) for counts in found.values()}) != 1:
        raise RuntimeError(f"not the same tables afterwards: {found}")
    base = median(next(iter(seconds.values())))
    for way, took in seconds.items():
        tables.row(f"{name} | {at_once} | {way}", median(took), base)


def _dbmate(subject: Subject, program: Path, statements: list[str]) -> float:
    """dbmate on every target, its migrations the same statements as SQL files."""
    folder = subject.folder / "dbmate"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, sql in enumerate(_revisions(statements)):
        text = "".join(f"{statement};\n" for statement in sql)
        (folder / f"{20200101000000 + number}_r{number:03}.sql").write_text(
            f"-- migrate:up\n{text}\n-- migrate:down\n"
        )
    command = [str(program), "--no-dump-schema", "-d", str(folder), "-u", "{}", "migrate"]
    urls = "\n".join(map(_plain_url, subject.urls)) + "\n"
    return contenders.timed(
        ["xargs", "-P", str(subject.parallel), "-I{}", *command], subject.folder, urls
    )


def _revisions(statements: list[str]) -> Iterator[list[str]]:
    """Yield the statements of each revision, without Alembic's own."""
    own: list[str] = []
    for statement in statements:
        if "alembic_version" not in statement:
            own.append(statement)
        elif own:
            yield own
            own = []


def _plain_url(url: str) -> str:
    """Return a URL as programs know it that are not SQLAlchemy."""
    parsed = make_url(url)
    backend = "postgres" if parsed.get_backend_name() == "postgresql" else "mysql"
    options = {"sslmode": "disable"} if backend == "postgres" else {}
    plain = parsed.set(drivername=backend, query=options)
    return plain.render_as_string(hide_password=False)


def _tables(url: str) -> int:
    """Count the tables that the revisions make."""
    sql = "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 't%%' AND "
    own = "current_schema()" if "postgres" in url else "database()"
    with closing(contenders.connect(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"{sql.replace('%%', '%')}table_schema = {own}")
        return int(cursor.fetchone()[0])

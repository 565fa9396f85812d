"""The ways to upgrade every tenant that are compared, each returning its seconds."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from benchmarks.subject import Subject

BIN = Path(sys.executable).parent


def orchestrator(subject: Subject, *arguments: str, more: Mapping[str, str] | None = None) -> float:
    """``orchestrator upgrade``, with some environment variables more."""
    return timed([str(BIN / "orchestrator"), "upgrade", *arguments], subject.folder, more=more)


def shell_loop(subject: Subject, urls: tuple[str, ...]) -> float:
    """``for url in …; do alembic upgrade head; done``."""
    loop = 'while read -r url; do DATABASE_URL="$url" "$ALEMBIC" upgrade head || exit 1; done'
    return timed(["sh", "-c", loop], subject.folder, "\n".join(urls) + "\n")


def xargs(subject: Subject, urls: tuple[str, ...]) -> float:
    """``xargs -P``, at the concurrency that the orchestrator has."""
    each = 'DATABASE_URL="$1" "$ALEMBIC" upgrade head'
    command = ["xargs", "-P", str(subject.parallel), "-I{}", "sh", "-c", each, "-", "{}"]
    return timed(command, subject.folder, "\n".join(urls) + "\n")


def replay(subject: Subject, statements: list[str]) -> float:
    """The same SQL on plain driver connections, one process per connection: the physical limit."""
    began = time.monotonic()
    with get_context("fork").Pool(subject.parallel) as pool:
        pool.map(partial(_replay, statements), subject.urls, chunksize=1)
    return time.monotonic() - began


def recorded_sql(subject: Subject) -> list[str]:
    """What Alembic runs for all revisions, statement by statement."""
    environ = {**os.environ, "DIALECT": subject.dialect, "DATABASE_URL": subject.urls[0]}
    command = [str(BIN / "alembic"), "upgrade", "head", "--sql"]
    done = subprocess.run(
        command, cwd=subject.folder, env=environ, capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("--")]
    statements = [statement.strip() for statement in "\n".join(lines).split(";")]
    return [s for s in statements if s and s not in {"BEGIN", "COMMIT"}]


def _replay(statements: list[str], url: str) -> None:
    with closing(connect(url)) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def execute(url: str, statement: str) -> None:
    """Run one statement and commit it."""
    with closing(connect(url)) as connection:
        connection.cursor().execute(statement)
        connection.commit()


def connect(url: str) -> Any:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        import sqlite3

        Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(parsed.database or "")
    if parsed.get_backend_name() == "postgresql":
        import psycopg

        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain)
    import pymysql

    return pymysql.connect(
        host=parsed.host or "",
        port=parsed.port or 3306,
        user=parsed.username,
        password=parsed.password or "",
        database=parsed.database,
    )


def timed(
    command: list[str], folder: Path, text: str = "", more: Mapping[str, str] | None = None
) -> float:
    environ = {**os.environ, "ALEMBIC": str(BIN / "alembic"), **(more or {})}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environ, input=text, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return seconds

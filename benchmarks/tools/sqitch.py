"""Sqitch: Perl, which runs the server's own client for each change."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.subject import Subject
from benchmarks.tools.installing import perl_module, program
from benchmarks.tools.tool import Invocation, Revisions, Tool, renamed, script, xargs

TIMED = 16
PLAN = "%syntax-version=1.0.0\n%project=benchmark\n\n"
CHANGE = "r{number:03} 2020-01-01T00:{minute:02}:{second:02}Z B <b@example.com> # revision\n"
SCRIPT = "BEGIN;\n{text}COMMIT;\n"
"""As Sqitch's own templates have it."""


def sqitch(_: Path) -> Tool:
    """Sqitch from Debian, with the clients and the Perl drivers that it needs."""
    path = program("sqitch", "sqitch")
    program("psql", "postgresql-client")
    program("mysql", "default-mysql-client")
    perl_module("DBD::Pg", "libdbd-pg-perl")
    perl_module("DBD::mysql", "libdbd-mysql-perl")
    return Tool(
        "`xargs -P {at_once}` over `sqitch deploy`",
        lambda subject, revisions: _ready(path, subject, revisions),
        most=TIMED,
    )


def _ready(path: str, subject: Subject, revisions: Revisions) -> Invocation:
    folder = subject.folder / "sqitch"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("deploy", "revert"):
        (folder / name).mkdir(parents=True)
    plan = PLAN
    for number, statements in enumerate(revisions):
        plan += CHANGE.format(number=number, minute=number // 60, second=number % 60)
        (folder / f"deploy/r{number:03}.sql").write_text(_transaction(statements))
        (folder / f"revert/r{number:03}.sql").write_text(_transaction(_reverted(statements)))
    (folder / "sqitch.plan").write_text(plan)
    environ = {"SQITCH_FULLNAME": "B", "SQITCH_EMAIL": "b@example.com"}
    command = (path, "--chdir", str(folder), "deploy")
    return xargs(subject, command, [_target(url) for url in subject.urls], environ)


def _target(url: str) -> str:
    plain = renamed(url, "db:pg", "db:mysql")
    # On MySQL the registry is a database, by default one for the whole server, in which the
    # second target of a project would be at head already.
    registry = f" --registry {plain.database}" if plain.drivername == "db:mysql" else ""
    return f"--target {plain.render_as_string(hide_password=False)}{registry}"


def _transaction(statements: Sequence[str]) -> str:
    return SCRIPT.format(text=script(statements))


def _reverted(statements: Sequence[str]) -> list[str]:
    """Drop what the statements create, last first; all else goes with its table."""
    created = [re.match(r"CREATE TABLE (\w+)", statement) for statement in statements]
    return [f"DROP TABLE {match[1]}" for match in reversed(created) if match]

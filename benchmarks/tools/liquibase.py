"""Liquibase: Java, with a changelog of SQL."""

from pathlib import Path

from benchmarks.subject import Subject
from benchmarks.tools.installing import from_npm, program
from benchmarks.tools.tool import Invocation, Revisions, Tool, renamed, script, xargs

VERSION = "4.28.1"
"""Later ones of npm have another licence."""
TIMED = 8


def liquibase(folder: Path) -> Tool:
    """Liquibase from npm, with its JDBC drivers, and Java from Debian."""
    program("java", "default-jre-headless")
    packages = from_npm(folder, f"liquibase@{VERSION}")
    path = packages / "liquibase/dist/liquibase/liquibase"
    return Tool(
        "`xargs -P {at_once}` over `liquibase update`",
        lambda subject, revisions: _ready(path, subject, revisions),
        most=TIMED,
    )


def _ready(path: Path, subject: Subject, revisions: Revisions) -> Invocation:
    sets = [f"--changeset b:r{number:03}\n{script(sql)}" for number, sql in enumerate(revisions)]
    text = "\n".join(("--liquibase formatted sql", *sets))
    (subject.folder / "changelog.sql").write_text(text)
    plain = renamed(subject.urls[0], "postgresql", "mariadb")
    environ = {
        "LIQUIBASE_COMMAND_USERNAME": plain.username or "",
        "LIQUIBASE_COMMAND_PASSWORD": plain.password or "",
        "LIQUIBASE_SHOW_BANNER": "false",
    }
    command = (str(path), "update", "--changelog-file=changelog.sql")
    return xargs(subject, command, [_target(url) for url in subject.urls], environ)


def _target(url: str) -> str:
    plain = renamed(url, "postgresql", "mariadb")
    return f"--url=jdbc:{plain.drivername}://{plain.host}:{plain.port}/{plain.database}"

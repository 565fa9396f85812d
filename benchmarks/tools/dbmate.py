"""dbmate: a compiled program, and SQL files."""

import shutil
from pathlib import Path

from benchmarks.subject import Subject
from benchmarks.tools.installing import from_npm
from benchmarks.tools.tool import Invocation, Revisions, Tool, renamed, script

VERSION = "2.36.0"


def dbmate(folder: Path) -> Tool:
    """dbmate from npm, where its program is a package for each system."""
    packages = from_npm(folder, f"dbmate@{VERSION}")
    program = next((packages / "@dbmate").glob("*/bin/dbmate"))
    return Tool(
        "`xargs -P {at_once}` over dbmate",
        lambda subject, revisions: _ready(program, subject, revisions),
    )


def _ready(program: Path, subject: Subject, revisions: Revisions) -> Invocation:
    folder = subject.folder / "dbmate"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, statements in enumerate(revisions):
        (folder / f"{20200101000000 + number}_r{number:03}.sql").write_text(
            f"-- migrate:up\n{script(statements)}\n-- migrate:down\n"
        )
    options = ["--no-dump-schema", "-d", str(folder), "-u", "{}", "migrate"]
    return Invocation(
        ("xargs", "-P", str(subject.parallel), "-I{}", str(program), *options),
        subject.folder,
        "".join(f"{_url(url)}\n" for url in subject.urls),
    )


def _url(url: str) -> str:
    plain = renamed(url, "postgres", "mysql")
    options = {"sslmode": "disable"} if plain.drivername == "postgres" else {}
    return plain.set(query=options).render_as_string(hide_password=False)

"""Whatever the shape of a history: what plain Alembic does, the orchestrator does.

Each command runs twice from copies of one database: with ``alembic.command``, and as the worker
runs it. Version rows, tables and the order of revisions are compared, and Alembic's error.
"""

import io
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from orchestrator.config.load import load
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.context import Context
from orchestrator.worker.jobs import Job, Verb
from orchestrator.worker.process.isolation import unchanged_process
from orchestrator.worker.serve import run
from tests.project_folder import ProjectFolder
from tests.real.histories import HISTORIES, History

_FILE = """
[project]
name = "shop"
[databases.app]
config_file = "alembic.ini"
[environments.prod]
url = "sqlite:///{database}.db"
"""

_ALWAYS = ("base:heads", "head", "heads", "base", "+1", "+2", "-1", "-2", "+99", "nosuch", "1")
_STAMPS = ("head", "heads", "base", "nosuch", "1", "+1", "-1")


class Pair:
    """One history, and two databases to run each command on."""

    def __init__(self, folder: Path, history: History) -> None:
        self.folder, self.history = folder, history
        self.ini = history.write(folder)
        (folder / "environments.toml").write_text(_FILE)
        self.file = load(folder / "environments.toml")
        self.context = Context({}, notify=lambda _: None)
        self.plain_db, self.our_db = folder / "plain.db", folder / "app.db"

    def alembic(
        self, verb: str, *revisions: Any, stdout: Any = sys.stdout, **options: Any
    ) -> str | None:
        """Run a command of plain Alembic; return its error, if it has one."""
        config = Config(self.ini, stdout=stdout)
        config.set_main_option("sqlalchemy.url", f"sqlite:///{self.plain_db}")
        with unchanged_process():
            try:
                getattr(command, verb)(config, *revisions, **options)
            except CommandError as error:
                return str(error)
            except Exception as error:  # noqa: BLE001 - where Alembic itself crashes
                return f"{type(error).__name__}: {error}"
        return None

    def ours(self, verb: Verb, revision: str = "heads", **options: Any) -> Outcome:
        """Run a job as a worker does."""
        path, digest = self.file.path, self.file.digest
        job = Job(verb, path, digest, "app", "prod", revision=revision, **options)
        with unchanged_process():
            return run(job, self.context)

    def starts(self) -> Iterator[Path]:
        """Yield a database for each place to start from."""
        for number, upgrades in enumerate(((), *self.history.starts, ("heads",))):
            self.plain_db.unlink(missing_ok=True)
            self.alembic("current")
            for revision in upgrades:
                assert self.alembic("upgrade", revision) is None
            yield shutil.copy(self.plain_db, self.folder / f"start{number}.db")

    def set_out_from(self, start: Path) -> None:
        shutil.copy(start, self.plain_db)
        shutil.copy(start, self.our_db)


@pytest.fixture(params=HISTORIES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    return Pair(tmp_path / "shop", HISTORIES[request.param])


def content(path: Path) -> tuple[Any, ...]:
    """Versions, tables, and what ran in which order."""
    with closing(sqlite3.connect(path)) as connection:
        tables = sorted(connection.execute("SELECT name FROM sqlite_master").fetchall())
        log = connection.execute("SELECT line FROM log").fetchall() if ("log",) in tables else []
        versions = heads(path) if ("alembic_version",) in tables else ()
    # `alembic current` leaves an empty version table, or none.
    return versions, [name for name in tables if name[0] not in _ALEMBICS], log


_ALEMBICS = ("alembic_version", "sqlite_autoindex_alembic_version_1")


def heads(path: Path) -> tuple[str, ...]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return tuple(sorted(row[0] for row in rows))


def compare(pair: Pair, verb: Verb, start: Path, revision: str, **options: Any) -> str | None:
    """Run both; return in what they differ."""
    pair.set_out_from(start)
    before = content(start)
    # Where Alembic takes several, the orchestrator takes them with commas.
    several = verb is not Verb.DOWNGRADE and "," in revision
    asked: Any = tuple(revision.split(",")) if several else revision
    error = pair.alembic(verb.value, asked, **options)
    outcome = pair.ours(verb, revision, **options)
    after, ours = content(pair.plain_db), content(pair.our_db)
    told = outcome.failure.message if outcome.failure else None
    said = f"{verb} {revision} {options or ''} from {before[0]}: alembic {error!r} {after}, "
    said += f"ours {outcome.state} {told!r} {ours}"
    if error is not None:
        return None if (told, ours) == (error, before) else said
    if outcome.state is State.FAILED:  # silence of Alembic that the orchestrator makes an error
        passed = verb is Verb.UPGRADE and after == before == ours and ", past " in str(told)
        return None if passed else said
    kept = after == before and not (options.get("purge") and before[0])
    expected = State.UNCHANGED if kept else State.DONE
    if (outcome.state, ours, outcome.heads) != (expected, after, after[0]):
        return said
    return None


@pytest.mark.parametrize("verb", [Verb.UPGRADE, Verb.DOWNGRADE])
def test_it_goes_where_alembic_goes(pair: Pair, verb: Verb) -> None:
    asked = (*_ALWAYS, *pair.history.revisions, *pair.history.asked)
    found = [compare(pair, verb, start, to) for start in pair.starts() for to in asked]

    assert not [difference for difference in found if difference]


def test_it_stamps_what_alembic_stamps(pair: Pair) -> None:
    asked = (*_STAMPS, *pair.history.revisions, *pair.history.asked)
    starts = list(pair.starts())
    found = [compare(pair, Verb.STAMP, start, to) for start in starts for to in asked]
    found += [compare(pair, Verb.STAMP, starts[1], to, purge=True) for to in asked]

    assert not [difference for difference in found if difference]


def test_it_stands_where_alembic_says(pair: Pair) -> None:
    for start in pair.starts():
        pair.set_out_from(start)
        status, check = pair.ours(Verb.STATUS), pair.ours(Verb.CHECK)
        not_up_to_date = pair.alembic("check")

        assert status.heads == content(start)[0]
        assert not_up_to_date in (None, "Target database is not up to date.")
        assert check.state is (State.BEHIND if not_up_to_date else State.IN_SYNC), status
        assert (status.state is State.CURRENT) == (not_up_to_date is None)
        plain_log = pair.alembic("upgrade", "heads") or content(pair.plain_db)[2]
        ran = [f"+{revision.id}" for revision in status.revisions]
        assert [line for (line,) in plain_log] == [line for (line,) in content(start)[2]] + ran


def test_it_lists_what_alembic_lists(pair: Pair) -> None:
    names = list(pair.history.revisions)
    ends = ["", "base", "head", "heads", "nosuch", "-2", "+1", *names, *pair.history.asked]
    ranges = [None, "a1", ":", *(f"{end}:" for end in ends), *(f":{end}" for end in ends)]
    ranges += [f"{names[0]}:{end}" for end in ends]
    for rev_range in ranges:
        written = io.StringIO()
        error = pair.alembic("history", rev_range, stdout=written)
        outcome = pair.ours(Verb.HISTORY, rev_range=rev_range)
        listed = [revision.id for revision in outcome.data or ()]
        assert (outcome.failure.message if outcome.failure else None) == error, rev_range
        assert error or listed == re.findall(r" -> (\w+)", written.getvalue()), rev_range


def test_what_is_ambiguous_is_told_in_alembics_words_with_the_target(tmp_path: Path) -> None:
    pair = Pair(tmp_path / "shop", HISTORIES["two heads"])
    words = pair.alembic("upgrade", "head")
    shop = ProjectFolder(pair.folder)

    told = shop.run("upgrade", "--revision", "head", code=3)

    assert "failed: prod/app\n" in told.out
    assert " ".join(str(words).split()) in " ".join(told.out.split())
    assert "--revision heads" in told.out
    assert "orchestrator merge DATABASE" in told.out
    failure = shop.run("upgrade", "--revision", "head", "-o", "json", code=3).json
    assert failure["targets"][0]["failure"]["message"] == words

"""A worker that a test gives one target after another, and all that a target holds afterwards."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from orchestrator.config.load import ConfigFile, load
from orchestrator.engines.base import EngineEvent, Finished, Message
from orchestrator.engines.local import LocalEngine
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.entry import PRELOAD, work
from orchestrator.worker.jobs import Committing, Go, Job, Made, Verb
from tests.real.conftest import Fleet

CREATE = 'op.create_table("items", sa.Column("n", sa.Integer), sa.Column("name", sa.String(50)))'


class Worker:
    """A worker of a fleet's own, which does what it is given in that order."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.heard: list[object] = []
        """What it said of the job that it works at, or was last given."""
        environ = {**os.environ, **fleet.project.environ}
        arguments = ({}, environ, str(fleet.project.folder))
        self.engine = LocalEngine(
            work, arguments, size=1, is_final=lambda c: isinstance(c, Outcome), preload=PRELOAD
        )

    @cached_property
    def _file(self) -> ConfigFile:
        return load(self.fleet.project.folder / "environments.toml")

    def start(self, tenant: str, verb: Verb = Verb.UPGRADE, **options: Any) -> int:
        """Give it a job, and return its process."""
        file, labels = self._file, {"name": tenant}
        options = {"recorded": True, **options}
        if verb is Verb.DOWNGRADE:
            options = {"revision": "base", **options}
        job = Job(verb, file.path, file.digest, "app", "prod", labels, **options)
        self.heard.clear()
        self.engine.submit(tenant, job, 120, kind="app")
        pid: int = self.engine._workers[-1].process.pid
        return pid

    def events(self) -> Iterator[EngineEvent]:
        """Yield what it says, until its job is over."""
        while True:
            for event in self.engine.wait(5):
                if isinstance(event, Message):
                    self.heard.append(event.content)
                yield event
                if not isinstance(event, Message):
                    return

    def migrate(self, tenant: str, verb: Verb = Verb.UPGRADE, **options: Any) -> Outcome:
        """Do a job, whatever becomes of it."""
        self.start(tenant, verb, **options)
        for event in self.events():
            if isinstance(event, Message) and isinstance(event.content, Committing):
                if event.content.waits:
                    self.engine.answer(tenant, Go(ok=True))
            elif isinstance(event, Finished):
                found: Outcome = event.content
                return found
        raise AssertionError("the worker was lost")

    def done(self, tenant: str, verb: Verb = Verb.UPGRADE, **options: Any) -> int:
        """Do a job that must succeed, and return how many revisions were replayed."""
        outcome = self.migrate(tenant, verb, **options)
        assert outcome.state is State.DONE, outcome.failure and replace(
            outcome.failure, traceback=None
        )
        return outcome.replayed

    def said(self, kind: type) -> list[Any]:
        """What it said of the latest job, of one kind."""
        return [content for content in self.heard if isinstance(content, kind)]

    @property
    def differs(self) -> list[str]:
        """What it said of schemas that are not what building would have left."""
        return [made.detail for made in self.said(Made) if made.what == "differs"]


@contextmanager
def worker_of(fleet: Fleet) -> Iterator[Worker]:
    """Start a worker and end it."""
    worker = Worker(fleet)
    try:
        yield worker
    finally:
        worker.engine.close()


def history(fleet: Fleet, *bodies: str, first: str = CREATE, header: str = "") -> None:
    """Write a line of revisions: r0 makes the table ``items``, each body is one after it."""
    for number, body in enumerate((first, *bodies)):
        down = f"r{number - 1}" if number else None
        fleet.project.revision(f"r{number}", down, body, header=header)


def replayed(fleet: Fleet, worker: Worker, tenants: Sequence[str] | None = None) -> list[int]:
    """Upgrade tenants one after the other; return how many revisions of each were replayed."""
    return [worker.done(tenant) for tenant in tenants or fleet.tenants]


def everything(fleet: Fleet, tenant: str) -> set[str]:
    """Return a target's schema and rows, as the server tells them; its own name is left out.

    So is what is in tables ``own_…``: that is another thing in each target.
    """
    tables = sorted(fleet.tables(tenant))
    found = [f"schema: {line}" for line in _schema(fleet, tenant, tables)]
    for table in tables:
        what = "'its own'" if table.startswith("own_") else "*"
        rows = map(_plain, fleet.rows(tenant, f"SELECT {what} FROM {table}"))
        found += [f"{table}: {count} of {row}" for row, count in Counter(rows).items()]
    names = rf"{fleet.database(tenant)}|\b{tenant}\.db"
    return {re.sub(names, "ITS NAME", line) for line in found}


def assert_all_alike(fleet: Fleet, *tenants: str) -> None:
    """Targets have the same schema and rows, all of the fleet where none is named."""
    first, *others = tenants or fleet.tenants
    for other in others:
        found, expected = everything(fleet, other), everything(fleet, first)
        more, less = sorted(found - expected), sorted(expected - found)
        assert not more, f"{other} has {more} where {first} has {less}"
        assert not less, f"{other} lacks {less}"


def _plain(row: tuple[Any, ...]) -> str:
    return repr(tuple(bytes(v) if isinstance(v, memoryview) else v for v in row))


def _schema(fleet: Fleet, tenant: str, tables: list[str]) -> Iterator[str]:
    if fleet.kind == "sqlite":
        queries = ["SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"]
    elif fleet.kind == "postgres":
        queries = _POSTGRES
    else:
        queries = [f"SHOW CREATE TABLE {table}" for table in tables]
        queries += [query.format(f"'{fleet.database(tenant)}'") for query in _MYSQL]
    for query in queries:
        yield from map(_plain, fleet.rows(tenant, query))


_MYSQL = (
    "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = {}",
    (
        "SELECT routine_name, routine_definition FROM information_schema.routines"
        " WHERE routine_schema = {} ORDER BY 1"
    ),
    (
        "SELECT trigger_name, action_statement FROM information_schema.triggers"
        " WHERE trigger_schema = {} ORDER BY 1"
    ),
)
_POSTGRES = [
    """SELECT c.relname, c.relkind, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
    a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid),
    col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND a.attnum > 0
    ORDER BY 1, 3""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
    (
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY conrelid::regclass::text, conname"
    ),
    (
        "SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid"
        " ORDER BY t.typname, e.enumsortorder"
    ),
    (
        "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace"
        " AND obj_description(oid, 'pg_class') IS NOT NULL ORDER BY 1"
    ),
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
]

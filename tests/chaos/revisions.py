"""The revisions of the chaos test, statement by statement, and the human who fixes a target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Execute = Callable[[str], Sequence[Sequence[Any]]]
"""Runs one statement on a target, commits it, and returns its rows."""
MARIADB, MYSQL, POSTGRES, SCHEMAS, SQLITE = "maria", "mysql", "pgdb", "pgschema", "lite"
KINDS = (MARIADB, MYSQL, POSTGRES, SCHEMAS, SQLITE)
DDL_COMMITS = frozenset({MARIADB, MYSQL})
"""Where each statement of DDL commits by itself."""
_SLOW, _QUICK = 0.2, 0.04
"""Seconds that a statement of either sort takes: replaying sends slow revisions by themselves."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a revision, and how a human tells whether it was done."""

    sql: str
    count: str
    """How often it was done: 0 or 1. More is the bug that all this looks for."""
    undo: str
    apart: bool = False
    """It is in an ``autocommit_block``."""
    clean: str = ""
    """Removes what it may leave behind where it was not done."""
    operation: str = ""
    """What the revision calls, where it is not ``op.execute`` of ``sql``."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What one revision does, in this order."""

    id: str
    down: str | None
    steps: tuple[Step, ...]
    pure: bool
    """It may be replayed: it pauses nowhere but in its statements."""

    @property
    def code(self) -> str:
        """The body of its ``upgrade()``, with pauses in which it may be killed."""
        pause = [] if self.pure else ["time.sleep(random.uniform(0, 0.04))"]
        lines = [] if self.pure else ["import random"]
        for step in self.steps:
            lines += pause
            run = step.operation or f"op.execute({step.sql!r})"
            if step.apart:
                lines += ["with op.get_context().autocommit_block():", f"    {run}"]
            else:
                lines.append(run)
        return "\n".join(lines + pause)


def history(kind: str, *, pure: bool = False) -> tuple[Revision, ...]:
    """Return the revisions of a kind of target; ``pure``: which may be replayed."""
    say = _Words(kind, pure)
    in_block = kind in {POSTGRES, SCHEMAS}
    ids = ("a1", "b2", "c3", "d4", "d4x", "e5")
    rows = ", ".join(f"('{id_}', 0)" for id_ in ids)
    first = Step(
        f"INSERT INTO counter (revision, n) VALUES {rows}",
        f"SELECT count(*) / {len(ids)} FROM counter",
        "DELETE FROM counter",
        operation=say.insert("counter", [{"revision": id_, "n": 0} for id_ in ids]),
    )
    parts: dict[str, tuple[Step, ...]] = {
        "a1": (
            say.table("counter", "revision VARCHAR(8) PRIMARY KEY, n INTEGER NOT NULL"),
            say.table("marks", "revision VARCHAR(8) NOT NULL"),
            say.table("items", "n INTEGER"),
            first,
            say.counts("a1"),
            say.marks("a1"),
        ),
        "b2": (say.counts("b2", slow=not pure), say.marks("b2")),
        "c3": (say.column("a"), say.counts("c3", slow=pure), say.marks("c3"), say.column("b")),
        "d4": (
            say.counts("d4"),
            say.marks("d4"),
            say.index("by_a", apart=in_block),
            say.counts("d4x", slow=True, apart=in_block),
        ),
        "e5": (say.counts("e5"), say.table("last", "n INTEGER"), say.marks("e5")),
    }
    downs = [None, *parts]
    return tuple(
        Revision(id_, down, steps, pure)
        for (id_, steps), down in zip(parts.items(), downs, strict=False)
    )


HEAD = "e5"
COUNTED = ("a1", "b2", "c3", "d4", "d4x", "e5")
MARKED = ("a1", "b2", "c3", "d4", "e5")


@dataclass(frozen=True, slots=True)
class _Words:
    """Statements in the words of one kind of server."""

    kind: str
    pure: bool

    @property
    def _here(self) -> str:
        return "DATABASE()" if self.kind in DDL_COMMITS else "current_schema()"

    def table(self, name: str, columns: str) -> Step:
        there = (
            "SELECT count(*) FROM information_schema.tables "
            f"WHERE table_schema = {self._here} AND table_name = '{name}'"
        )
        return Step(f"CREATE TABLE {name} ({columns})", there, f"DROP TABLE {name}")

    def column(self, name: str) -> Step:
        there = (
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'items' "
            f"AND table_schema = {self._here} AND column_name = '{name}'"
        )
        add = f"ALTER TABLE items ADD COLUMN {name} INTEGER"
        return Step(add, there, f"ALTER TABLE items DROP COLUMN {name}")

    def index(self, name: str, *, apart: bool) -> Step:
        if self.kind in DDL_COMMITS:
            there = (
                "SELECT count(*) FROM information_schema.statistics "
                f"WHERE table_schema = DATABASE() AND index_name = '{name}'"
            )
            return Step(f"CREATE INDEX {name} ON items (a)", there, f"DROP INDEX {name} ON items")
        there = (
            f"SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = to_regclass('{name}')"
        )
        # Not in schemas of one database: it waits for every transaction of that database.
        how = " CONCURRENTLY" if self.kind == POSTGRES else ""
        gone = f"DROP INDEX IF EXISTS {name}"
        return Step(f"CREATE INDEX{how} {name} ON items (a)", there, gone, apart, clean=gone)

    def counts(self, id_: str, *, slow: bool = False, apart: bool = False) -> Step:
        pause = (_SLOW if slow else _QUICK) if self.pure else _SLOW if slow else 0
        return Step(
            f"UPDATE counter SET n = n + 1{self._waits(pause)} WHERE revision = '{id_}'",
            f"SELECT n FROM counter WHERE revision = '{id_}'",
            f"UPDATE counter SET n = 0 WHERE revision = '{id_}'",
            apart,
        )

    def marks(self, id_: str) -> Step:
        return Step(
            f"INSERT INTO marks (revision) VALUES ('{id_}')",
            f"SELECT count(*) FROM marks WHERE revision = '{id_}'",
            f"DELETE FROM marks WHERE revision = '{id_}'",
            operation=self.insert("marks", [{"revision": id_}]),
        )

    def insert(self, table: str, rows: list[dict[str, Any]]) -> str:
        """Insert with parameters, in what may be replayed: several rows go by themselves there."""
        if not self.pure:
            return ""
        columns = "".join(f", sa.column({name!r})" for name in rows[0])
        return f"op.bulk_insert(sa.table({table!r}{columns}), {rows!r})"

    def _waits(self, seconds: float) -> str:
        if not seconds or self.kind == SQLITE:
            return ""
        if self.kind in DDL_COMMITS:
            return f" + SLEEP({seconds})"
        return f" FROM pg_sleep({seconds})"


def fix(revision: Revision, execute: Execute, *, complete: bool) -> str:
    """Bring a half applied revision to its end, or back to its start; say what was found.

    Asserts that what was done is a beginning of the revision, each statement once.
    """
    done = 0
    for step in revision.steps:
        times = int(execute(step.count)[0][0])
        assert times in {0, 1}, f"{step.sql} was done {times} times"
        if not times:
            break
        done += 1
    for step in revision.steps[done + 1 :]:
        assert not _later(step, execute), f"{step.sql} was done before what comes before it"
    for step in revision.steps[done : done + 1]:
        if step.clean:
            execute(step.clean)
    if complete:
        for step in revision.steps[done:]:
            execute(step.sql)
        stamp(revision, execute)
    else:
        for step in reversed(revision.steps[:done]):
            execute(step.undo)
    return f"{revision.id} {done}/{len(revision.steps)} {'completed' if complete else 'undone'}"


def untouched(revision: Revision, execute: Execute) -> bool:
    """Whether no statement of a revision left anything."""
    return not any(_later(step, execute) for step in revision.steps)


def heads(execute: Execute) -> list[str]:
    """What the version table says; nothing where there is none."""
    try:
        return [row[0] for row in execute("SELECT version_num FROM alembic_version")]
    except Exception as error:  # noqa: BLE001 - raised again there, where it is another one
        return _none_without("alembic_version", error)


def _later(step: Step, execute: Execute) -> bool:
    try:
        rows = execute(step.count)
    except Exception as error:  # noqa: BLE001 - raised again there, where it is another one
        rows = _none_without(step.count.partition(" FROM ")[2].split()[0], error)
    return bool(rows and int(rows[0][0]))


def _none_without(table: str, error: Exception) -> list[Any]:
    """Return nothing where a table is not there yet; each driver has its own error for that."""
    if table not in str(error):
        raise error
    return []


def stamp(revision: Revision, execute: Execute) -> None:
    """Say in the version table that a revision is complete."""
    execute("DELETE FROM alembic_version")
    execute(f"INSERT INTO alembic_version (version_num) VALUES ('{revision.id}')")

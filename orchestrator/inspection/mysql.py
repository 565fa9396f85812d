"""Reads many databases of one MySQL or MariaDB server through one connection."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from orchestrator.dialects import Fault, dialect_of, mysql_schema
from orchestrator.dialects.mysql_schema import Shown
from orchestrator.fleet.schema import Thing
from orchestrator.inspection.connecting import Rows, connected, rows, run
from orchestrator.inspection.reading import (
    Reading,
    Source,
    batches,
    fingerprint_of,
    standing,
    unread,
)

_TABLES_PER_UNION = 500
_DATABASES_PER_LOOK = 50
_STATEMENTS_AT_ONCE = 100
_BROKEN = frozenset({Fault.LOST, Fault.UNREACHABLE, Fault.CONNECTIONS})
_NO_SUCH_TABLE = 1146
_NAMES_ITS_DATABASE = frozenset({"VIEW", "SYSTEM VIEW"})

Answer = Rows | Exception
Described = tuple[tuple[str, ...], list[Shown]]
"""What new tables get, and everything that there is."""


@dataclass(frozen=True, slots=True)
class _Server:
    connection: Any
    product: str
    folds: bool
    """Names of databases and tables are the same in upper and lower case."""
    shown_as: str
    """What makes reflection differ from that on other servers."""

    def fold(self, name: str) -> str:
        """Make two spellings of one name equal."""
        return name.lower() if self.folds else name


def read(sources: Sequence[Source], *, schemas: bool) -> Iterator[Reading]:
    """Yield a reading of each source. All are on one server, reached by one user.

    Raises what the driver raises when the connection can't be made or breaks.
    """
    with _server(sources) as server:
        for batch in batches(sources, _TABLES_PER_UNION):
            found = [
                replace(one, server=server.product, folds=server.folds)
                for one in _heads(server.connection, batch)
            ]
            if not schemas:
                yield from found
                continue
            of = {source.target: source for source in batch}
            for some in batches(found, _DATABASES_PER_LOOK):
                yield from _with_fingerprints(server, some, of)


def things(sources: Sequence[Source]) -> Iterator[tuple[str, tuple[Thing, ...] | Exception]]:
    """Yield everything in the schema of each source, or why that can't be read.

    Raises what the driver raises when the connection can't be made or breaks.
    """
    with _server(sources) as server:
        for source, found in zip(sources, _described(server, sources), strict=True):
            if isinstance(found, Exception):
                yield source.target, found
            else:
                yield source.target, tuple(mysql_schema.things(*found))


@contextmanager
def _server(sources: Sequence[Source]) -> Iterator[_Server]:
    """Connect, and tell what is at the other end."""
    first = sources[0]
    # Any one of several databases may be missing; the server is what they share.
    home = first.location if len(sources) == 1 else replace(first.location, database=None)
    what, how = mysql_schema.SERVER
    with connected(home, first.timeouts) as connection:
        ((version, folds, quotes, mode),) = rows(connection, what)
        run(connection, how)
        connection.commit()
        number, _, rest = _text(version).partition("-")
        product = f"{'MariaDB' if 'mariadb' in rest.lower() else 'MySQL'} {number}"
        shown_as = mysql_schema.shown_as(quotes, _text(mode))
        yield _Server(connection, product, bool(folds), shown_as)


def _heads(connection: Any, sources: Sequence[Source]) -> list[Reading]:
    """Ask for the heads of all at once; only where that fails, one by one."""
    try:
        answer = rows(connection, mysql_schema.heads_sql([_table(source) for source in sources]))
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        _raise_if_broken(error)
        found = _one_by_one(connection, sources)
    else:
        heads: list[list[str | None]] = [[] for _ in sources]
        for at, head in answer:
            heads[int(at)].append(_head(head))
        found = [standing(source, some) for source, some in zip(sources, heads, strict=True)]
    connection.commit()  # nobody waits for a table that we have read
    return found


def _one_by_one(connection: Any, sources: Sequence[Source]) -> list[Reading]:
    answers = list(_several(connection, [mysql_schema.heads_sql([_table(p)]) for p in sources]))
    failed = [at for at, answer in enumerate(answers) if isinstance(answer, Exception)]
    # A table that is not there may be due to a database that is not, or that may not be seen.
    homes = [mysql_schema.use_sql(sources[at].location.database or "") for at in failed]
    for at, home in zip(failed, _several(connection, homes), strict=True):
        if isinstance(home, Exception):
            answers[at] = home
    return [_found(source, answer) for source, answer in zip(sources, answers, strict=True)]


def _found(source: Source, answer: Answer) -> Reading:
    if _is_missing(answer):
        return Reading(source.target, has_version_table=False)
    if isinstance(answer, Exception):
        return unread(source, answer)
    return standing(source, [_head(head) for _, head in answer])


def _head(value: Any) -> str | None:
    return None if value is None else _text(value)


def _with_fingerprints(
    server: _Server, readings: Sequence[Reading], of: Mapping[str, Source]
) -> Iterator[Reading]:
    readable = [reading for reading in readings if reading.failure is None]
    yield from (reading for reading in readings if reading.failure is not None)
    described = _described(server, [of[reading.target] for reading in readable])
    for reading, found in zip(readable, described, strict=True):
        if isinstance(found, Exception):
            yield unread(of[reading.target], found)
        else:
            defaults, shown = found
            yield replace(reading, fingerprint=fingerprint_of([defaults, *shown]))


def _described(server: _Server, sources: Sequence[Source]) -> list[Described | Exception]:
    """Show everything in some databases. An error is of its own database alone."""
    found = _shown(server, sources)
    # Made, renamed or dropped after it was listed: then a second look tells.
    moved = [at for at, one in enumerate(found) if _is_missing(one)]
    for at, again in zip(moved, _shown(server, [sources[at] for at in moved]), strict=True):
        found[at] = again
    return found


def _shown(server: _Server, sources: Sequence[Source]) -> list[Described | Exception]:
    listed = _listed(server, sources)
    wanted = [
        (at, database, type_, name)
        for at, (source, tables) in enumerate(zip(sources, listed, strict=True))
        if not isinstance(tables, Exception)
        for database in [source.location.database or ""]
        for type_, name in tables[1]
    ]
    questions = [mysql_schema.show_sql(*which) for _, *which in wanted]
    found: list[Described | Exception] = [
        one if isinstance(one, Exception) else (one[0], []) for one in listed
    ]
    answers = _several(server.connection, questions)
    for (at, database, type_, name), answer in zip(wanted, answers, strict=True):
        described = found[at]
        if isinstance(described, Exception):
            continue
        if isinstance(answer, Exception) and type_ != "VIEW" and not mysql_schema.is_code(type_):
            found[at] = answer
        else:
            text = _shown_text(server.fold(database), type_, answer)
            described[1].append((type_, name, text))
    _add_rights(server, sources, found)
    server.connection.commit()
    return found


def _add_rights(
    server: _Server, sources: Sequence[Source], found: list[Described | Exception]
) -> None:
    asked = [at for at, source in enumerate(sources) if source.grants]
    names = [server.fold(sources[at].location.database or "") for at in asked]
    answers = _several(server.connection, [mysql_schema.grants_sql(name) for name in names])
    for at, answer in zip(asked, answers, strict=True):
        described = found[at]
        if isinstance(answer, Exception):
            found[at] = answer
        elif not isinstance(described, Exception):
            texts = [[_text(value) for value in row] for row in answer]
            described[1].extend(mysql_schema.rights(texts))


def _shown_text(database: str, type_: str, answer: Answer) -> str:
    """Return how something is made. A view or code may not be shown to us, or be broken."""
    if isinstance(answer, Exception):
        return f"can't be shown: {answer.args[0]}"
    row = [None if value is None else _text(value) for value in answer[0]]
    text = mysql_schema.shown_text(type_, row)
    return "can't be shown" if text is None else _canonical(database, type_, text)


def _listed(
    server: _Server, sources: Sequence[Source]
) -> list[tuple[tuple[str, ...], list[tuple[str, str]]] | Exception]:
    """Return what new tables get, and what there is but the version table: type and name."""
    databases = [source.location.database or "" for source in sources]
    questions = [
        sql
        for database in databases
        for sql in (
            mysql_schema.defaults_sql(server.fold(database)),
            mysql_schema.list_sql(database),
            mysql_schema.code_sql(server.fold(database)),
            mysql_schema.triggers_sql(database),
        )
    ]
    answers = list(_several(server.connection, questions))
    found: list[tuple[tuple[str, ...], list[tuple[str, str]]] | Exception] = []
    for source, *of in zip(sources, *(answers[at::4] for at in range(4)), strict=True):
        failed = next((answer for answer in of if isinstance(answer, Exception)), None)
        if failed is not None:
            found.append(failed)
            continue
        defaults, tables, code, triggers = of
        given = (*map(_text, defaults[0] if defaults else ()), server.shown_as)
        skip = _own_version_table(server, source)
        names = sorted((_text(type_), _text(name)) for name, type_ in tables)
        own = [one for one in names if server.fold(one[1]) != skip]
        own += sorted((_text(type_), _text(name)) for name, type_ in code)
        own += sorted(("TRIGGER", _text(name)) for name, *_ in triggers)
        found.append((given, own))
    return found


def _own_version_table(server: _Server, source: Source) -> str | None:
    schema, name = map(server.fold, _table(source))
    return name if schema == server.fold(source.location.database or "") else None


def _is_missing(answer: object) -> bool:
    number = getattr(answer, "errno", None) or getattr(answer, "args", (None,))[:1]
    return number in (_NO_SUCH_TABLE, (_NO_SUCH_TABLE,))


def _canonical(database: str, type_: str, text: str) -> str:
    # What does not name its own database is the same text for all that are of one class.
    names = type_ in _NAMES_ITS_DATABASE or (mysql_schema.is_code(type_) and database in text)
    return _canonical_text(database if names else "", type_, text)


_canonical_text = lru_cache(maxsize=20_000)(mysql_schema.canonical)


def _several(connection: Any, statements: Sequence[str]) -> Iterator[Answer]:
    """Yield the answer to each statement. One that fails does not keep the others from running."""
    left = list(statements)
    while left:
        answers: list[Answer] = []
        # Only PyMySQL is known to take several statements at once as it was asked to.
        many = _STATEMENTS_AT_ONCE if type(connection).__module__.startswith("pymysql") else 1
        with closing(connection.cursor()) as cursor:
            try:
                cursor.execute(";".join(left[:many]))
                answers.append(cursor.fetchall())
                while cursor.nextset():
                    answers.append(cursor.fetchall())
            except Exception as error:  # noqa: BLE001 - drivers share no class of errors
                _raise_if_broken(error)
                answers.append(error)
        yield from answers
        del left[: len(answers)]


def _raise_if_broken(error: Exception) -> None:
    """Raise again what no further statement on this connection would survive."""
    if dialect_of("mysql").fault(error) in _BROKEN:
        raise error


def _table(source: Source) -> tuple[str, str]:
    table = source.version_table
    return table.schema or source.location.database or "", table.name


def _text(value: Any) -> str:
    """Return a value as text; bytes that are none, as in a binary default, become ``\\xff``."""
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "backslashreplace")
    return str(value)

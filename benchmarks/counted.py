"""What the revisions made of a target, to tell whether two ways did the same."""

from collections.abc import Sequence
from contextlib import closing

from benchmarks import contenders

SAMPLE = 20
"""Targets whose tables are counted, from all over a fleet."""
OURS = "^[tp][0-9]+$"
"""The tables of the revisions, and of no tool."""

_INDEXES = {
    "postgresql": "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema()"
    f" AND tablename ~ '{OURS}'",
    "mysql": "SELECT count(DISTINCT table_name, index_name) FROM information_schema.statistics"
    f" WHERE table_schema = database() AND table_name REGEXP '{OURS}'",
}
_LIKE = {
    "postgresql": f"table_schema = current_schema() AND table_name ~ '{OURS}'",
    "mysql": f"table_schema = database() AND table_name REGEXP '{OURS}'",
}


def counted(url: str) -> tuple[int, int, int]:
    """Count the tables that the revisions made, their columns and their indexes."""
    server = _server(url)
    columns = f"SELECT count(*) FROM information_schema.columns WHERE {_LIKE[server]}"
    sql = f"SELECT ({_tables(server, 'count(*)')}), ({columns}), ({_INDEXES[server]})"
    tables, columned, indexes = _rows(url, sql)[0]
    return int(tables), int(columned), int(indexes)


def sampled(urls: Sequence[str]) -> list[tuple[int, int, int]]:
    """Count those of some targets from all over a fleet."""
    return [counted(url) for url in urls[:: max(1, len(urls) // SAMPLE)]]


def named(url: str) -> frozenset[str]:
    """Return the names of the tables that the revisions made."""
    return frozenset(name for (name,) in _rows(url, _tables(_server(url), "table_name")))


def _tables(server: str, what: str) -> str:
    return f"SELECT {what} FROM information_schema.tables WHERE {_LIKE[server]}"


def _server(url: str) -> str:
    return "postgresql" if url.startswith("postgresql") else "mysql"


def _rows(url: str, sql: str) -> list[tuple[str, ...]]:
    with closing(contenders.connect(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())

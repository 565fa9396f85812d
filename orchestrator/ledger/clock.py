"""The time by a ledger's own clock, which everybody who uses the ledger shares."""

from sqlalchemy import BigInteger, Connection, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import literal_column

_NOW = {
    # SQLite counts days, but in whole milliseconds inside.
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)",
    # Not UNIX_TIMESTAMP(NOW()): that goes through local time, which has an hour twice.
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)",
}


def clock(backend: str) -> ColumnElement[int]:
    """SQL for the milliseconds since 1970-01-01 UTC."""
    return literal_column(_NOW.get(backend, _NOW["mysql"]), BigInteger)


def now(connection: Connection) -> int:
    """Ask what time it is."""
    return int(connection.execute(select(clock(connection.dialect.name))).scalar_one())

"""The tables of a ledger, as this program reads and writes them.

``versions/`` makes them. Times are whole milliseconds since 1970-01-01 UTC: MySQL's FLOAT has
single precision.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

LONGEST_KEY = 255
VERSION_TABLE = "orchestrator_version"

Big = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
Serial = BigInteger().with_variant(Integer(), "sqlite")
metadata = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(f"orchestrator_{name}", metadata, *columns)


def _key(name: str, *, primary: bool = False) -> Column[Any]:
    return Column(name, String(LONGEST_KEY), primary_key=primary, nullable=False)


def _run(**options: Any) -> Column[Any]:
    return Column("run", Integer, nullable=False, **options)


runs = _table(
    "runs",
    Column("id", Integer, primary_key=True),
    Column("project", Big, nullable=False),
    Column("verb", String(32), nullable=False),
    Column("revision", Big, nullable=False),
    Column("state", String(16), nullable=False),
    Column("by", Big, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("reason", Big),
    Column("waits_until", BigInteger),
    Column("stopped_by", Big),
    Column("parent", Integer),
    Column("digest", String(128), nullable=False),
    Column("plan", Big, nullable=False),
    Column("total", Integer, nullable=False),
    Column("holder", Big),
    Column("token", Integer, nullable=False),
    Column("heartbeat_at", BigInteger),
    Column("request", String(16)),
    Column("request_by", Big),
)
waves = _table(
    "waves",
    _run(primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Big, nullable=False),
    Column("environment", Big, nullable=False),
    Column("budget", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("failed", Integer, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
)
targets = _table(
    "targets",
    _run(primary_key=True),
    Column("position", Integer, primary_key=True),
    _key("name"),
    Column("long_name", Big),
    _key("environment"),
    _key("database"),
    Column("server", Big, nullable=False),
    Column("wave", Integer, nullable=False),
    Column("heads", Big),
    Column("goal", Big),
    Column("schema_class", Big),
    Column("detail", Big, nullable=False),
    Column("state", String(32)),
    Column("attempts", Integer, nullable=False),
    Column("blocked_by", Big),
    Column("settled_at", BigInteger),
    Column("doubt", Boolean, nullable=False),
)
attempts = _table(
    "attempts",
    _run(primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("state", String(32)),
    Column("heads_before", Big),
    Column("heads_after", Big),
    Column("revisions", Big),
    Column("committing", Big),
    Column("failure", Big),
    Column("milliseconds", BigInteger),
    _key("environment"),
    _key("database"),
    Column("path", String(64)),
    Column("replayed", Integer),
)
gates = _table(
    "gates",
    _run(primary_key=True),
    Column("wave", Integer, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("detail", Big, nullable=False),
)
approvals = _table(
    "approvals",
    _run(primary_key=True),
    Column("wave", Integer, primary_key=True),
    Column("at", BigInteger, primary_key=True),
    _key("by", primary=True),
    Column("note", Big, nullable=False),
)
overrides = _table(
    "overrides",
    _run(primary_key=True),
    Column("wave", Integer, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    _key("by", primary=True),
    Column("reason", Big, nullable=False),
    Column("detail", Big, nullable=False),
)
remarks = _table(
    "remarks",
    _run(primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    _key("by", primary=True),
    Column("reason", Big, nullable=False),
)
standings = _table(
    "standings",
    Column("id", Serial, primary_key=True),
    _key("name"),
    Column("long_name", Big),
    _key("environment"),
    _key("database"),
    Column("heads", Big, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("run", Integer),
)
tokens = _table(
    "tokens",
    Column("id", Integer, primary_key=True),
    _key("name"),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("by", Big, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
)
sessions = _table(
    "sessions",
    Column("digest", String(64), primary_key=True),
    _key("name"),
    Column("role", String(16), nullable=False),
    Column("token", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
audit = _table(
    "audit",
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    _key("by"),
    Column("action", String(32), nullable=False),
    Column("run", Integer),
    Column("detail", Big, nullable=False),
    Column("outcome", Big, nullable=False),
)
requests = _table(
    "requests",
    _run(primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    _key("by"),
    Column("reason", Big, nullable=False),
    Column("targets", Big, nullable=False),
)
version = Table(VERSION_TABLE, metadata, Column("version_num", String(32), primary_key=True))

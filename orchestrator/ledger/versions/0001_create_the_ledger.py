"""Create the ledger."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT

revision = "0001"
down_revision = None

BIG = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Names differ where a single character does.
_TABLE: Any = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in {
        "engine": "InnoDB",
        "charset": "utf8mb4",
        "collate": "utf8mb4_bin",
    }.items()
}


def upgrade() -> None:
    """Make what is not there: without transactional DDL, a killed program leaves a part of it."""
    _runs()
    _waves()
    _targets()
    _attempts()
    _conditions()
    _remarks()
    _standings()


def _runs() -> None:
    _create(
        "orchestrator_runs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("project", BIG, nullable=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("by", BIG, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("reason", BIG),
        sa.Column("waits_until", sa.BigInteger),
        sa.Column("stopped_by", BIG),
        sa.Column("parent", sa.Integer),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("plan", BIG, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("holder", BIG),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger),
        sa.Column("request", sa.String(16)),
        sa.Column("request_by", BIG),
    )
    _index("orchestrator_runs", ["state"])


def _waves() -> None:
    _create(
        "orchestrator_waves",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", BIG, nullable=False),
        sa.Column("environment", BIG, nullable=False),
        sa.Column("budget", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
    )


def _targets() -> None:
    _create(
        "orchestrator_targets",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("long_name", BIG),
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("database", sa.String(255), nullable=False),
        sa.Column("server", BIG, nullable=False),
        sa.Column("wave", sa.Integer, nullable=False),
        sa.Column("heads", BIG),
        sa.Column("goal", BIG),
        sa.Column("schema_class", BIG),
        sa.Column("detail", BIG, nullable=False),
        sa.Column("state", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("blocked_by", BIG),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("doubt", sa.Boolean, nullable=False),
    )
    _index("orchestrator_targets", ["run", "state"])
    _index("orchestrator_targets", ["name"])
    _index("orchestrator_targets", ["doubt", "name"])


def _attempts() -> None:
    _create(
        "orchestrator_attempts",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("state", sa.String(32)),
        sa.Column("heads_before", BIG),
        sa.Column("heads_after", BIG),
        sa.Column("revisions", BIG),
        sa.Column("committing", BIG),
        sa.Column("failure", BIG),
        sa.Column("milliseconds", sa.BigInteger),
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("database", sa.String(255), nullable=False),
        sa.Column("path", sa.String(64)),
    )
    _index("orchestrator_attempts", ["run", "state"])
    _index("orchestrator_attempts", ["run", "milliseconds"])
    _index("orchestrator_attempts", ["path", "database", "ended_at"])


def _conditions() -> None:
    _create(
        "orchestrator_gates",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("wave", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), primary_key=True),
        sa.Column("detail", BIG, nullable=False),
    )
    _create(
        "orchestrator_approvals",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("wave", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("by", sa.String(255), primary_key=True),
        sa.Column("note", BIG, nullable=False),
    )
    _create(
        "orchestrator_overrides",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("wave", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("by", sa.String(255), primary_key=True),
        sa.Column("reason", BIG, nullable=False),
        sa.Column("detail", BIG, nullable=False),
    )


def _remarks() -> None:
    _create(
        "orchestrator_remarks",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("what", sa.String(16), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("by", sa.String(255), primary_key=True),
        sa.Column("reason", BIG, nullable=False),
    )


def _standings() -> None:
    _create(
        "orchestrator_standings",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("long_name", BIG),
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("database", sa.String(255), nullable=False),
        sa.Column("heads", BIG, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("run", sa.Integer),
    )
    _index("orchestrator_standings", ["name", "since"])
    _index("orchestrator_standings", ["environment", "database"])


def _create(name: str, *columns: sa.Column[Any]) -> None:
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns, **_TABLE)


def _index(table: str, columns: Sequence[str]) -> None:
    name = "_".join(["ix", table, *columns])
    there = sa.inspect(op.get_bind()).get_indexes(table)
    if name not in {index["name"] for index in there}:
        op.create_index(name, table, list(columns))

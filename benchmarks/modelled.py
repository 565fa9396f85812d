"""A project whose database has a model of some tables, made by one revision."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.subject import Subject

ENV_PY = """
import os
from sqlalchemy import create_engine, pool
from alembic import context
from models import metadata

config = context.config


def run():
    url = config.get_main_option("sqlalchemy.url") or os.environ["DATABASE_URL"]
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name=os.environ["DIALECT"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run()
"""

TABLES = (
    *("accounts", "users", "addresses", "categories", "products"),
    *("prices", "warehouses", "stocks", "carts", "cart_items"),
    *("orders", "order_items", "payments", "refunds", "shipments"),
    *("parcels", "invoices", "invoice_items", "reviews", "messages"),
)
"""Each but the first refers to the one before it."""

COLUMNS = """\
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("name", sa.String(120)),
    sa.Column("status", sa.Enum("new", "open", "done", name="{table}_status"), nullable=False),
    sa.Column("amount", sa.Numeric(12, 2), server_default=sa.text("0"), nullable=False),
    sa.Column("created", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
    sa.Column("updated", sa.DateTime),
    sa.UniqueConstraint("code", name="uq_{table}_code"),
"""
REFERENCE = """\
    sa.Column("parent_id", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["parent_id"], ["{parent}.id"], name="fk_{table}_parent"),
"""
INDEXES = (("status", "created"), ("parent_id",))

REVISION = '''"""all tables"""
from alembic import op
import sqlalchemy as sa

revision = "r000"
down_revision = None


def upgrade():
{upgrade}


def downgrade():
    raise NotImplementedError
'''


def write(folder: Path, template: str, urls: Sequence[str], tables: int) -> Subject:
    """Write models, migrations and ``alembic.ini``; ``list_tenants`` writes the rest."""
    shutil.rmtree(folder, ignore_errors=True)
    versions = folder / "migrations/app/versions"
    versions.mkdir(parents=True)
    (folder / "template").write_text(template)
    (folder / "migrations/app/env.py").write_text(ENV_PY)
    (folder / "migrations/app/script.py.mako").write_text("")
    names = TABLES[:tables]
    (folder / "models.py").write_text(
        "import sqlalchemy as sa\n\nmetadata = sa.MetaData()\n" + _each(names, _modelled)
    )
    (versions / "r000.py").write_text(REVISION.format(upgrade=_each(names, _migrated)))
    ini = "[alembic]\nscript_location = migrations/app\nprepend_sys_path = .\n"
    (folder / "alembic.ini").write_text(ini)
    return Subject(folder, tuple(urls), 1)


def list_tenants(subject: Subject, tenants: Sequence[str], parallel: int, schema: str = "") -> None:
    """Write the ``environments.toml`` of some tenants."""
    names = "".join(f'    "{tenant}",\n' for tenant in tenants)
    of_schema = f'schema = "{schema}"\n' if schema else ""
    (subject.folder / "environments.toml").write_text(
        f"""
[project]
name = "benchmark"

[databases.app]
script_location = "migrations/app"
python_path = ["."]

[environments.prod]
url = '{(subject.folder / "template").read_text()}'
{of_schema}tenants = [
{names}]

[environments.prod.rollout]
max_parallel = {parallel}
max_per_server = {parallel}
"""
    )


def _each(names: Sequence[str], write_one: Callable[[str, str], str]) -> str:
    parents = ("", *names)
    return "".join(write_one(table, parents[at]) for at, table in enumerate(names))


def _modelled(table: str, parent: str) -> str:
    indexes = "".join(
        f"sa.Index({_name(table, columns)}, {', '.join(f't.c.{c}' for c in columns)})\n"
        for columns in _indexes(parent)
    )
    return f't = sa.Table(\n    "{table}",\n    metadata,\n{_columns(table, parent)})\n{indexes}'


def _migrated(table: str, parent: str) -> str:
    indexes = "".join(
        f'    op.create_index({_name(table, columns)}, "{table}", {list(columns)})\n'
        for columns in _indexes(parent)
    )
    return f'    op.create_table(\n    "{table}",\n{_columns(table, parent)}    )\n{indexes}'


def _columns(table: str, parent: str) -> str:
    return (COLUMNS + REFERENCE * bool(parent)).format(table=table, parent=parent)


def _indexes(parent: str) -> Sequence[tuple[str, ...]]:
    return INDEXES if parent else INDEXES[:1]


def _name(table: str, columns: Sequence[str]) -> str:
    return f'"ix_{table}_{columns[0]}"'

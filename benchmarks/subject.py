"""The project that is measured: so many tenants, so many revisions, for us and for Alembic."""

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

ENV_PY = """
import os
from sqlalchemy import create_engine, pool
from alembic import context

config = context.config


def run():
    url = config.get_main_option("sqlalchemy.url") or os.environ["DATABASE_URL"]
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=None)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name=os.environ["DIALECT"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run()
"""

REVISION = '''"""revision {number}"""
from alembic import op
import sqlalchemy as sa

revision = "r{number:03}"
down_revision = {down!r}


def upgrade():
{upgrade}


def downgrade():
    raise NotImplementedError
'''

CREATE = """\
    op.create_table(
        "t{table}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("created", sa.DateTime),
    )
"""
INDEX = """\
    op.create_index("ix_t{table}_name", "t{table}", ["name"])
"""
ADD = """\
    op.add_column("t{table}", sa.Column("price", sa.Numeric(10, 2)))
"""
FILL = """\
    op.execute("UPDATE t{table} SET price = 0 WHERE price IS NULL")
"""
PAIR = """\
    op.create_table("p{table}", sa.Column("id", sa.Integer, primary_key=True))
"""
WORKLOADS = {
    "one": ((CREATE,), (INDEX,), (ADD,), (FILL,)),
    "three": ((CREATE, INDEX, ADD),),
    "pair": ((CREATE, PAIR),),
}
"""What the revisions do, in turns: one statement each, as most; three of DDL each; two tables."""


@dataclass(frozen=True)
class Subject:
    """A project folder, with the URL of each of its tenants."""

    folder: Path
    urls: tuple[str, ...]
    parallel: int
    tenants: tuple[str, ...] = ()

    @property
    def dialect(self) -> str:
        return self.urls[0].partition("+")[0].partition(":")[0]


def write(
    folder: Path,
    template: str,
    urls: tuple[str, ...],
    tenants: list[str],
    options: argparse.Namespace,
    schema: str = "",
) -> Subject:
    """Write ``environments.toml`` for us, ``alembic.ini`` for Alembic, and one set of revisions."""
    shutil.rmtree(folder, ignore_errors=True)
    versions = folder / "migrations/app/versions"
    versions.mkdir(parents=True)
    (folder / "migrations/app/env.py").write_text(ENV_PY)
    (folder / "migrations/app/script.py.mako").write_text("")
    turns = WORKLOADS[options.workload]
    for number in range(options.revisions):
        down = f"r{number - 1:03}" if number else None
        deeds = "".join(turns[number % len(turns)]).format(table=number // len(turns))
        text = REVISION.format(number=number, down=down, upgrade=deeds)
        (versions / f"r{number:03}.py").write_text(text)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations/app\n")
    names = ", ".join(f'"{tenant}"' for tenant in tenants)
    (folder / "environments.toml").write_text(
        f"""
[project]
name = "benchmark"

[databases.app]
script_location = "migrations/app"

[environments.prod]
url = '{template}'
{f'schema = "{schema}"' if schema else ""}
tenants = [{names}]

[environments.prod.rollout]
max_parallel = {options.parallel}
max_per_server = {options.parallel}
"""
    )
    return Subject(folder, urls, options.parallel, tuple(tenants))

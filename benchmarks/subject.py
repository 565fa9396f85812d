"""The project that is measured: so many tenants, so many revisions, for us and for Alembic."""

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
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("created", sa.DateTime),
    )
    op.create_index("ix_t{number}_name", "t{number}", ["name"])
    op.add_column("t{number}", sa.Column("price", sa.Numeric(10, 2)))


def downgrade():
    op.drop_table("t{number}")
'''


@dataclass(frozen=True)
class Subject:
    """A project folder, with the URL of each of its tenants."""

    folder: Path
    urls: tuple[str, ...]
    parallel: int
    revisions: int

    @property
    def dialect(self) -> str:
        return self.urls[0].partition("+")[0].partition(":")[0]


def write(
    folder: Path,
    template: str,
    urls: tuple[str, ...],
    tenants: list[str],
    parallel: int,
    revisions: int,
) -> Subject:
    """Write ``environments.toml`` for us, ``alembic.ini`` for Alembic, and one set of revisions."""
    shutil.rmtree(folder, ignore_errors=True)
    versions = folder / "migrations/app/versions"
    versions.mkdir(parents=True)
    (folder / "migrations/app/env.py").write_text(ENV_PY)
    (folder / "migrations/app/script.py.mako").write_text("")
    for number in range(revisions):
        down = f"r{number - 1:03}" if number else None
        (versions / f"r{number:03}.py").write_text(REVISION.format(number=number, down=down))
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
tenants = [{names}]

[environments.prod.rollout]
max_parallel = {parallel}
max_per_server = {parallel}
"""
    )
    return Subject(folder, urls, parallel, revisions)

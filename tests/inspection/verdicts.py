"""Files of SQLite, and what Alembic says of a database against models, in words."""

import sqlite3
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool


def verdicts(url: str, models: Sequence[MetaData]) -> list[list[str]]:
    """Return the lines that autogenerate writes for each model: the way there, and the way back.

    The way back tells how what is in the database is made.
    """
    options = {"compare_type": True, "compare_server_default": True}
    found = []
    engine = create_engine(url, poolclass=NullPool)
    with warnings.catch_warnings(), engine.connect() as connection:
        warnings.simplefilter("ignore")  # of what can't be reflected, or has no name to drop it by
        for model in models:
            context = MigrationContext.configure(connection, opts=options)
            there = produce_migrations(context, model).upgrade_ops
            assert there is not None
            code = [
                render_python_code(ops, migration_context=context)
                for ops in (there, there.reverse())
            ]
            found.append(sorted("\n".join(code).splitlines()))
            connection.rollback()
    return found


def made(file: Path, sql: str) -> str:
    """Make a file by statements; return its URL."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA synchronous = OFF; {sql}")
    return f"sqlite:///{file}"

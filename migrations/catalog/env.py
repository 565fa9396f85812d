"""Alembic's environment of the catalog database: plain Alembic, nothing of the orchestrator's.

The orchestrator hands over its own connection, as Alembic's cookbook does. By hand, from the
project's folder:

    alembic -c migrations/alembic.ini -n catalog -x url=sqlite:///catalog.db upgrade head
"""

from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, pool

from migrations.catalog.models import metadata

OPTIONS: dict[str, Any] = {
    "target_metadata": metadata,
    "compare_type": True,
    # SQLite cannot alter a table in place: new revisions are written so that they run there, too.
    "render_as_batch": True,
}


def url() -> str:
    """Return what ``-x url=`` says, or else ``sqlalchemy.url``."""
    given = context.get_x_argument(as_dictionary=True).get("url")
    found = given or context.config.get_main_option("sqlalchemy.url")
    if not found:
        raise SystemExit("name the database: alembic -x url=sqlite:///catalog.db ...")
    return str(found)


def migrate(connection: Connection) -> None:
    """Run the migrations on a connection."""
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def migrate_by_url() -> None:
    """Run the migrations on a connection of our own."""
    engine = create_engine(url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        migrate(connection)


def write_sql() -> None:
    """Write the migrations as SQL (``alembic upgrade --sql``)."""
    context.configure(
        url=url(), literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
elif (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    migrate_by_url()

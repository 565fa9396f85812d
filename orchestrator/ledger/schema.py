"""The ledger's own schema: made on first use, upgraded under a lock, never downgraded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.dialects.faults import NO_ACCESS
from orchestrator.errors import Refused, UsageError
from orchestrator.ledger.connecting import Database
from orchestrator.ledger.errors import LedgerLost
from orchestrator.ledger.tables import VERSION_TABLE, version

HEAD = "0003"
"""The newest revision in ``versions/``: known here so that most often Alembic is not needed."""

_FOLDER = Path(__file__).parent
_LOCK_SECONDS = 60
_ADVISORY_KEY = 6_420_091_337_260_112_113
_MYSQL_LOCK = "CONCAT('orchestrator_ledger:', LEFT(SHA2(DATABASE(), 256), 40))"
_OWN = ("orchestrator_", "sqlite_")


def ensure(database: Database) -> None:
    """Bring the ledger's schema to ``HEAD``.

    Processes that do so at once wait for each other. Raises ``Refused`` for a ledger of a newer
    program, ``UsageError`` for a database that is somebody else's.
    """
    if _version(database) == HEAD:
        return
    with database.session() as connection, _locked(connection, database):
        _upgrade(connection, database)


def _version(database: Database) -> str | None:
    """Return the revision it is at, ``None`` where there is no ledger yet."""
    try:
        with database.engine.connect() as connection:
            return connection.execute(select(version.c.version_num)).scalar()
    except SQLAlchemyError as error:
        if database.fault(error) in NO_ACCESS:
            raise database.lost(error) from None
        return None  # no such table; or what we shall be told again in a moment


@contextmanager
def _locked(connection: Connection, database: Database) -> Iterator[None]:
    if database.backend in ("mysql", "mariadb"):
        with _named_lock(connection, database):
            yield
        return
    with connection.begin():  # on SQLite that is the lock
        if database.backend == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            connection.execute(text(f"SET LOCAL statement_timeout = '{_LOCK_SECONDS}s'"))
            # The transaction's, not the session's: a pooler may keep the session.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_KEY})"))
        yield


@contextmanager
def _named_lock(connection: Connection, database: Database) -> Iterator[None]:
    had = connection.execute(text(f"SELECT GET_LOCK({_MYSQL_LOCK}, {_LOCK_SECONDS - 10})")).scalar()
    connection.commit()
    if had != 1:
        raise LedgerLost(
            f"the ledger at {database.shown}: somebody else has been upgrading it for long; "
            "find out who, then try again"
        )
    try:
        yield
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT RELEASE_LOCK({_MYSQL_LOCK})"))
        connection.commit()


def _upgrade(connection: Connection, database: Database) -> None:
    there = set(inspect(connection).get_table_names())
    at = None
    if VERSION_TABLE in there:
        at = connection.execute(select(version.c.version_num)).scalar()
    if at == HEAD:
        return
    if at is None:
        _refuse_tenants(connection, there, database)
    _run(connection, at, database)


def _refuse_tenants(connection: Connection, there: set[str], database: Database) -> None:
    others = sorted(name for name in there if not name.startswith(_OWN))
    if "alembic_version" in others or (others and database.backend == "sqlite"):
        raise UsageError(
            f"project.ledger: {database.shown} looks like a tenant's database: it has a table "
            f"'{others[0]}'; keep the ledger in a database of its own"
        )
    if database.backend == "postgresql":
        encoding = connection.execute(text("SHOW server_encoding")).scalar()
        if encoding != "UTF8":
            raise UsageError(
                f"project.ledger: {database.shown} stores text as {encoding}, which does not have "
                "every name; make a database with ENCODING 'UTF8'"
            )


def _run(connection: Connection, at: str | None, database: Database) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(_FOLDER))
    try:
        if at is not None:
            scripts.get_revision(at)
    except (CommandError, RevisionError):
        raise Refused(
            f"the ledger at {database.shown} was written by a newer orchestrator: it is at "
            f"revision {at}, and this program knows {HEAD}; upgrade this program"
        ) from None

    def steps(heads: Any, _context: Any) -> Any:
        return scripts._upgrade_revs("head", heads)

    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "fn": steps, "script": scripts}
    )
    with Operations.context(context):
        context.run_migrations()

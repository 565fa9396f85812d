"""What ``env.py`` passes to ``context.configure()``, and what becomes of it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, make_url

from orchestrator.fleet.version_table import NOT_OWN_STEP, VersionTable
from orchestrator.worker.connection.session import LeftTarget, Session
from orchestrator.worker.connection.urls import leads_to, shown_url, url_of
from orchestrator.worker.environment.connections import Connections
from orchestrator.worker.environment.lazy_connection import LazyConnection
from orchestrator.worker.environment.refusals import NotRun
from orchestrator.worker.scripts.directory import Scripts

_SESSIONS_OWN = frozenset({"isolation_level"})


@dataclass(frozen=True, slots=True)
class Configured:
    """One call of ``context.configure()``."""

    database: str
    """Which database ``env.py`` meant, as a URL without its password."""
    place: str | None
    """Where unqualified names led then; see ``Session.place``."""
    table: VersionTable
    is_target: bool
    """Both are the target's own."""

    def __str__(self) -> str:
        return self.database if self.table.schema is None else f"{self.database} ({self.table})"


def configured(
    connection: Any,
    theirs: dict[str, Any],
    scripts: Scripts,
    session: Session,
    connections: Connections,
) -> tuple[Configured, str | None]:
    """Describe a call, and put the session right for it; return also where migrations will run.

    Raises ``NotRun``, ``LeftTarget``.
    """
    connection = theirs.get("connection") if connection is None else connection
    _take_over(connection, session)
    place = _place(connection, session, connections)
    table = _version_table(theirs, scripts, session)
    url = _url(connection, theirs.get("url"), session)
    own = session.location.schema
    call = Configured(
        database=shown_url(url),
        place=place,
        table=table,
        is_target=leads_to(url, session.location)
        and place == session.place
        and (None in (table.schema, own) or table.schema == own),
    )
    return call, _settled_place(place, session)


def settled_options(
    theirs: dict[str, Any], call: Configured, scripts: Scripts, session: Session
) -> dict[str, Any]:
    """Return what is passed on to Alembic: all but the connection."""
    ours = {"connection", "url", "dialect_name", "output_buffer"}
    kept = {key: value for key, value in theirs.items() if key not in ours}
    kept["version_table"] = call.table.name
    kept["version_table_schema"] = call.table.schema
    if kept.get("target_metadata") is None:
        kept["target_metadata"] = scripts.metadata()
    if session.location.backend == "sqlite" and kept.get("transactional_ddl") is None:
        kept["transactional_ddl"] = True  # the session begins real transactions
    return kept


def _take_over(connection: Any, session: Session) -> None:
    """Keep what ``env.py`` set on a connection that ours takes the place of."""
    if not isinstance(connection, Connection) or connection is session.connection:
        return
    if (
        isinstance(connection, LazyConnection)
        and connection.moved
        and session.location.schema is None
    ):
        raise NotRun(
            f"env.py chooses a schema on a connection of its own "
            f"({shown_url(connection.engine.url)})",
            "say the schema in environments.toml: schema = …",
        )
    options = connection.get_execution_options().items()
    kept = {name: value for name, value in options if name not in _SESSIONS_OWN}
    if kept:
        session.connection.execution_options(**kept)


def _place(connection: Any, session: Session, connections: Connections) -> str | None:
    """Ask where unqualified names lead on what ``env.py`` passes, if that leads to the target."""
    is_another = isinstance(connection, Connection) and connection is not session.connection
    if is_another and connections.is_targets(connection.engine):
        return session.place_of(connection)
    return session.place_of(session.connection)


def _settled_place(place: str | None, session: Session) -> str | None:
    """Lead the session back to its target where ``env.py`` led it away."""
    if place == session.place:
        return place
    schema = session.location.schema
    statement = session.dialect.use_schema(schema) if schema else None
    if statement is not None:
        session.connection.exec_driver_sql(statement)
        return session.place
    if session.location.backend != "postgresql":
        raise LeftTarget("env.py turns the session to another database (USE)")
    if session.place_of(session.connection) != place:
        raise NotRun(
            "env.py chooses a schema on a second connection, while a transaction is open on "
            "another one",
            "let it end that transaction first, or say the schema in environments.toml",
        )
    return place  # the target is the whole database, and env.py chooses the schema in it


def _version_table(theirs: dict[str, Any], scripts: Scripts, session: Session) -> VersionTable:
    database = scripts.database
    said = {"name": database.version_table, "schema": database.version_table_schema}
    asked = {"name": theirs.get("version_table"), "schema": theirs.get("version_table_schema")}
    for part, key in (("name", "version_table"), ("schema", "version_table_schema")):
        if None not in (said[part], asked[part]) and said[part] != asked[part]:
            raise NotRun(
                f"env.py keeps its versions in {key} '{asked[part]}', environments.toml says "
                f"'{said[part]}'",
                f"leave {key} out of [databases.{scripts.name}], or say what env.py says",
            )
    name = asked["name"] or said["name"] or VersionTable().name
    schema = asked["schema"] or said["schema"]
    renamed = session.connection.get_execution_options().get("schema_translate_map") or {}
    return VersionTable(name, renamed.get(schema, schema))


def assert_own(table: VersionTable, session: Session) -> None:
    """Raise ``NotRun`` for a version table that is not the target's own."""
    location = session.location
    own = location.database if location.backend in {"mysql", "mariadb"} else location.schema
    if message := table.not_own(own):
        raise NotRun(message, NOT_OWN_STEP)


def _url(connection: Any, url: Any, session: Session) -> URL:
    """Return the URL of the database that a call means; the target's where it names none."""
    found = getattr(getattr(connection, "engine", connection), "url", url)
    is_ours = connection is session.connection or found is None
    return url_of(session.location) if is_ours else make_url(found)

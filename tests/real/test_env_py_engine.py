"""What env.py's own engine gives its connections holds for ours, too, or is refused with words."""

from collections.abc import Callable

import pytest

from tests.real.conftest import Fleet

ENV_PY = """
import os
from alembic import context
from sqlalchemy import create_engine, event, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url"){arguments})

{listeners}

with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
ASK = """
op.create_table("found", sa.Column("word", sa.String(50)))
word = op.get_bind().exec_driver_sql({sql!r}).scalar()
op.get_bind().execute(sa.text("INSERT INTO found VALUES (:word)"), dict(word=str(word)))
"""
ON_CONNECT = """
@event.listens_for(engine, "connect")
def heard(dbapi_connection, record):
    cursor = dbapi_connection.cursor()
    cursor.execute({sql!r})
    cursor.close()
"""
DO_CONNECT = """
@event.listens_for(engine, "do_connect")
def heard(dialect, record, cargs, cparams):
    cparams.update({arguments!r})
"""
REWRITES = """
@event.listens_for(engine, "before_cursor_execute", retval=True)
def heard(connection, cursor, statement, parameters, context, executemany):
    return statement.replace("'plain'", "'rewritten'"), parameters
"""

APPLIED = {
    "a pragma of a listener": (
        "sqlite",
        "",
        ON_CONNECT.format(sql="PRAGMA cache_size = 4242"),
        "PRAGMA cache_size",
        "4242",
    ),
    "what makes no difference": (
        "sqlite",
        ", connect_args={'check_same_thread': False, 'timeout': 30}",
        "",
        "SELECT 'fine'",
        "fine",
    ),
    "options of PostgreSQL": (
        "postgres",
        ", connect_args={'options': '-c work_mem=7MB'}",
        "",
        "SHOW work_mem",
        "7MB",
    ),
    "options that a listener adds": (
        "postgres",
        "",
        DO_CONNECT.format(arguments={"options": "-c work_mem=9MB", "password": "of no use"}),
        "SHOW work_mem",
        "9MB",
    ),
    "a role": ("postgres", "", ON_CONNECT.format(sql="SET ROLE pg_monitor"), None, None),
    "an init_command of MariaDB": (
        "mariadb",
        ", connect_args={'init_command': 'SET @word = 42'}",
        "",
        "SELECT @word",
        "42",
    ),
    "an init_command of MySQL": (
        "mysql",
        ", connect_args={'init_command': 'SET @word = 42'}, poolclass=pool.NullPool",
        "",
        "SELECT @word",
        "42",
    ),
    "several statements at once": (
        "mariadb",
        ", connect_args={'client_flag': 65536}",
        "",
        "SELECT 7; SELECT 8",
        "7",
    ),
    "a listener that rewrites statements": (
        "postgres",
        "",
        REWRITES,
        "SELECT 'plain'",
        "rewritten",
    ),
}


@pytest.mark.parametrize("what", APPLIED)
def test_it_holds_for_every_target(what: str, new_fleet: Callable[[str], Fleet]) -> None:
    kind, arguments, listeners, sql, word = APPLIED[what]
    fleet = new_fleet(kind)
    fleet.declare(3, max_parallel=1)
    fleet.project.scripts(env_py=ENV_PY.format(arguments=arguments, listeners=listeners))
    if what == "a role":
        for tenant in fleet.tenants:
            fleet.rows(tenant, "GRANT CREATE ON SCHEMA public TO pg_monitor")
        sql, word = "SELECT current_user", "pg_monitor"
    fleet.project.revision("a1", None, ASK.format(sql=sql))

    fleet.project.run("upgrade")

    for tenant in fleet.tenants:
        assert fleet.rows(tenant, "SELECT word FROM found") == [(word,)]
    fleet.project.run("upgrade", "--sql", "-")
    fleet.project.run("downgrade", "prod", "--revision", "base", "--yes", code=0)


CONNECTS = """
import psycopg

@event.listens_for(engine, "do_connect")
def heard(dialect, record, cargs, cparams):
    return psycopg.connect(*cargs, **cparams)
"""
OTHER_EACH_TIME = """
@event.listens_for(engine, "do_connect")
def heard(dialect, record, cargs, cparams):
    count = int(os.environ.get("COUNT", "64")) + 1
    os.environ["COUNT"] = str(count)
    cparams["options"] = f"-c work_mem={count}kB"
"""
REFUSED = {
    "another schema": (
        ", connect_args={'options': '-c search_path=pg_catalog'}",
        "",
        "env.py's engine leads to schema",
    ),
    "a listener that leads elsewhere": (
        "",
        ON_CONNECT.format(sql="SET search_path TO pg_catalog"),
        "a listener of env.py's engine leads to another database or schema",
    ),
    "a connection of its own": (
        "",
        CONNECTS,
        "makes its connections itself",
    ),
    "each target its own": ("", OTHER_EACH_TIME, "connects with another options"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_ours_can_not_have_is_refused(what: str, new_fleet: Callable[[str], Fleet]) -> None:
    arguments, listeners, words = REFUSED[what]
    fleet = new_fleet("postgres")
    fleet.declare(1)
    fleet.project.scripts(env_py=ENV_PY.format(arguments=arguments, listeners=listeners))
    fleet.project.revision("a1", None, "op.execute('CREATE TABLE t (id int)')")

    ran = fleet.project.run("upgrade", code=3)

    assert words in " ".join(ran.out.split()), ran
    assert "in the url" in ran.out.lower() or "engine of its own" in ran.out, ran
    assert fleet.tables("t000") <= {"alembic_version"}

"""Which driver takes the place of an asynchronous one."""

import pytest

from orchestrator.dialects.drivers import sync_driver, sync_query


@pytest.mark.parametrize(
    ("driver", "installed", "ours"),
    [
        ("postgresql+asyncpg", {"psycopg", "psycopg2"}, "postgresql+psycopg"),
        ("postgresql+asyncpg", {"psycopg2"}, "postgresql+psycopg2"),
        ("postgresql+asyncpg", set(), "postgresql+psycopg"),
        ("postgresql+psycopg_async", {"psycopg"}, "postgresql+psycopg"),
        ("mariadb+asyncmy", {"pymysql"}, "mariadb+pymysql"),
        ("sqlite+aiosqlite", {"pysqlite"}, "sqlite+pysqlite"),
        ("mysql+pymysql", set(), "mysql+pymysql"),
        ("sqlite", set(), "sqlite"),
    ],
)
def test_it_is_the_first_that_is_installed(driver: str, installed: set[str], ours: str):
    assert sync_driver(driver, installed.__contains__) == ours


def test_what_only_the_asynchronous_driver_understands_is_left_out_or_renamed():
    query = {"ssl": "require", "prepared_statement_cache_size": "0", "application_name": "x"}

    found = sync_query("postgresql+asyncpg", query)

    assert found == {"sslmode": "require", "application_name": "x"}
    assert sync_query("postgresql+psycopg", query) == query

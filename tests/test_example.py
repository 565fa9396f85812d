"""The example's revisions lead to its models, on every kind of server, and back."""

import importlib
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from tests.servers import Server, unique

ROOT = Path(__file__).parent.parent
BEFORE = "0003"  # the revision before the data migration
ROWS = {
    "catalog": [
        "INSERT INTO products (sku, name, price, category_id) VALUES ('a', 'Red Chair', 3.5, 1)",
        "INSERT INTO products (sku, name, price, category_id) VALUES ('b', 'Red Chair', 4, 2)",
    ],
    "orders": [
        "INSERT INTO customers (email, name) VALUES ('a@b.example', 'A')",
        "INSERT INTO orders (number, customer_id) VALUES ('n1', 1), ('n2', 1)",
        "INSERT INTO order_lines (order_id, sku, quantity, unit_price) VALUES (1, 'a', 2, 3.50)",
        "INSERT INTO order_lines (order_id, sku, quantity, unit_price) VALUES (1, 'b', 1, 4)",
    ],
}
FOUND = {
    "catalog": ("SELECT slug FROM products ORDER BY id", ["red-chair-1", "red-chair-2"]),
    "orders": ("SELECT total FROM orders ORDER BY id", [11, 0]),
}


@pytest.fixture(params=["sqlite", "mariadb", "mysql", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/example.db"
        return
    server: Server = request.getfixturevalue(request.param)
    with server.databases(unique("example")) as (name,):
        yield server.url(name)


@pytest.fixture
def engine(url: str):
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("database", ["catalog", "orders"])
def test_plain_alembic_brings_it_to_its_models_and_back(
    database: str, url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(os.fspath(ROOT))
    config = Config()
    config.set_main_option("script_location", os.fspath(ROOT / "migrations" / database))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, BEFORE)
    with engine.begin() as connection:
        for row in ROWS[database]:
            connection.execute(sa.text(row))
    command.upgrade(config, "head")
    query, expected = FOUND[database]
    with engine.connect() as connection:
        assert list(connection.execute(sa.text(query)).scalars()) == expected
    assert differences(database, engine) == []
    command.downgrade(config, "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    command.upgrade(config, "head")
    assert differences(database, engine) == []


def differences(database: str, engine: sa.Engine) -> list[object]:
    """Return what autogenerate would change."""
    models = importlib.import_module(f"migrations.{database}.models")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, models.Base.metadata))

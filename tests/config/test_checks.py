"""Checks beyond types, each with its message."""

# ruff: noqa: E501, ISC004 - a message is compared as it is shown, in several lines

import pytest

from orchestrator.config.load import load
from tests.config.examples import ALL

DEV = 'environments.dev.url = "sqlite:///var/{database}.db"\n'


@pytest.mark.parametrize("text", ALL)
def test_valid_files_are_valid(text, tmp_path):
    (tmp_path / "environments.toml").write_text(text)
    assert load(tmp_path / "environments.toml").config.environments


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            DEV + 'project.order = ["dve"]',
            "environments.toml:5:18: unknown environment 'dve' in order\n      did you mean 'dev'?",
        ),
        (
            DEV + 'project.order = ["zzz"]',
            "environments.toml:5:18: unknown environment 'zzz' in order\n      there are: dev",
        ),
        (
            DEV + 'project.order = ["dev", "dev"]',
            "environments.toml:5:25: environment 'dev' is twice in order",
        ),
        (
            DEV + 'databases.orders.after = ["catlog"]',
            "environments.toml:5:27: unknown database 'catlog' in after\n"
            "      did you mean 'catalog'?",
        ),
        (
            DEV + 'databases.orders.after = ["catalog", "catalog"]',
            "environments.toml:5:38: database 'catalog' is twice in after",
        ),
        (
            DEV + 'databases.orders.after = ["orders"]',
            "environments.toml:5:27: database 'orders' can't come after itself",
        ),
        (
            DEV + 'databases.orders.after = ["catalog"]\ndatabases.catalog.after = ["orders"]',
            "environments.toml:6:28: databases come after each other: orders → catalog → orders",
        ),
        (
            DEV + "environments.dev.databases.ordrs.retries = 0",
            "environments.toml:5:28: unknown database 'ordrs'\n      did you mean 'orders'?",
        ),
        (
            DEV + 'databases."a/b".script_location = "m"',
            "environments.toml:5:11: 'a/b' can't name a database\n      a name has letters, digits,"
            " '_', '-' and '.', and starts with a letter, digit or '_'",
        ),
        (
            'environments."*" = { url = "sqlite:///x.db" }',
            "environments.toml:4:14: '*' can't name an environment\n      a name has letters, digits,"
            " '_', '-' and '.', and starts with a letter, digit or '_'",
        ),
        (
            DEV + 'environments.dev.tenants = ["a", "b", { name = "a" }]',
            "environments.toml:5:48: tenant 'a' is listed twice",
        ),
        (
            DEV + 'environments.dev.tenants = ["../x"]',
            "environments.toml:5:29: '../x' can't name a tenant: it has a / in it",
        ),
        (
            DEV + 'environments.dev.tenants = [{ name = "a", tenant = "b" }]',
            "environments.toml:5:43: 'tenant' can't be a label\n"
            "      this label is set by orchestrator; give yours another name",
        ),
        (
            DEV + 'environments.dev.tenants = [{ name = "a", "my tier" = "b" }]',
            "environments.toml:5:43: 'my tier' can't be a label\n"
            "      a label's name has letters, digits and '_', and does not start with a digit",
        ),
        (
            'environments.dev.url = "sqlite:///{tenant}.db"',
            "environments.toml:4:24: nothing fills {tenant}: environment 'dev' has no tenants\n"
            '      add tenants = ["acme", "birch"], or leave the placeholder out',
        ),
        (
            'environments.dev = { url = "sqlite:///{tire}.db", tenants = ["a", "b", "c", "d",'
            ' { name = "e", tire = 1 }, { name = "f", tier = 1 }] }',
            "environments.toml:4:28: nothing fills {tire}: tenants 'a', 'b', 'c' and 2 more have no"
            " label 'tire'\n      did you mean 'tier'?",
        ),
        (
            'environments.dev = { url = "sqlite:///{tier}.db", tenants = { files = "*.db" } }',
            "environments.toml:4:28: nothing fills {tier}: discovered tenants have no label but"
            " their name\n      there are: {database}, {environment}, {name}, {tenant}\n"
            "environments.toml:4:28: tenants are discovered, but there is no {tenant} in url\n"
            "      write {tenant} where the tenant's name is in it\n"
            "2 mistakes in environments.toml",
        ),
        (
            'environments.dev.url = "db/shop"',
            "environments.toml:4:24: this is not a database URL\n      expected driver://…, for"
            " example: postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/shop",
        ),
        (
            'environments.dev.url = "pg://db/shop"',
            "environments.toml:4:24: SQLAlchemy knows no 'pg'\n      write postgresql:// or"
            " postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/shop",
        ),
        *(
            (
                f'environments.dev.url = "{url}"',
                "environments.toml:4:24: a SQLite database in memory is gone when the worker ends\n"
                "      name a file: sqlite:///var/{tenant}.db",
            )
            for url in (
                "sqlite://",
                "sqlite:///",
                "sqlite:///:memory:",
                "sqlite+pysqlite:///file::memory:?uri=true",
                "sqlite:///file:x?mode=memory&uri=true",
            )
        ),
        (
            'environments.dev.url = "sqlite://var/x.db"',
            "environments.toml:4:24: a SQLite URL has three slashes before the path\n"
            "      for example: sqlite:///var/{tenant}.db, or four for an absolute path",
        ),
        (
            'environments.dev = { url = "mysql://h/x", schema = "x" }',
            "environments.toml:4:52: only PostgreSQL has a schema for each target\n"
            "      name the database in url, or leave 'schema' out",
        ),
        (
            'environments.dev = { url = "postgresql://h/x", schema = "x", '
            'databases.orders.url = "mysql://h/x" }',
            "environments.toml:4:85: only PostgreSQL has a schema for each target\n"
            "      name the database in url, or leave 'schema' out",
        ),
        (
            'environments.dev = { url = "postgresql://h/x", tenants = { schemas = "t_%" } }',
            "environments.toml:4:70: environment 'dev' has no 'schema' for these tenants\n"
            '      add schema = "tenant_{tenant}" beside url',
        ),
        (
            'environments.dev = { url = "postgresql://h/x", schema = "${env:S_{tenant}}", '
            'tenants = { schemas = "t_%" } }',
            "environments.toml:4:57: tenants are discovered, but there is no {tenant} in schema\n"
            "      write {tenant} where the tenant's name is in it",
        ),
        (
            'environments.dev = { url = "mysql://h/x", tenants = { databases = "shop_%" } }',
            "environments.toml:4:28: tenants are discovered, but there is no {tenant} in url\n"
            "      write {tenant} where the tenant's name is in it",
        ),
        (
            'environments.dev = { url = "mysql://h/{tenant}", tenants = { databases = "shop" } }',
            "environments.toml:4:74: the pattern has no '%'\n"
            "      for example: databases = \"shop_%\", where '%' stands for anything",
        ),
        (
            'environments.dev = { url = "sqlite:///{tenant}", tenants = { databases = "%" } }',
            "environments.toml:4:74: SQLite has no server whose databases could be listed\n"
            '      for SQLite write tenants = { files = "var/*.db" }',
        ),
        (
            'environments.dev = { url = "mysql://h/{tenant}", tenants = { files = "*.db" } }',
            "environments.toml:4:70: only SQLite keeps its databases in files\n"
            '      on a server write tenants = { databases = "shop_%" }',
        ),
        (
            'environments.dev = { url = "mysql://h/x", schema = "{tenant}", '
            'tenants = { schemas = "%" } }',
            "environments.toml:4:52: only PostgreSQL has a schema for each target\n"
            "      name the database in url, or leave 'schema' out\n"
            "environments.toml:4:86: only PostgreSQL has schemas that could be listed\n"
            '      elsewhere write tenants = { databases = "shop_%" }, for SQLite { files = … }\n'
            "2 mistakes in environments.toml",
        ),
        (
            'environments.dev = { url = "${env:U}", tenants = { csv = "a", cvs = "b" } }',
            "environments.toml:4:63: unknown key 'cvs'\n      did you mean 'csv'?",
        ),
        (
            'environments.dev = { url = "${env:U}", tenants = { cvs = "b" } }',
            "environments.toml:4:50: tenants are a list, or a table with one of csv, query, command,"
            " databases, schemas, files\n      did you mean 'csv'?",
        ),
        (
            'environments.dev = { ulr = "sqlite:///{tenant}", tenants = ["a"] }',
            "environments.toml:4:22: unknown key 'ulr'\n      did you mean 'url'?",
        ),
        (
            DEV + 'project.ledger = "sqlite:///{tenant}.db"',
            "environments.toml:5:18: nothing fills {tenant} here\n      leave the placeholder out",
        ),
        (
            DEV + 'databases.orders.scratch = "mysql://h/{database}_{environment}"',
            "environments.toml:5:28: nothing fills {environment} here\n      there are: {database}",
        ),
        (
            'environments.dev = { url = "${env:X}", tenants = { query = "x", url = "my/{tenant}" } }',
            "environments.toml:4:71: nothing fills {tenant} here\n      there are: {environment}\n"
            "environments.toml:4:71: this is not a database URL\n      expected driver://…, for"
            " example: postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/shop\n"
            "2 mistakes in environments.toml",
        ),
        (
            DEV + 'environments.dev.rollout.lock_timeout = "0s"',
            "environments.toml:5:41: a time-out is at least 1ms",
        ),
    ],
)
def test_mistake(lines, message, mistake):
    assert mistake(lines) == message


@pytest.mark.parametrize("key", ["waves", "gate", "window", "max_failures"])
def test_what_is_a_rollouts_belongs_into_its_table(key, mistake):
    message = mistake(DEV + f'environments.dev.{key} = "x"')
    assert f"unknown key '{key}'" in message
    assert "it belongs into [environments.dev.rollout]" in message


def test_one_cycle_is_one_mistake_however_it_is_entered(mistake):
    names = [f"d{n}" for n in range(2000)]
    chain = "".join(
        f'databases.{a} = {{ script_location = "m", after = ["{b}"] }}\n'
        for a, b in zip(names, [*names[1:], names[-3]], strict=True)
    )
    assert mistake(DEV + chain) == (
        "environments.toml:2004:53: databases come after each other: d1997 → d1998 → d1999 → d1997"
    )


def test_what_is_broken_hides_nothing_else_and_makes_nothing_up(mistake):
    assert mistake("""\
        databases.broken.script_location = 3
        databases.orders.after = ["broken", "catalg"]
        environments.dev = { url = "sqlite:///{tenant}.db", tenant = ["a"] }
        environments.prod = { url = "sqlite:///{tier}.db", tenants = [{ name = "a", tier = [] }] }
        environments.last = { url = "nonsense", protected = 1 }
        """) == (
        "environments.toml:4:36: expected text in quotes\n"
        '      for example: script_location = "migrations/orders"\n'
        "environments.toml:5:37: unknown database 'catalg' in after\n"
        "      did you mean 'catalog'?\n"
        "environments.toml:6:53: unknown key 'tenant'\n"
        "      did you mean 'tenants'?\n"
        "environments.toml:7:84: a label is text, a number, true or false\n"
        "environments.toml:8:29: this is not a database URL\n"
        "      expected driver://…, for example: "
        "postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/shop\n"
        "environments.toml:8:53: expected true or false\n"
        "6 mistakes in environments.toml"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("csv", '"t\\u0000.csv"'),
        ("files", '"v/*\\u0000.db"'),
        ("command", '["ls\\u0000"]'),
        ("query", '"SELECT \\u0000", url = "sqlite:///x.db"'),
    ],
)
def test_a_nul_character_is_told_at_its_place_and_once(mistakes, key, value):
    told = mistakes(f"""
        [project]
        name = "shop"
        [databases.app]
        script_location = "m"
        [environments.dev]
        url = "sqlite:///{{tenant}}.db"
        tenants = {{ {key} = {value} }}
        """)

    assert told.startswith("environments.toml:7:")
    assert "NUL" in told
    assert told.count("environments.toml") == 1

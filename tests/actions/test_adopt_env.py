"""What an env.py says is read without running it; what is computed there stays unknown."""

import pytest

from orchestrator.snapshot.env_py_text import EnvPy, read_env_py


@pytest.mark.parametrize(
    "line",
    [
        'os.environ["DATABASE_URL"]',
        'os.environ.get("DATABASE_URL", "sqlite://")',
        'os.getenv("DATABASE_URL")',
        'environ["DATABASE_URL"]',
        'getenv("DATABASE_URL", None)',
        'config.set_main_option("sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%"))',
    ],
)
def test_a_variable_that_is_read(line: str) -> None:
    assert read_env_py(f"import os\nx = {line}\n").variables == ("DATABASE_URL",)


@pytest.mark.parametrize(
    "line",
    [
        'os.environ["HOME"]',
        'os.environ["DB_PASSWORD"]',
        'settings["DATABASE_URL"]',
        'config.get("DATABASE_URL")',
        "os.environ[name]",
        'os.environ["NOT A URL"]',
        "os.getenv()",
    ],
)
def test_what_is_no_variable_of_a_url(line: str) -> None:
    assert read_env_py(f"import os\nx = {line}\n").variables == ()


def test_the_database_comes_before_other_urls() -> None:
    text = 'a(getenv("SENTRY_DSN"))\nb(getenv("REDIS_URL"))\nc(getenv("PG_URI"), getenv("DB_URL"))'
    assert read_env_py(text).variables == ("PG_URI", "DB_URL", "SENTRY_DSN", "REDIS_URL")


def test_a_version_table_that_is_written_out() -> None:
    text = (
        "TABLE = 'versions'\n"
        "context.configure(url=u, version_table=TABLE, version_table_schema='meta')\n"
        "context.configure(connection=c, version_table='versions', version_table_schema='meta')\n"
    )
    found = read_env_py(text)
    assert (found.version_table, found.version_table_schema) == ("versions", "meta")


@pytest.mark.parametrize(
    "text",
    [
        "context.configure(url=u)\ncontext.configure(connection=c, version_table='a')",
        "context.configure(version_table='a')\ncontext.configure(version_table='b')",
        "context.configure(version_table=f'{name}_version')",
        "context.configure(version_table='')",
        "T = 'a'\nT = 'b'\ncontext.configure(version_table=T)",
        "for T in 'ab':\n    context.configure(version_table=T)",
        "T = 'a'\ndef run(T):\n    context.configure(version_table=T)",
        "context.configure(connection=c)",
        "T = 'a'\nT += 'b'\ncontext.configure(version_table=T)",
        # Half of the truth would be another table.
        "context.configure(version_table='a', version_table_schema=metadata.schema)",
        "context.configure(version_table=name, version_table_schema='a')",
        "context.configure(version_table='a', **options)",
    ],
)
def test_a_version_table_that_is_not(text: str) -> None:
    found = read_env_py(text)
    assert (found.version_table, found.version_table_schema) == (None, None)


def test_a_schema_that_is_none_is_none() -> None:
    text = "context.configure(version_table='a', version_table_schema=None)"
    assert read_env_py(text).version_table == "a"


@pytest.mark.parametrize("text", ["def (", "x = '\0'", "(" * 5000])
def test_what_is_no_python_says_nothing(text: str) -> None:
    found = read_env_py(text)
    assert found.flaw
    assert found == EnvPy(flaw=found.flaw)

"""What SQLAlchemy reflects of a SQLite table, found out from the text of its statements alone.

Two histories leave one table in different words: Alembic's batch mode writes constraints in any
order, ``ALTER TABLE`` adds columns behind them. Alembic compares what SQLAlchemy reflects, so that
where this is equal, words make no difference.
"""

import warnings
from collections.abc import Iterable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=20_000)
def reflected(table: str, statements: tuple[str, ...]) -> str:
    """Return a text that is equal for tables of equal reflection, whatever their order of words.

    ``statements`` make the table and its indexes. Where they can't be run alone, as with functions
    or collations of the application, it is their own text.
    """
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import SAWarning
    from sqlalchemy.pool import StaticPool

    # What it does not reflect, Alembic does not see either; the text of a statement still counts.
    warnings.filterwarnings("ignore", "Skipped unsupported reflection", SAWarning)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
            inspector = inspect(connection)
            seen = (
                [_plain(column) for column in inspector.get_columns(table)],
                _plain(inspector.get_pk_constraint(table)),
                _sorted(inspector.get_foreign_keys(table)),
                _sorted(inspector.get_unique_constraints(table)),
                _sorted(inspector.get_check_constraints(table)),
                _sorted(inspector.get_indexes(table)),
                _options(inspector, table),
            )
            return repr(seen)
    except Exception:  # noqa: BLE001 - whatever keeps it from being reflected, the text still tells
        return repr(statements)
    finally:
        engine.dispose()


def _options(inspector: Any, table: str) -> Any:
    try:
        return _plain(inspector.get_table_options(table))
    except NotImplementedError:  # SQLAlchemy 2.0 reflects none
        return None


def _sorted(found: Iterable[Any]) -> list[str]:
    return sorted(repr(_plain(one)) for one in found)


def _plain(value: Any) -> Any:
    """Return a value whose ``repr`` says all of it, and no address in memory."""
    if isinstance(value, dict):
        return sorted((key, _plain(part)) for key, part in value.items())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, str | int | bool | None):
        return value
    from sqlalchemy import ClauseElement

    # An expression, as of a partial index, has no repr of its own.
    return str(value) if isinstance(value, ClauseElement) else repr(value)

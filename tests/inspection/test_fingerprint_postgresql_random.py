"""Where Alembic's comparison of two random PostgreSQL schemas differs, their fingerprints do."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData

from tests.effort import examples
from tests.inspection.looking import compared, reflected
from tests.inspection.postgresql_database import Database
from tests.inspection.postgresql_mutations import PUBLIC
from tests.inspection.postgresql_random import SLOTS, model, statements
from tests.servers import Postgres, unique

Choice = dict[str, str]


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    with postgres.databases(unique("random")) as (name,):
        made = Database(postgres, name)
        made.run(*PUBLIC)
        yield made


@st.composite
def changed(draw: st.DrawFn) -> tuple[Choice, Choice]:
    """A schema, and the same one after a single change."""
    base = draw(st.fixed_dictionaries({slot: st.sampled_from(of) for slot, of in SLOTS.items()}))
    slot = draw(st.sampled_from(sorted(SLOTS)))
    other = draw(st.sampled_from([option for option in SLOTS[slot] if option != base[slot]]))
    return base, base | {slot: other}


def verdicts(database: Database, schema: str, models: list[MetaData]) -> list[Any]:
    """What Alembic says of a schema against each model, or what it raises."""
    return [_verdict(database, schema, one) for one in models]


def _verdict(database: Database, schema: str, one: MetaData) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (found,) = compared(database.url, [one], schema)
    except Exception as error:  # noqa: BLE001 - whatever the comparison raises is its verdict
        return type(error)
    return [re.sub(r" at 0x[0-9a-f]+", "", line) for line in found]


def reflection(database: Database, schema: str) -> MetaData:
    """What SQLAlchemy makes of a schema, warnings aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reflected(database.url, schema)


def alembic_tells_apart(database: Database, *schemas: str) -> bool:
    """Whether Alembic's verdicts on two schemas differ against any of three models."""
    models = [*(reflection(database, schema) for schema in schemas), model()]
    first, second = (verdicts(database, schema, models) for schema in schemas)
    return first != second


def test_what_alembic_tells_apart_has_different_fingerprints(database):
    @settings(max_examples=examples(50), deadline=None, derandomize=True)
    @given(changed())
    def holds(pair):
        assume(statements(pair[0]) != statements(pair[1]))
        names = unique("base"), unique("changed")
        database.make(dict(zip(names, map(statements, pair), strict=True)))
        first, second = database.fingerprints(*names)
        # Alembic, which takes longest, is asked only where its answer matters.
        assert first != second or not alembic_tells_apart(database, *names)
        database.drop(*names)

    holds()


def test_the_same_schema_made_twice_has_one_fingerprint(database):
    @settings(max_examples=5, deadline=None, derandomize=True)
    @given(changed())
    def holds(pair):
        assert database.same(statements(pair[0]), statements(pair[0]))

    holds()

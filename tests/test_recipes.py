"""The recipes of ``docs/adopt.md`` that need nothing but what we need ourselves."""

import sys
from pathlib import Path

import pytest

from tests.recipes import follow, recipes
from tests.servers import Postgres, unique

OTHERS = frozenset({"flask", "flask-binds", "fastapi"})
"""Those that need packages of others: tests/third_party/test_recipes.py follows them."""


@pytest.mark.parametrize("recipe", [name for name in recipes() if name not in OTHERS])
def test_a_recipe_works(recipe: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    environ = {}
    if recipe == "schemas":
        server: Postgres = request.getfixturevalue("postgres")
        name = unique("recipe")
        server.create(name)
        request.addfinalizer(lambda: server.drop(name))
        environ["DATABASE_URL"] = server.url(name)

    assert follow(recipe, tmp_path, Path(sys.executable).parent, environ) > 2


def test_the_page_has_the_recipes_that_are_followed() -> None:
    assert OTHERS | {"async", "schemas", "package", "histories", "tables"} == set(recipes())

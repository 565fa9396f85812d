"""The recipes of ``docs/adopt.md`` that need packages of others."""

from pathlib import Path

import pytest

from tests.recipes import follow
from tests.test_recipes import OTHERS
from tests.third_party.conftest import third_party_python

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("recipe", sorted(OTHERS))
def test_a_recipe_works(recipe: str, tmp_path: Path) -> None:
    assert follow(recipe, tmp_path, third_party_python().parent) > 1

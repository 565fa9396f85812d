"""The JSON Schema that editors use."""

import json
import tomllib
from pathlib import Path

import pytest

from orchestrator.config.schema import json_schema, render
from tests.config.examples import ALL
from tests.validate import is_valid

FILE = Path(__file__).parents[2] / "environments.schema.json"


def test_the_checked_in_schema_is_what_the_models_say():
    assert FILE.read_text() == render(), (
        "run: orchestrator config schema > environments.schema.json"
    )
    assert json.loads(render()) == json_schema()


@pytest.mark.parametrize("text", ALL)
def test_valid_files_are_valid(text):
    assert is_valid(tomllib.loads(text), json_schema(), json_schema())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("order  =", "ordr ="),
        ('lock_timeout   = "5s"', 'lock_timeout = "5"'),
        ("max_parallel   = 64", "max_parallel = 0"),
        ('["acme", "birch"]', "[1]"),
        ("[databases.orders]", '[databases."a b"]'),
        ("query =", "qery ="),
        ("protected = true", 'protected = "yes"'),
    ],
)
def test_mistakes_are_found_in_the_editor_too(right, wrong):
    assert right in ALL[0]
    document = tomllib.loads(ALL[0].replace(right, wrong))
    assert not is_valid(document, json_schema(), json_schema())


def test_everything_has_a_description_and_no_default_that_toml_could_not_say():
    schema = json_schema()
    for model in [schema, *schema["$defs"].values()]:
        for name, field in model["properties"].items():
            assert field["description"], name
            assert field.get("default", "") is not None

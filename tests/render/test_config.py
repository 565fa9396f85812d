"""``config show``: whole, readable again, and without secrets."""

import tomllib
from pathlib import Path
from typing import Any

from orchestrator.config.load import load
from orchestrator.config.models import Config
from orchestrator.render.config import checked, resolved, shown
from orchestrator.render.console import plain

FILE = """
[project]
name = "shop \\"one\\""

[databases."odd.name"]
script_location = "migrations/orders"

[environments.prod]
url = "mysql+pymysql://app:hunter2@db/{tenant}?password=hunter3"
tenants = [{ name = "acme", api_token = "hunter4" }, "birch"]

[environments.prod.rollout]
lock_timeout = "1500ms"

[environments.dev]
url = "mysql+pymysql://app:${env:PASSWORD}@db/{tenant}"
tenants = { command = ["list", "--token=hunter5"] }
"""


def without_empty_tables(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: without_empty_tables(inner) for key, inner in value.items() if inner != {}}


def test_it_is_toml_that_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "environments.toml").write_text(FILE)
    config = load(tmp_path / "environments.toml").config
    text = plain(shown(tmp_path, resolved(config)))
    again = tomllib.loads(text)
    assert again == without_empty_tables(resolved(config))
    assert again["project"]["order"] == ["prod", "dev"]
    assert again["environments"]["prod"]["rollout"]["lock_timeout"] == "1500ms"
    assert again["environments"]["prod"]["rollout"]["target_timeout"] == "1h"
    Config.model_validate(again)


def test_secrets_are_hidden_and_references_kept(tmp_path: Path) -> None:
    (tmp_path / "environments.toml").write_text(FILE)
    text = plain(shown(tmp_path, resolved(load(tmp_path / "environments.toml").config)))
    assert "hunter" not in text
    assert "${env:PASSWORD}" in text


def test_check_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "environments.toml").write_text(FILE)
    config = load(tmp_path / "environments.toml").config
    line = plain(checked(tmp_path / "environments.toml", config, 26))
    assert line == "environments.toml: 2 environments, 1 database, 26 targets\n"

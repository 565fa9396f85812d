"""The JSON Schema of ``environments.toml``, with which editors complete and check the file."""

import json
from typing import Any

from orchestrator.config.models import Config
from orchestrator.config.units import duration


def json_schema() -> dict[str, Any]:
    """Return the schema, made from the models and their docstrings."""
    schema = Config.model_json_schema(mode="validation")
    _tidy(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "environments.toml of alembic-orchestrator",
    }


def render() -> str:
    """Return the schema as the text of a file.

    Equal models give equal text, whatever the version of Pydantic.
    """
    return json.dumps(json_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _tidy(node: Any) -> None:
    """Make what Pydantic generates fit for the pop-ups of an editor."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    for item in node.values():
        _tidy(item)
    _tidy_alternatives(node)
    _tidy_description(node)
    _tidy_default(node)
    if "patternProperties" in node:
        node["additionalProperties"] = False
    for field in node.get("properties", {}).values():
        # "Max Parallel" says no more than max_parallel.
        field.pop("title", None)


def _tidy_alternatives(node: dict[str, Any]) -> None:
    """Leave out null, which TOML does not have, and what wraps a single alternative."""
    for key in ("anyOf", "allOf"):
        choices = [choice for choice in node.get(key, ()) if choice != {"type": "null"}]
        if len(choices) == 1:
            del node[key]
            node.update({**choices[0], **node})


def _tidy_description(node: dict[str, Any]) -> None:
    text = node.get("description")
    if isinstance(text, str):
        node["description"] = " ".join(text.split()).replace("``", "`")


def _tidy_default(node: dict[str, Any]) -> None:
    if isinstance(node.get("default"), float):
        node["default"] = duration(node["default"])
    if node.get("default", ...) is None or isinstance(node.get("default"), dict):
        del node["default"]

"""The JSON Schema of what ``-o json`` answers, made from the models that give its keys."""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from orchestrator.render import answers, answers_runs
from orchestrator.render.answering import Object
from orchestrator.render.answers import Answer

ANSWERS: dict[str, type[Answer]] = {
    **dict.fromkeys(("check", "downgrade", "stamp", "status", "upgrade", "wait"), answers.Result),
    **dict.fromkeys(("abort", "approve", "pause", "skip"), answers_runs.Done),
    **dict.fromkeys(("merge", "revision"), answers.NewRevision),
    "config check": answers.ConfigCheck,
    "config show": answers.ConfigShow,
    "doctor": answers.Doctor,
    "drift": answers.DriftReport,
    "history": answers.History,
    "identify": answers.Identify,
    "init": answers.Init,
    "plan": answers_runs.Plan,
    "rollback": answers_runs.Rollback,
    "runs": answers_runs.Runs,
    "show": answers_runs.Show,
    "sql": answers.Sql,
    "targets": answers.Targets,
    "token add": answers_runs.TokenAdded,
    "token list": answers_runs.Tokens,
    "token revoke": answers_runs.Tokens,
    "workers": answers.Workers,
}
"""By the ``command`` that an answer names. A command that gives none answers ``Error``."""


def json_schema(*, closed: bool = False) -> dict[str, Any]:
    """Return the schema of every answer.

    ``closed``: without room for the keys that later versions add.
    """
    models: list[type[Answer]] = [*dict.fromkeys(ANSWERS.values()), answers.Error]
    for model in models:
        model.model_rebuild()
    _, schema = models_json_schema([(model, "serialization") for model in models])
    for definition in schema["$defs"].values():
        _tidy(definition, closed=closed)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "what a command of alembic-orchestrator writes with -o json",
        "anyOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in models],
        "$defs": schema["$defs"],
    }


def render() -> str:
    """Return the schema as the text of a file.

    Equal models give equal text, whatever the version of Pydantic.
    """
    return json.dumps(json_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _tidy(definition: Object, *, closed: bool) -> None:
    definition.pop("title", None)
    if not closed:
        definition.pop("additionalProperties", None)
    if "description" in definition:
        definition["description"] = definition["description"].replace("``", "`")
    for key in definition.get("properties", {}).values():
        key.pop("title", None)
    _say_once(definition)


def _say_once(node: Any) -> None:
    """Leave out what says nothing: some versions of Pydantic write it, others don't."""
    if isinstance(node, dict):
        if node.get("additionalProperties") is True:
            del node["additionalProperties"]
        if "const" in node:
            node.pop("enum", None)
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _say_once(item)

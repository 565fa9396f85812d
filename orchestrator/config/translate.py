"""Pydantic's errors in the words of somebody who edits the file."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from orchestrator.config import fields
from orchestrator.config.models import Rollout
from orchestrator.config.problems import Path, Problem, closest, did_you_mean
from orchestrator.config.tenants import TENANT_SOURCES

_EXPECTED = {
    "string_type": "expected text in quotes",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "int_parsing": "expected a whole number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list in [ ]",
    "dict_type": "expected a table",
    "mapping_type": "expected a table",
    "model_type": "expected a table",
    "string_too_short": "this must not be empty",
    "too_short": "this must not be empty",
    "greater_than": "expected a number greater than {gt}",
    "greater_than_equal": "expected {ge} or more",
}
_TABLES = {
    "project": 'add a table [project] with name = "shop"',
    "databases": "add a table for each of them: [databases.orders]",
    "environments": "add a table for each of them: [environments.dev]",
}


def translate(errors: Sequence[ErrorDetails]) -> list[Problem]:
    """Return one problem for each error. No value of the file is in any of them."""
    misspelt = {_meant(error["loc"]) for error in errors if error["type"] == "extra_forbidden"}
    return [
        _problem(error)
        for error in errors
        # A misspelt key needs no second message that the right one is missing.
        if not (error["type"] == "missing" and error["loc"] in misspelt)
        # Nor a list that it is too short, of what is wrong in it.
        if not (error["type"] == "too_short" and _is_within(error["loc"], errors))
    ]


def _is_within(location: Path, errors: Sequence[ErrorDetails]) -> bool:
    return any(
        len(error["loc"]) > len(location) and error["loc"][: len(location)] == location
        for error in errors
    )


def _meant(location: Path) -> Path:
    return (*location[:-1], closest(str(location[-1]), fields.keys(location[:-1])) or "")


def _problem(error: ErrorDetails) -> Problem:
    location, kind = error["loc"], error["type"]
    at = fields.without_tags(location)
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind == "missing":
        return Problem(at, f"'{at[-1]}' is missing", _hint(location))
    if kind == "string_pattern_mismatch":
        return Problem(at, "this is not in the right form", _hint(location))
    if kind == "tenants":
        return Problem(at, error["msg"], _source(error["input"]))
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "value_error":
        return Problem(at, str(context["error"]))
    message = _EXPECTED.get(kind)
    if message is None:
        return Problem(at, error["msg"][:1].lower() + error["msg"][1:])
    return Problem(at, message.format_map(context), _hint(location))


def _hint(location: Path) -> str | None:
    if len(location) == 1:
        return _TABLES.get(str(location[0]))
    example = fields.example(location)
    return example and f"for example: {example}"


def _unknown_key(location: Path) -> Problem:
    *table, key = location
    known = fields.keys(tuple(table))
    hint = did_you_mean(str(key), known) or f"known keys: {', '.join(known)}"
    if key in Rollout.model_fields and "rollout" in known:
        hint = f"it belongs into [{'.'.join(map(str, table))}.rollout]"
    return Problem(fields.without_tags(location), f"unknown key '{key}'", hint, on_key=True)


def _source(value: Any) -> str | None:
    keys = value if isinstance(value, Mapping) else ()
    return next(filter(None, (did_you_mean(key, TENANT_SOURCES) for key in keys)), None)

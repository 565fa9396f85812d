"""As much of JSON Schema as our own schemas use, and not a keyword more."""

import re
from typing import Any

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
_SAYS_NOTHING = {"$defs", "$schema", "default", "description", "examples", "title"}


def is_valid(value: Any, schema: dict[str, Any], top: dict[str, Any]) -> bool:
    """Tell whether ``value`` is as ``schema`` says. Raises ``KeyError`` for unknown keywords."""
    return all(
        _KEYWORDS[keyword](value, rule, schema, top)
        for keyword, rule in schema.items()
        if keyword not in _SAYS_NOTHING
    )


def _type(value, rule, schema, top):
    return isinstance(value, _TYPES[rule]) and (rule == "boolean" or not isinstance(value, bool))


def _ref(value, rule, schema, top):
    return is_valid(value, top["$defs"][rule.removeprefix("#/$defs/")], top)


def _matching(value, rule, top):
    return [is_valid(value, choice, top) for choice in rule]


def _properties(value, rule, schema, top):
    return all(is_valid(value[key], rule[key], top) for key in rule.keys() & _table(value).keys())


def _pattern_properties(value, rule, schema, top):
    pairs = [
        (v, below) for k, v in _table(value).items() for p, below in rule.items() if re.search(p, k)
    ]
    return all(is_valid(item, below, top) for item, below in pairs)


def _additional(value, rule, schema, top):
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    others = [
        item
        for key, item in _table(value).items()
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    ]
    if isinstance(rule, bool):
        return rule or not others
    return all(is_valid(item, rule, top) for item in others)


def _table(value):
    return value if isinstance(value, dict) else {}


_KEYWORDS = {
    "type": _type,
    "$ref": _ref,
    "anyOf": lambda value, rule, schema, top: any(_matching(value, rule, top)),
    "oneOf": lambda value, rule, schema, top: sum(_matching(value, rule, top)) == 1,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "required": lambda value, rule, schema, top: set(rule) <= _table(value).keys(),
    "items": lambda value, rule, schema, top: (
        not isinstance(value, list) or all(is_valid(item, rule, top) for item in value)
    ),
    "pattern": lambda value, rule, schema, top: (
        not isinstance(value, str) or re.search(rule, value)
    ),
    "const": lambda value, rule, schema, top: value == rule,
    "enum": lambda value, rule, schema, top: value in rule,
    "minLength": lambda value, rule, schema, top: not isinstance(value, str) or len(value) >= rule,
    "minItems": lambda value, rule, schema, top: not isinstance(value, list) or len(value) >= rule,
    "minProperties": lambda value, rule, schema, top: len(_table(value)) >= rule,
    "minimum": lambda value, rule, schema, top: not isinstance(value, int) or value >= rule,
    "exclusiveMinimum": lambda value, rule, schema, top: not isinstance(value, int) or value > rule,
}

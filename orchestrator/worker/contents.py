"""Jobs, and what workers say of them, as text: for workers on other machines.

What arrives is checked against the types that there are; nothing in it can run.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.querying import Mismatch
from orchestrator.inspection.reading import Held, Reading
from orchestrator.inspection.rights import Probe
from orchestrator.rollout.outcomes import Outcome
from orchestrator.worker.jobs import Committing, Go, Job, Leave, Made, Running, Waiting

_TYPES: Mapping[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (Job, Go, Leave, Running, Committing, Made, Waiting, Outcome)
}
_DATA: Mapping[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(str),
    "table": TypeAdapter(VersionTable),
    "readings": TypeAdapter(tuple[Reading, ...]),
    "held": TypeAdapter(tuple[Held, ...]),
    "mismatches": TypeAdapter(tuple[Mismatch, ...]),
    "probes": TypeAdapter(tuple[Probe, ...]),
    "nothing": TypeAdapter(None),
}
"""What an outcome of a target, or of several, has as ``data``."""


def pack(content: Any) -> str:
    """Return a job, or what a worker said, as text. Raises ``ValueError`` for anything else."""
    name = type(content).__name__
    data: list[Any] = []
    if isinstance(content, Outcome):
        kind = _kind(content.data)
        data = [kind, _DATA[kind].dump_python(content.data, mode="json")]
        content = replace(content, data=None)
    if name not in _TYPES:
        raise ValueError(f"a {name} does not travel")
    return json.dumps([name, _TYPES[name].dump_python(content, mode="json"), *data])


def unpack(text: str) -> Any:
    """Return what ``pack`` made text of. Raises ``ValueError`` for anything else."""
    try:
        name, value, *data = json.loads(text)
        # Strictly, but as JSON: a list there is a tuple here.
        content = _TYPES[name].validate_json(json.dumps(value))
        if data:
            kind, more = data
            content = replace(content, data=_DATA[kind].validate_json(json.dumps(more)))
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"none of our messages: {type(error).__name__}") from None
    return content


def _kind(data: Any) -> str:
    match data:
        case None:
            return "nothing"
        case str():
            return "text"
        case VersionTable():
            return "table"
        case (Reading(), *_):
            return "readings"
        case (Held(), *_):
            return "held"
        case (Mismatch(), *_):
            return "mismatches"
        case (Probe(), *_):
            return "probes"
    raise ValueError(f"a {type(data).__name__} does not travel")

"""Answers of ``-o json`` from results. Their models are imported when the first one is needed.

A command without ``-o json`` need not wait for them: pydantic takes 25 ms to make the classes.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.rollout.outcomes import State

if TYPE_CHECKING:
    from orchestrator.render import answers, answers_runs
    from orchestrator.render.answers import Answer

Object = dict[str, Any]


class _Models:
    """A module of models, imported once something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


if not TYPE_CHECKING:
    answers = _Models("orchestrator.render.answers")
    answers_runs = _Models("orchestrator.render.answers_runs")

__all__ = ["Object", "answer", "answers", "answers_runs", "counts", "dump", "dump_all"]


def dump(model: "type[Answer]", value: object, **context: Any) -> Object:
    """Return what an answer says of a value.

    ``context``: ``debug``, where tracebacks are wanted; ``waves``, their names by position.
    """
    found = model.model_validate(value, context=context)
    return found.model_dump(mode="json", by_alias=True)


def dump_all(model: "type[Answer]", values: Iterable[object], **context: Any) -> list[Object]:
    """Return what answers say of values, one by one."""
    return [dump(model, value, **context) for value in values]


def counts(tally: Mapping[Any, int]) -> dict[str, int]:
    """Return how many targets are in each state that occurs, states in their own order."""
    return {state.value: tally[state] for state in State if tally.get(state)}


def answer(model: "type[Answer]", **keys: Any) -> Object:
    """Return a whole answer. Raises ``ValueError`` where its keys are not those of its model."""
    if keys.keys() != model.model_fields.keys():
        raise ValueError(f"{model.__name__}: {keys.keys() ^ model.model_fields.keys()}")
    return keys

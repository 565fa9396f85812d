"""Whether what ``-o json`` wrote is what its schema says, with no key too many."""

from functools import cache
from typing import Any

from orchestrator.render import answers
from orchestrator.render.answers_schema import ANSWERS, json_schema
from tests.validate import is_valid


@cache
def _schema() -> dict[str, Any]:
    return json_schema(closed=True)


def assert_as_published(answer: Any) -> None:
    """Fail where an answer is not that of its command, or an error in its place."""
    model = ANSWERS.get(answer.get("command"), answers.Error)
    assert is_valid(answer, _schema()["$defs"][model.__name__], _schema()), answer

"""The schema of answers: published, complete, and open to later keys."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.app import build
from orchestrator.render import answers
from orchestrator.render.answering import answer, dump
from orchestrator.render.answers_schema import ANSWERS, json_schema, render
from orchestrator.rollout.outcomes import Failure
from tests.validate import is_valid

FILE = Path(__file__).parents[2] / "docs" / "answers.schema.json"


def test_the_published_schema_is_what_the_models_say() -> None:
    assert FILE.read_text() == render(), "run: make schema"


def test_every_command_with_an_answer_has_its_model() -> None:
    from typer.main import get_command

    commands = get_command(build()).commands  # type: ignore[attr-defined]  # it is a group
    with_output = {
        name
        for name, command in commands.items()
        if any("--output" in option.opts for option in command.params)
    }
    alone = {"resume": "upgrade", "retry": "upgrade"}
    assert {alone.get(name, name) for name in with_output} <= ANSWERS.keys()


def test_later_keys_are_let_in_and_missing_ones_are_not() -> None:
    error = {"error": {"message": "no", "exit_code": 2}}
    schema = json_schema()
    assert is_valid(error | {"more": 1}, schema, schema)
    assert not is_valid(error | {"more": 1}, json_schema(closed=True), json_schema(closed=True))
    assert not is_valid({"error": {"message": "no"}}, schema, schema)


def test_an_answer_with_other_keys_than_its_model_is_a_bug() -> None:
    with pytest.raises(ValueError, match="Error"):
        answer(answers.Error, message="no")


def test_a_traceback_is_for_debugging_only() -> None:
    failure = Failure("no", traceback="line 1")
    assert dump(answers.Failure, failure)["traceback"] is None
    assert dump(answers.Failure, failure, debug=True)["traceback"] == "line 1"


def test_a_command_that_answers_in_text_does_not_wait_for_the_models() -> None:
    code = (
        "import sys, orchestrator.render.json, orchestrator.render.json_runs;"
        "print([name for name in sys.modules if name.startswith('orchestrator.render.answers')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

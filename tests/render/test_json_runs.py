"""The shape of JSON of plans and runs: which keys there are, always."""

from dataclasses import replace
from typing import Any

from orchestrator.render import json as shapes
from orchestrator.render import json_runs
from orchestrator.rollout.events import RunState
from orchestrator.runs.requests import Done
from tests.render import run_samples, samples
from tests.render.test_json import DOCUMENT, keys, through

DYNAMIC = ("environments", "states", "rollouts", "labels")
"""What is under them has names, states, or the keys of environments.toml."""


def answers() -> list[dict[str, Any]]:
    """Return an answer of every command about runs."""
    return [
        json_runs.plan(run_samples.planned(), None),
        json_runs.rollback(run_samples.rollback()),
        json_runs.runs(run_samples.runs()),
        json_runs.run_report(run_samples.run_report()),
        json_runs.done("pause", Done(12, "run 12 is paused")),
        shapes.result(run_samples.ended(RunState.WAITING, "soaks", run_samples.START)),
    ]


def without_names(value: Any) -> Any:
    """Return ``value`` without what is under keys whose content is named by people."""
    if isinstance(value, dict):
        return {key: {} if key in DYNAMIC else without_names(of) for key, of in value.items()}
    return [without_names(one) for one in value] if isinstance(value, list) else value


def test_every_key_is_documented() -> None:
    for answer in answers():
        found = keys(without_names(through(answer)))
        missing = {key for key in found if f'"{key}"' not in DOCUMENT}
        assert not missing


def test_a_plan_has_its_moves_waves_and_estimate() -> None:
    answer = through(json_runs.plan(run_samples.planned(), None))
    assert answer["summary"] == {
        "targets": 7,
        "busy": 6,
        "environments": {"dev": 1, "prod": 5},
        "estimate": None,
    }
    assert answer["digest"] == run_samples.plan().digest
    assert [r["reversible"] for r in answer["revisions"]] == [True, False]
    assert [(w["name"], w["busy"], w["estimate"]) for w in answer["waves"]] == [
        ("dev", 1, 0.5),
        ("prod/canary", 1, 4.0),
        ("prod/rest", 4, None),
    ]
    assert answer["waves"][1]["gate"] == ["soak", "approval"]
    assert answer["rollouts"]["prod"]["requires"] == {"environment": "staging", "soak": "24h"}
    assert answer["targets"][-1]["heads"] is None
    assert answer["targets"][-1]["wave"] == "prod/rest"
    assert [one["name"] for one in answer["unread"]] == ["prod/orders/elm"]
    assert answer["exit_code"] == 3


def test_an_estimate_is_one_of_all_waves_or_none() -> None:
    known = run_samples.planned(seconds={0: 0.5, 1: 4.0, 2: 2.0})
    assert json_runs.plan(known, None)["summary"]["estimate"] == 6.5


def test_a_result_tells_how_its_run_was_left() -> None:
    ended = run_samples.ended(
        RunState.WAITING, "prod soaks", run_samples.START, appeared=("a",), vanished=("b",)
    )
    answer = through(shapes.result(ended))
    assert answer["run"] == {
        "id": 12,
        "state": "waiting",
        "reason": "prod soaks",
        "until": "2026-11-23T02:13:06.645+00:00",
        "appeared": ["a"],
        "vanished": ["b"],
    }
    assert answer["exit_code"] == 6
    assert shapes.result(samples.upgrade())["run"] is None


def test_a_run_counts_its_targets_by_state() -> None:
    (run,) = through(json_runs.runs([run_samples.run()]))["runs"]
    assert run["states"] == {"done": 40, "unchanged": 2, "failed": 1}
    assert (run["targets"], run["pending"], run["state"]) == (60, 17, "waiting")


def test_a_story_names_waves_and_keeps_statements_whole() -> None:
    answer = through(json_runs.run_report(run_samples.run_report()))
    assert answer["approvals"] == [
        {
            "wave": "dev",
            "by": "kim",
            "note": "looks [red]good",
            "at": "2026-11-23T02:13:06.845+00:00",
        }
    ]
    assert answer["gates"][0]["wave"] == "prod/canary"
    failed = answer["troubles"][0]
    assert (failed["name"], failed["state"], failed["doubt"]) == (
        "prod/orders/birch",
        "failed",
        False,
    )
    assert failed["attempt"]["failure"]["statement"] == samples.HALF.statement
    doubt = next(one for one in answer["troubles"] if one["doubt"])
    assert doubt["attempt"]["committing"][0]["statement"].endswith("ADD COLUMN note TEXT")
    assert answer["open"][0]["state"] is None
    assert answer["slowest"][0]["seconds"] == 61.0


def test_tracebacks_are_there_for_debugging_only() -> None:
    of = run_samples.run_report()
    failure = replace(samples.HALF, traceback="Tb")
    trouble = replace(of.troubles[0], attempt=run_samples.attempt("a", "failed", failure=failure))
    of = replace(of, troubles=[trouble])

    def traceback(**debug: bool) -> Any:
        return json_runs.run_report(of, **debug)["troubles"][0]["attempt"]["failure"]["traceback"]

    assert (traceback(), traceback(debug=True)) == (None, "Tb")

"""The shape of JSON: which keys there are, always."""

import json
from pathlib import Path
from typing import Any

from orchestrator.actions.authoring import NewRevision
from orchestrator.actions.sqlfiles import SqlFiles
from orchestrator.render import json as shapes
from orchestrator.rollout.outcomes import Failure, State
from tests.answers import assert_as_published
from tests.render import samples

TARGET = {"name", "environment", "database", "tenant", "labels", "server", "url", "schema"}
OUTCOME = TARGET | {
    "state",
    "heads_before",
    "heads",
    "fingerprint",
    "server_version",
    "invalid_indexes",
    "revisions",
    "replayed",
    "differences",
    "failure",
    "blocked_by",
    "attempts",
    "seconds",
    "output",
}
DOCUMENT = (Path(__file__).parents[2] / "docs" / "json.md").read_text()


def through(value: dict[str, Any]) -> Any:
    """Return what a program reads."""
    read = json.loads(json.dumps(value))
    assert_as_published(read)
    return read


def keys(value: Any) -> set[str]:
    """Return every key in ``value``, however deep."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_targets() -> None:
    answer = through(shapes.targets(samples.fleet()))
    assert answer["summary"] == {
        "targets": 4,
        "environments": {"staging": 1, "prod": 3},
        "databases": {"orders": 3, "catalog": 1},
        "servers": {"postgresql://db.staging:5432": 1, "mysql://a.db.prod:3306": 2, "sqlite": 1},
    }
    assert answer["targets"][0] == {
        "name": "staging/orders/acme",
        "environment": "staging",
        "database": "orders",
        "tenant": "acme",
        "labels": {"name": "acme", "tier": "internal"},
        "server": "postgresql://db.staging:5432",
        "url": "postgresql+psycopg://app:${env:PASSWORD}@db.staging/shop",
        "schema": "acme",
    }
    assert answer["targets"][3]["tenant"] is None
    assert "hunter2" not in json.dumps(answer)


def test_every_verb_has_every_key_for_every_target() -> None:
    for result in (samples.status(), samples.check(), samples.upgrade(), samples.dry_run()):
        answer = through(shapes.result(result))
        assert set(answer) == {
            "command",
            "exit_code",
            "dry_run",
            "interrupted",
            "seconds",
            "warnings",
            "run",
            "summary",
            "targets",
        }
        assert answer["command"] == result.verb
        assert [set(target) for target in answer["targets"]] == [OUTCOME] * len(result.targets)


def test_summary_counts_states_as_a_whole_and_by_environment() -> None:
    answer = through(shapes.result(samples.check()))
    assert answer["exit_code"] == 4
    assert answer["summary"] == {
        "targets": 7,
        "states": {"behind": 1, "in_sync": 2, "differs": 4},
        "environments": {"dev": {"in_sync": 2}, "prod": {"behind": 1, "differs": 4}},
        "classes": [],
    }


def test_classes_are_counted_with_the_odd_ones_behind_their_siblings() -> None:
    answer = through(shapes.result(samples.status_with_classes()))

    assert [(c["heads"], c["targets"]) for c in answer["summary"]["classes"]] == [
        ([samples.SECOND.id], 3),
        ([samples.SECOND.id], 1),
        ([samples.FIRST.id], 1),
    ]
    assert answer["summary"]["classes"][0] == {
        "database": "orders",
        "dialect": "MariaDB",
        "heads": [samples.SECOND.id],
        "fingerprint": "4c1f",
        "targets": 3,
    }
    assert answer["targets"][0]["server_version"] == "MariaDB 10.11.6"


def test_drift_lists_who_differs_and_how() -> None:
    answer = through(shapes.drift(samples.drift()))

    assert answer["exit_code"] == 4
    assert answer["summary"] == {"targets": 5, "classes": 3, "differing": 2, "unreadable": 1}
    (database,) = answer["databases"]
    assert database["baseline"] == {
        "fingerprint": "4c1f",
        "targets": ["prod/orders/acme", "prod/orders/birch"],
    }
    first, second = database["classes"]
    assert first["targets"] == ["prod/orders/cedar"]
    assert first["differences"][0] == {
        "change": "changed",
        "kind": "column",
        "schema": None,
        "table": "items",
        "name": "price",
        "detail": "type",
        "value": "DECIMAL(10,2)",
        "baseline": "DECIMAL(12,2)",
        "text": "column items.price is DECIMAL(10,2), baseline DECIMAL(12,2)",
    }
    assert second["failure"] == "it is gone"
    assert [target["name"] for target in answer["unreadable"]] == ["prod/orders/elm"]


def test_a_failure_has_its_statement_and_what_was_executed() -> None:
    answer = through(shapes.result(samples.upgrade()))
    failed = next(t for t in answer["targets"] if t["name"] == "prod/catalog/acme")
    assert failed["failure"] == {
        "message": samples.HALF.message,
        "next_step": samples.HALF.next_step,
        "revision": samples.SECOND.id,
        "statement": samples.HALF.statement,
        "executed": list(samples.HALF.executed),
        "half_applied": True,
        "retryable": False,
        "traceback": None,
    }


def test_a_traceback_is_there_for_debugging_only() -> None:
    failed = samples.outcome("prod/a", State.FAILED, failure=Failure("broken", traceback="Tb"))
    result = samples.result("upgrade", [failed])
    assert shapes.result(result)["targets"][0]["failure"]["traceback"] is None
    assert shapes.result(result, debug=True)["targets"][0]["failure"]["traceback"] == "Tb"


def test_history_counts_every_environment_at_every_revision() -> None:
    answer = through(shapes.history(samples.history()))
    assert answer["summary"] == {"revisions": 2, "targets": 13, "unreadable": 1}
    standing = [(r["id"], r["standing"]) for r in answer["revisions"]]
    assert standing == [
        ("b81e0c5512aa", {"dev": 2, "prod": 5}),
        ("3f2a9c41d07b", {"dev": 0, "prod": 1}),
    ]
    assert answer["empty"] == {"dev": 4, "prod": 0}
    assert answer["unreadable"][0]["state"] == "unreachable"


def test_sql_names_each_targets_file() -> None:
    files = {"dev/orders/acme": "out/dev/orders/acme.sql"}
    answer = through(shapes.sql(SqlFiles(samples.dry_run(), files)))
    assert [target["file"] for target in answer["targets"]][:2] == [*files.values(), None]


def test_every_key_is_documented() -> None:
    answers = [
        shapes.targets(samples.fleet()),
        shapes.result(samples.check()),
        shapes.history(samples.history()),
        shapes.sql(SqlFiles(samples.upgrade(), {})),
        shapes.revision(NewRevision("orders", None, "b81e", empty=False)),
        shapes.error("no", 2),
    ]
    for answer in map(through, answers):
        for part in ("summary", "standing", "labels", "empty"):
            answer.pop(part, None)
        for target in answer.get("targets", []):
            target.pop("labels")
        for revision in answer.get("revisions", []):
            revision.pop("standing", None)
        missing = {key for key in keys(answer) if f'"{key}"' not in DOCUMENT}
        assert not missing

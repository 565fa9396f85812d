"""Optuna's history, from empty databases, on four kinds of server."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.project_folder import Ran
from tests.third_party.conftest import Application, differences, one_line, targets

pytestmark = pytest.mark.slow

KINDS = ("sqlite", "postgres", "mariadb", "mysql")
HEAD, BEFORE = "v3.2.0.a", "v3.0.0.d"
TENANTS = ("ada", "bob", "cyd")
OWN = "own"
"""A tenant whose tables Optuna made itself, as it does for whoever has none yet."""

ON_MARIADB = {
    "revision": "v2.4.0.a",
    "statement": "ALTER TABLE trial_values DROP COLUMN step",
    "message": "1072: Key column 'step' doesn't exist in table",
    "executed": [
        "CREATE TABLE study_directions",
        "CREATE TABLE trial_intermediate_values",
        "DELETE FROM trial_values",
        "ALTER TABLE trial_values ADD COLUMN objective INTEGER NOT NULL",
        "ALTER TABLE trial_values ADD CONSTRAINT uq_trial_values_trial_id_objective UNIQUE",
        "ALTER TABLE studies DROP COLUMN direction",
    ],
}
"""Where Optuna's history ends there: MariaDB drops no column of a unique key of several columns."""


def test_optuna(application: Callable[..., Application]):
    """Upgrade, status, check, one step down and up: what plain ``alembic`` does, on all targets."""
    app = application("optuna.storages._rdb:alembic", *TENANTS, OWN, "audit")
    declare(app)
    app.plainly("optuna_storage", "mariadb", OWN)
    own = app.schema("mariadb", OWN)

    ran = app.project.run("upgrade", "-o", "json", code=None)

    plain = {kind: app.alembic(kind, "upgrade", "head") for kind in KINDS}
    upstream_fails = plain["mariadb"]["statement"] is not None
    assert upstream_fails or not app.is_mariadb(), "then MariaDB can do it now: rewrite this test"
    assert ran.code == (3 if upstream_fails else 0), ran
    for kind in KINDS:
        schema = app.schema(kind)
        assert [app.schema(kind, tenant) for tenant in TENANTS] == [schema] * 3
        assert states(ran, f"{kind}/audit") == ["done"]
        if plain[kind]["statement"] is not None:
            assert schema["versions"] == ["v1.3.0.a"]
            continue
        assert states(ran, f"{kind}/optuna")[:3] == ["done"] * 3
        assert schema["versions"] == [HEAD]
        assert len(schema["tables"]) == 12
    assert states(ran, f"mariadb/optuna/{OWN}") == ["unchanged"]
    assert app.schema("mariadb", OWN) == own
    if upstream_fails:
        for tenant in TENANTS:
            assert_half_applied(targets(ran, f"mariadb/optuna/{tenant}")[0], plain["mariadb"])

    ran = app.project.run("status", "-o", "json")

    behind = {"behind": 3} if upstream_fails else {}
    assert ran.json["summary"]["states"] == {"current": 17 - len(behind) * 3, **behind}

    ran = app.project.run("check", "*/optuna", "-o", "json", code=4)

    for kind in KINDS:
        if plain[kind]["statement"] is not None:
            assert states(ran, f"{kind}/optuna")[:3] == ["behind"] * 3
            continue
        found = app.alembic_check(kind)
        assert states(ran, f"{kind}/optuna")[:3] == ["differs"] * 3
        assert [differences(t) for t in targets(ran, f"{kind}/optuna")[:3]] == [found] * 3
    (of_own,) = targets(ran, f"mariadb/optuna/{OWN}")
    assert differences(of_own) == app.alembic_check("mariadb", OWN)

    able = ("sqlite", "postgres")  # MySQL can't drop the index: a comment of Optuna's says so
    for verb, revision, ends in [("downgrade", "-1", BEFORE), ("upgrade", "head", HEAD)]:
        selectors = [f"{kind}/optuna" for kind in able]
        ran = app.project.run(verb, *selectors, "--revision", revision, "--yes", "-o", "json")
        assert ran.json["summary"]["states"] == {"done": 6}
        for kind in able:
            assert app.alembic(kind, verb, revision)["statement"] is None
            schema = app.schema(kind)
            assert schema["versions"] == [ends]
            assert [app.schema(kind, tenant) for tenant in TENANTS] == [schema] * 3


def declare(app: Application) -> None:
    """Write the project: Optuna for each tenant, and a database of ours that all of them share."""
    environments = "".join(
        f"""
        [environments.{kind}]
        url     = "{app.template(kind)}"
        tenants = {[*TENANTS, OWN] if kind == "mariadb" else list(TENANTS)}
        rollout = {{ max_parallel = 3, max_failures = "100%" }}

        [environments.{kind}.databases.audit]
        url = "{app.template(kind).replace("{tenant}", "audit")}"
        """
        for kind in KINDS
    )
    app.project.config(
        f"""
        [project]
        name = "studies"

        [databases.optuna]
        script_location = "optuna.storages._rdb:alembic"

        [databases.audit]
        script_location = "migrations/audit"
        {environments}"""
    )
    app.project.scripts("audit")
    create = 'op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))'
    app.project.revision("a1", None, create, database="audit")


def states(ran: Ran, selector: str) -> list[str]:
    """The states of some targets, in their order."""
    return [target["state"] for target in targets(ran, selector)]


def assert_half_applied(target: dict[str, Any], plain: dict[str, Any]) -> None:
    """The report is exact: what failed, what was executed before it, that it stays."""
    failure = target["failure"]
    assert target["state"] == "failed"
    assert target["heads"] == ["v1.3.0.a"]
    assert failure["half_applied"] is True
    assert failure["retryable"] is False
    assert {key: failure[key] for key in ("revision", "statement", "message")} == {
        key: ON_MARIADB[key] for key in ("revision", "statement", "message")
    }
    assert failure["statement"] == plain["statement"]
    executed = [one_line(statement) for statement in failure["executed"]]
    assert executed == [one_line(statement) for statement in plain["executed"]]
    for statement, start in zip(executed, ON_MARIADB["executed"], strict=True):
        assert statement.startswith(start)

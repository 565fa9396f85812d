"""MLflow's history, from the tables of its first release to today's, on four kinds of server."""

from collections.abc import Callable

import pytest

from tests.third_party.conftest import KINDS, Application, differences, one_line, targets

pytestmark = pytest.mark.slow

INITIAL = "mlflow.store.tracking.dbmodels.initial_models:Base"
HEAD, BEFORE = "dc11669786a5", "75868b020152"
COMMIT = ("mariadb", "mysql")
"""Kinds on which each statement of DDL commits."""
TENANTS = ("ada", "bob", "cyd")


@pytest.mark.parametrize("engine", ["", 'kind = "dask"\nscheduler = "local"'])
def test_mlflow(application: Callable[..., Application], engine: str):
    """Upgrade, status, check, one step down and up: what plain ``alembic`` does, on twelve targets.

    Each third tenant gets what may be replayed as the first two got it.

    One test, since each process that imports MLflow takes three seconds for it.
    """
    app = application("mlflow:store/db_migrations", *TENANTS)
    for kind in KINDS:
        for tenant in (*TENANTS, "plain"):
            app.plainly("create_all", kind, tenant, metadata=INITIAL)
    environments = "".join(
        f"""
        [environments.{kind}]
        url     = "{app.template(kind)}"
        tenants = {list(TENANTS)}
        rollout = {{ max_parallel = 1, max_failures = "100%" }}
        """
        for kind in KINDS
    )
    app.project.config(
        f"""
        [project]
        name = "experiments"

        [databases.mlflow]
        script_location = "mlflow:store/db_migrations"
        {environments}
        [engine]
        """
        + engine
    )

    ran = app.project.run("upgrade", "-o", "json")

    assert ran.json["summary"]["states"] == {"done": 12}
    assert [len(target["revisions"]) for target in ran.json["targets"]] == [67] * 12
    replayed = {kind: [target["replayed"] for target in targets(ran, kind)] for kind in KINDS}
    # The others import MLflow's code, or ask the database; on SQLite a batch does.
    assert replayed == {kind: [0, 0, 19 if kind == "sqlite" else 30] for kind in KINDS}
    for kind in KINDS:
        assert app.alembic(kind, "upgrade", "head")["statement"] is None
        plain = app.schema(kind)
        assert len(plain["tables"]) == 65
        assert plain["versions"] == [HEAD]
        assert [app.schema(kind, tenant) for tenant in TENANTS] == [plain] * 3
    assert app.project.run("status", "-o", "json").json["summary"]["states"] == {"current": 12}

    ran = app.project.run("check", "-o", "json", code=4)

    assert ran.json["summary"]["states"] == {"differs": 12}
    for kind in KINDS:
        plain = app.alembic_check(kind)
        assert [differences(target) for target in targets(ran, kind)] == [plain] * 3

    # MySQL and MariaDB can't drop an index that a foreign key needs: MLflow's downgrade drops it.
    ran = app.project.run("downgrade", *KINDS, "--revision", "-1", "--yes", "-o", "json", code=3)

    assert ran.json["summary"]["states"] == {"done": 6, "failed": 6}
    for kind in KINDS:
        plain = app.alembic(kind, "downgrade", "-1")
        schema = app.schema(kind)
        assert [app.schema(kind, tenant) for tenant in TENANTS] == [schema] * 3
        if kind not in COMMIT:
            assert schema["versions"] == [BEFORE]
            continue
        assert plain["statement"].strip() == "DROP INDEX index_job_locks_job_id ON job_locks"
        assert schema["versions"] == [HEAD]
        for target in targets(ran, kind):
            failure = target["failure"]
            assert failure["revision"] == HEAD
            assert one_line(failure["statement"]) == one_line(plain["statement"])
            assert "index_job_locks_job_id" in failure["message"]
            assert failure["half_applied"] is True
            executed = [one_line(statement) for statement in failure["executed"]]
            assert executed == [one_line(statement) for statement in plain["executed"]]
            assert len(executed) == 9
            assert executed[0] == "DROP INDEX index_jobs_status_lease_expires_at ON jobs"
            assert executed[-1] == "ALTER TABLE jobs DROP COLUMN executor_backend"

    refused = app.project.run("upgrade", code=5)
    assert "half applied by run 2" in refused.err
    # The next upgrade of plain Alembic does nothing there either: the version table says the head.
    app.project.run("stamp", *COMMIT, "--revision", HEAD, "--yes")
    ran = app.project.run("upgrade", "-o", "json")

    assert ran.json["summary"]["states"] == {"done": 6, "unchanged": 6}
    for kind in KINDS:
        app.alembic(kind, "upgrade", "head")
        plain = app.schema(kind)
        assert plain["versions"] == [HEAD]
        assert [app.schema(kind, tenant) for tenant in TENANTS] == [plain] * 3

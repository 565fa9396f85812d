"""The product on another engine than its own: nothing above knows which one it is."""

from pathlib import Path

import pytest

from orchestrator import Project
from orchestrator.rollout.outcomes import State
from tests.engines.one_process_per_job import OneProcessPerJob
from tests.project_folder import ProjectFolder

FILE = """
[project]
name = "shop"
[databases.app]
script_location = "migrations/app"
[environments.prod]
url = "sqlite:///var/{tenant}.db"
tenants = ["t0", "t1", "t2", "t3"]
[environments.prod.rollout]
max_parallel = 2
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project_folder = ProjectFolder(tmp_path)
    project_folder.config(FILE)
    project_folder.scripts()
    project_folder.revision("a1", None, "op.create_table('a', sa.Column('n', sa.Integer))")
    project_folder.revision("b2", "a1", "op.add_column('a', sa.Column('m', sa.Integer))")
    (tmp_path / "var").mkdir()
    monkeypatch.setattr("orchestrator.dispatch.workers.LocalEngine", OneProcessPerJob)
    return Project.load(tmp_path / "environments.toml")


def test_a_run_and_what_reads_work_on_it(project: Project) -> None:
    before = project.status()
    done = project.upgrade()
    after = project.status()

    assert before.tally == {State.EMPTY: 4}
    assert done.tally == {State.DONE: 4}
    assert [outcome.heads for outcome in done.outcomes] == [("b2",)] * 4
    assert after.tally == {State.CURRENT: 4}
    assert project.runs.list()[0].state == "done"

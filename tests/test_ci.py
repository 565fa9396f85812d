"""The recipes for CI: parsed as what they are, and every command of theirs run, in their order."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml

from tests.project_folder import ProjectFolder

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
_BLOCK = re.compile(r"^```(yaml|groovy|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = _BLOCK.findall((ROOT / "docs/ci.md").read_text())
CONFIG = """
[project]
name = "shop"

[databases.app]
script_location = "migrations/app"

[environments.staging]
url = "sqlite:///var/staging/{tenant}.db"
tenants = ["acme"]

[environments.prod]
url = "sqlite:///var/prod/{tenant}.db"
tenants = ["acme", "birch"]
protected = true

[[environments.prod.rollout.waves]]
name = "canary"
pick = 1
gate = { approval = true }
"""
# What is not ours, and would reach out: each says what it was given.
_STUBS = {
    "python": 'case "$*" in "-m pip install "*) ;; *) exec "$REAL_PYTHON" "$@" ;; esac',
    "gh": 'for last; do :; done; [ -s "$last" ] && cp "$last" comment.md',
}


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    project = ProjectFolder(tmp_path)
    project.config(CONFIG)
    project.scripts()
    create = "op.create_table('items', sa.Column('id', sa.Integer))"
    project.revision("a1", None, create, "op.drop_table('items')", message="items")
    return project


@pytest.fixture
def environ(shop: ProjectFolder) -> dict[str, str]:
    """What a runner's shell has."""
    stubs = shop.folder / "stubs"
    stubs.mkdir()
    for name, text in _STUBS.items():
        (stubs / name).write_text(f"#!/bin/sh\n{text}\n")
        (stubs / name).chmod(0o755)
    for name in ("output", "summary"):
        (shop.folder / name).touch()
    return {
        **shop._environ(),
        "PATH": f"{stubs}:{shop.program.parent}:{os.environ['PATH']}",
        "REAL_PYTHON": str(shop.program.with_name("python")),
        "RUNNER_TEMP": str(shop.folder),
        "GITHUB_OUTPUT": str(shop.folder / "output"),
        "GITHUB_STEP_SUMMARY": str(shop.folder / "summary"),
    }


def sh(shop: ProjectFolder, environ: dict[str, str], script: str, code: int = 0) -> str:
    """Run a script as runners do, and return what it said."""
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=shop.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def action(shop: ProjectFolder, environ: dict[str, str], command: str, code: int = 0) -> Path:
    """Run the steps of the action, and return the folder of its reports."""
    for step in ACTION["runs"]["steps"]:
        if "run" not in step:
            continue
        assert "${{" not in step["run"]  # nobody's text becomes a part of a script
        given = {"COMMAND": command, "INSTALL": ACTION["inputs"]["install"]["default"]}
        sh(shop, {**environ, **given}, step["run"], code if step.get("id") == "run" else 0)
    output = dict(line.split("=", 1) for line in (shop.folder / "output").read_text().splitlines())
    assert output["exit-code"] == str(code)
    return Path(output["reports"])


def waits(command: str) -> int:
    """Return the code of a command that is right: prod has a gate."""
    return 6 if "--plan prod.plan.json" in command else 0


def test_there_is_a_recipe_of_each_kind() -> None:
    assert [kind for kind, _ in BLOCKS] == ["yaml", "yaml", "groovy", "sh", "sh"]


def test_github(shop: ProjectFolder, environ: dict[str, str]) -> None:
    found = yaml.safe_load(BLOCKS[0][1])
    assert set(found[True]) == {"pull_request", "push"}  # YAML 1.1 calls `on` true
    names = list(found["jobs"])
    for job in found["jobs"].values():
        assert all(need in names for need in [job.get("needs", names[0])])
        for step in job["steps"]:
            if "run" in step:
                sh(shop, environ, step["run"])
            elif "alembic-orchestrator" in step["uses"]:
                assert set(step["with"]) <= set(ACTION["inputs"])
                command = step["with"]["command"]
                action(shop, environ, command, waits(command))
            else:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
    assert "a1" in (shop.folder / "comment.md").read_text()
    json.loads((shop.folder / "drift.sarif").read_text())
    assert "3 targets" in shop.run("targets").out


def test_gitlab(shop: ProjectFolder, environ: dict[str, str]) -> None:
    found: dict[str, Any] = yaml.safe_load(BLOCKS[1][1])
    stages = found.pop("stages")
    for command in found.pop("default")["before_script"]:
        sh(shop, environ, command)
    for stage in stages:
        (job,) = (job for job in found.values() if job["stage"] == stage)
        for command in (*job["script"], *job.get("after_script", ())):
            sh(shop, environ, command, waits(command))
        kept = job["artifacts"]
        report = kept.get("reports", {}).get("junit")
        assert report is None or list(JUnitXml.fromfile(str(shop.folder / report)))
        assert all((shop.folder / path).exists() for path in kept.get("paths", ()))


def test_jenkins(shop: ProjectFolder, environ: dict[str, str]) -> None:
    text = BLOCKS[2][1]
    assert text.count("{") == text.count("}")
    commands = re.findall(r"sh '([^']*)'", text)
    assert len(commands) == 4
    for command in commands:
        sh(shop, environ, command, waits(command))


def test_a_shell(shop: ProjectFolder, environ: dict[str, str]) -> None:
    script, again = BLOCKS[3][1], BLOCKS[4][1]
    said = sh(shop, environ, script)
    assert "prod waits for approval" in said
    assert (shop.folder / "prod.prom").read_text().startswith("# HELP")
    sh(shop, environ, again, 6)
    shop.run("approve", "last")
    sh(shop, environ, again)
    assert "2 current" in shop.run("status", "prod").out
    sh(shop, environ, again, 2)


def test_the_action_keeps_its_reports(shop: ProjectFolder, environ: dict[str, str]) -> None:
    shop.revision("a2", "a1", "raise RuntimeError('::error::no <b>way</b>')", message="breaks")
    reports = action(shop, environ, "upgrade staging --yes", 3)
    assert {path.name for path in reports.iterdir()} == {
        "summary.md",
        "result.xml",
        "result.sarif",
        "report.html",
    }
    assert "no" in (shop.folder / "summary").read_text()
    found = JUnitXml.fromfile(str(reports / "result.xml"))
    # The target, and the run that went over its budget.
    assert sum(suite.failures + suite.errors for suite in found) == 2
    for name, value in ACTION["inputs"].items():
        assert value["description"], name

"""What a gate's check comes to, whatever it raises."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator.config.secrets import Secrets
from orchestrator.config.template import Secret
from orchestrator.dispatch.observer import NullObserver
from orchestrator.runs.context import ProjectContext
from orchestrator.runs.gates.waiting import GateCheck
from tests.project_folder import wait_until


def test_what_nobody_foresaw_is_told_without_a_secret_that_it_has_just_read() -> None:
    secrets = Secrets(Path(), {"PASSWORD": "tr0ub4dor&3"})
    file: Any = SimpleNamespace()
    project = ProjectContext(file, secrets, (), NullObserver(), lambda _: ())

    def check() -> tuple[bool, str]:
        raise RuntimeError(f"{secrets.value(Secret('env', 'PASSWORD'))} was refused")

    found = GateCheck.of(check, project)
    wait_until(lambda: found.verdict is not None)

    assert found.verdict == (False, "RuntimeError: *** was refused")

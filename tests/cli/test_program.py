"""The program through its real entry point, as far as it needs no databases."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.invocation import hoist

COMMANDS = (
    "init",
    "config check",
    "config show",
    "config schema",
    "targets",
    "status",
    "check",
    "plan",
    "upgrade",
    "runs",
    "show",
    "resume",
    "pause",
    "abort",
    "approve",
    "retry",
    "skip",
    "rollback",
    "revision",
    "downgrade",
    "stamp",
    "history",
)
FILE = """
[project]
name = "shop"

[databases.orders]
script_location = "migrations/orders"

[environments.dev]
url = "sqlite:///var/{tenant}.db"
tenants = ["acme", { name = "birch", note = "[red]" }]

[environments.prod]
url = "sqlite:///var/prod/{tenant}.db"
tenants = [{ name = "acme", tier = "free" }]
protected = true
"""


def orchestrator(
    folder: Path, *arguments: str, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ORCHESTRATOR_", "FORCE_"))}
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=folder,
        env={**kept, "COLUMNS": "80", **environ},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "environments.toml").write_text(FILE)
    (tmp_path / "migrations/orders").mkdir(parents=True)
    (tmp_path / "migrations/orders/env.py").touch()
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_fits_a_terminal(tmp_path: Path, command: str) -> None:
    done = orchestrator(tmp_path, *command.split(), "--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert f"orchestrator {command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""


def test_help_waits_for_no_library(tmp_path: Path) -> None:
    code = (
        "import sys; from orchestrator.cli.app import run; code = run(['--help']);"
        "slow = {'sqlalchemy', 'alembic', 'orchestrator.actions', 'orchestrator.config.models'};"
        "sys.exit(str(slow & set(sys.modules)) if slow & set(sys.modules) else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(command.split()[0] in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "downgrade dev --revision base",
        "drift",
        "history orders",
        "merge orders -m all",
        "plan",
        "resume 1",
        "retry 1",
        "revision orders -m all",
        "rollback 1",
        "stamp dev --revision base",
        "status",
        "upgrade",
    ],
)
def test_workers_start_to_import_before_the_command_does(project: Path, command: str) -> None:
    """Both take half a second, side by side or one after the other."""
    code = (
        "import sys; from orchestrator.cli.app import run;"
        "from orchestrator.engines import local;"
        "local.start_fork_server = lambda _: sys.exit('early' if 'sqlalchemy' in sys.modules"
        " or 'orchestrator.actions' in sys.modules else 'first');"
        f"run({command.split()})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == "first\n", done


def test_version(tmp_path: Path) -> None:
    from orchestrator import __version__

    assert orchestrator(tmp_path, "--version").stdout == f"orchestrator {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["--nope"], ["nope"], ["status", "--nope"], ["downgrade", "dev"], ["history"], ["-o"]],
)
def test_bad_usage(project: Path, arguments: list[str]) -> None:
    done = orchestrator(project, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_file(tmp_path: Path) -> None:
    done = orchestrator(tmp_path, "status")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no environments.toml in ")
    assert "orchestrator init" in done.stderr


def test_no_file_for_a_program(tmp_path: Path) -> None:
    done = orchestrator(tmp_path, "status", "-o", "json")
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == done.returncode == 2
    assert error["message"].startswith("no environments.toml in ")
    assert done.stderr.startswith("error: no environments.toml in ")


def test_mistakes_in_the_file(project: Path) -> None:
    (project / "environments.toml").write_text(FILE + "\nprotcted = true\n")
    done = orchestrator(project, "config", "check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'protected'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "other.toml", "config", "check"],
        ["config", "check", "--config", "other.toml"],
        ["config", "check", "--config=other.toml", "--debug"],
    ],
)
def test_config_before_and_after_the_command(project: Path, arguments: list[str]) -> None:
    (project / "environments.toml").rename(project / "other.toml")
    done = orchestrator(project, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "other.toml: 2 environments, 1 database, 3 targets\n"


def test_config_from_the_environment(project: Path) -> None:
    (elsewhere := project / "elsewhere").mkdir()
    (elsewhere / "environments.toml").write_text("not this one")
    named = str(project / "environments.toml")
    assert orchestrator(elsewhere, "config", "check", ORCHESTRATOR_CONFIG=named).returncode == 0


def test_hoisting_leaves_alone_what_follows_two_dashes() -> None:
    assert hoist(["status", "--debug", "--", "--debug"]) == ["--debug", "status", "--", "--debug"]
    assert hoist(["status", "--config"]) == ["--config", "status"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["--where", "tier"], "--where wants LABEL=VALUE"),
        (["--where", "=free"], "--where wants LABEL=VALUE"),
        (["--where", "tier=a", "--where", "tier=b"], "'tier' two values"),
    ],
)
def test_bad_labels(project: Path, where: list[str], message: str) -> None:
    done = orchestrator(project, "targets", *where)
    assert done.returncode == 2
    assert message in done.stderr


def test_sql_and_dry_run_exclude_each_other(project: Path) -> None:
    done = orchestrator(project, "upgrade", "--sql", "out", "--dry-run")
    assert done.returncode == 2
    assert "--sql and --dry-run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (["downgrade", "dev", "--revision", "-1"], "Downgrade to -1: 2 targets\n  dev  2 orders"),
        (["stamp", "prod", "--revision", "base"], "Stamp as base: 1 target\n  prod  1 orders"),
    ],
)
def test_nothing_is_changed_unasked(project: Path, arguments: list[str], question: str) -> None:
    done = orchestrator(project, *arguments, stdin="y\n")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == (
        f"{question}\n"
        "error: not confirmed: there is no terminal to ask on; pass --yes to go ahead\n"
    )


def test_a_traceback_for_debugging_holds_no_secret(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from orchestrator.cli.failures import explained;"
        "from orchestrator.cli.invocation import Invocation;"
        "from orchestrator.config.secrets import Secrets;"
        "from orchestrator.config.template import Secret;"
        "secrets = Secrets(Path('.'), {'PASSWORD': 'tr0ub4dor&3'});"
        "value = secrets.value(Secret('env', 'PASSWORD'));\n"
        "with explained(Invocation(debug=True)):\n"
        "    raise RuntimeError(f'{value!r} was refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "RuntimeError: '***' was refused" in done.stderr
    assert "tr0ub4dor" not in done.stderr


def test_internal_errors_are_explained(project: Path) -> None:
    broken = (
        "import sys; from orchestrator.actions import Project;"
        "Project.targets = lambda *_: 1 / 0;"
        "from orchestrator.cli.app import run; sys.exit(run(sys.argv[1:]))"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", broken, *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    quiet, loud = run("targets"), run("targets", "--debug")
    assert quiet.returncode == loud.returncode == 1
    assert quiet.stderr == (
        "error: internal error: ZeroDivisionError; please report this;"
        " run again with --debug for the traceback\n"
    )
    assert "Traceback" in loud.stderr


def test_a_reader_that_leaves_is_no_error(project: Path) -> None:
    tenants = ", ".join(f'"tenant{n}"' for n in range(5000))
    text = FILE.replace('tenants = ["acme", ', f"tenants = [{tenants}, ")
    (project / "environments.toml").write_text(text)
    command = f"{sys.executable} -m orchestrator targets | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("target")
    assert (done.returncode, done.stderr) == (0, "")


def test_labels_that_look_like_markup_are_shown_as_they_are(project: Path) -> None:
    done = orchestrator(project, "targets", "dev")
    assert done.returncode == 0, done.stderr
    assert "note=[red]" in done.stdout


def test_an_encoding_without_the_characters(project: Path) -> None:
    (project / "environments.toml").write_text(FILE.replace("[red]", "é→"))
    done = orchestrator(project, "targets", "dev", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"note=\xe9\u2192" in done.stdout


def completed(folder: Path, *words: str) -> list[str]:
    done = orchestrator(
        folder,
        COMP_WORDS=" ".join(["orchestrator", *words]),
        COMP_CWORD=str(len(words)),
        _ORCHESTRATOR_COMPLETE="complete_bash",
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_knows_names(project: Path) -> None:
    assert completed(project, "status", "d") == ["dev"]
    assert completed(project, "status", "prod/o") == ["prod/orders"]
    assert completed(project, "upgrade", "prod/orders/a") == ["prod/orders/acme"]
    assert completed(project, "upgrade", "*/orders/a") == ["*/orders/acme"]
    assert completed(project, "history", "o") == ["orders"]


@pytest.mark.parametrize("text", [None, "not toml", "[environments]\ndev = 3", "environments = 3"])
def test_completion_says_nothing_where_something_is_wrong(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "environments.toml").write_text(text)
    assert completed(tmp_path, "status", "x/y/z") == []


def test_upgrading_needs_nothing_of_alembic_in_the_process_that_was_called() -> None:
    code = (
        "import sys; import orchestrator.cli.app, orchestrator.actions.project;"
        "sys.exit(1 if 'alembic' in sys.modules else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

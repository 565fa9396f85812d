"""``Project`` for Python programs, and what is checked before anything is touched."""

import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest

from orchestrator import Project, Selection
from orchestrator.__main__ import main
from orchestrator.errors import ConfigError, SecretError, TargetsFailed, UsageError
from orchestrator.rollout.outcomes import State
from orchestrator.safety.drivers import check_drivers
from tests.project_folder import ProjectFolder

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'


@pytest.fixture
def project_folder(tmp_path: Path) -> ProjectFolder:
    shop = ProjectFolder(tmp_path)
    shop.scripts()
    shop.revision("a1", None, CREATE, 'op.drop_table("items")', message="create items")
    return shop


def declare(shop: ProjectFolder, environments: str) -> Project:
    top = '[project]\nname = "p"\n[databases.app]\nscript_location = "migrations/app"\n'
    shop.config(top + textwrap.dedent(environments))
    return Project.load(shop.folder / "environments.toml")


ONE = """
[environments.dev]
url = "sqlite:///var/{tenant}.db"
tenants = [{ name = "acme", tier = "free" }, { name = "birch", tier = "paid" }]
"""


def test_the_verbs_return_what_the_command_line_renders(project_folder: ProjectFolder) -> None:
    project = declare(project_folder, ONE)

    assert [t.name for t in project.targets()] == ["dev/app/acme", "dev/app/birch"]
    free = Selection(("dev",), where={"tier": "free"})
    assert [o.state for o in project.upgrade(free).outcomes] == [State.DONE]
    status = project.status()
    assert [o.state for o in status.outcomes] == [State.CURRENT, State.EMPTY]
    assert status.exit_code == 0
    result = project.upgrade()
    assert [o.state for o in result.outcomes] == [State.UNCHANGED, State.DONE]
    assert result.exit_code == 0
    history = project.history("app")
    assert history.standing == {"a1": {"dev": 2}}
    assert [r.message for r in history.revisions] == ["create items"]
    down = project.downgrade(Selection(("dev/app/acme",)), "base")
    assert [(o.state, o.heads) for o in down.outcomes] == [(State.DONE, ())]


def test_a_program_without_a_main_guard_runs_once(project_folder: ProjectFolder) -> None:
    declare(project_folder, ONE)
    program = project_folder.folder / "program.py"
    program.write_text(
        "print('started')\nfrom orchestrator import Project\n"
        "print(Project.load().upgrade().exit_code)\n"
    )

    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=project_folder.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("started\n0\n", "")


def test_a_missing_secret_names_itself_and_all_who_need_it(project_folder: ProjectFolder) -> None:
    project = declare(
        project_folder,
        """
        [environments.dev]
        url = "mysql+pymysql://app:${env:NOT_SET_ANYWHERE}@db/{tenant}"
        tenants = ["acme", "birch"]
        """,
    )

    with pytest.raises(SecretError) as caught:
        project.upgrade()

    assert "NOT_SET_ANYWHERE" in str(caught.value)
    assert "dev/app/acme, dev/app/birch" in str(caught.value)


def test_two_targets_on_one_database_are_found_out_once_secrets_are_known(
    project_folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ONE_URL", "OTHER_URL"):
        monkeypatch.setenv(name, f"sqlite:///{project_folder.folder}/same.db")
    project = declare(
        project_folder,
        """
        [environments.dev]
        url = "${env:ONE_URL}"
        [environments.prod]
        url = "${env:OTHER_URL}"
        """,
    )

    with pytest.raises(UsageError, match="dev/app and prod/app are one physical database"):
        project.status()


def test_two_targets_on_one_file_through_a_link(project_folder: ProjectFolder) -> None:
    (project_folder.folder / "real").mkdir()
    (project_folder.folder / "link").symlink_to("real")
    project = declare(
        project_folder,
        """
        [environments.dev]
        url = "sqlite:///real/app.db"
        [environments.prod]
        url = "sqlite:///link/app.db"
        """,
    )

    with pytest.raises(UsageError, match="one physical database"):
        project.upgrade()


def test_environments_that_are_not_selected_are_checked_too(project_folder: ProjectFolder) -> None:
    project = declare(
        project_folder,
        """
        [environments.dev]
        url = "sqlite:///app.db"
        [environments.prod]
        url = "sqlite:///./app.db"
        """,
    )

    with pytest.raises(ConfigError, match="dev/app"):
        project.targets(Selection(("dev",)))


def test_scripts_that_are_not_there_are_shown_in_the_file(project_folder: ProjectFolder) -> None:
    (project_folder.folder / "migrations/app/env.py").unlink()
    project = declare(project_folder, ONE)

    with pytest.raises(
        ConfigError, match=r"environments.toml:4:19: there is no 'migrations/app/env"
    ):
        project.targets()


def test_scripts_that_can_not_be_looked_at_are_not_there(project_folder: ProjectFolder) -> None:
    project = declare(project_folder, ONE)
    long = "x" * 300
    path = project.file.path
    path.write_text(path.read_text().replace("migrations/app", long))

    with pytest.raises(ConfigError, match=f"there is no '{long}/env"):
        Project.load(path).targets()


def test_a_file_that_becomes_invalid_while_the_command_runs(project_folder: ProjectFolder) -> None:
    project = declare(project_folder, ONE)
    project.file.path.write_text("[project\n")

    outcomes = project.upgrade().outcomes

    assert {o.state for o in outcomes} == {State.FAILED}
    assert all(o.failure and "environments.toml:1" in o.failure.message for o in outcomes)


def test_a_current_folder_that_was_deleted_is_named(
    project_folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = declare(project_folder, ONE)
    gone = project_folder.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(UsageError, match="the current folder was deleted"):
        project.upgrade()


def test_a_worker_that_dies_while_it_authors_is_told_in_words(
    project_folder: ProjectFolder,
) -> None:
    project = declare(project_folder, ONE)
    project_folder.revision("b2", "a1", "pass", header="os._exit(3)")

    with pytest.raises(TargetsFailed, match=r"^app: its worker ended itself with exit code 3$"):
        project.history("app")


def test_history_says_as_status_does_that_a_target_could_not_be_read(
    project_folder: ProjectFolder,
) -> None:
    project = declare(project_folder, ONE)
    project.upgrade()
    assert project.history("app").exit_code == 0
    (project_folder.folder / "var/acme.db").write_text("no database" * 100)

    assert project.status().exit_code == 3
    assert project.history("app").exit_code == 3
    assert project_folder.run("history", "app", code=3).out


def test_a_ctrl_c_before_the_command_is_imported_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(types.ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "orchestrator.cli.app", Interrupted("app"))

    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130


def test_a_file_that_changes_while_the_command_runs_is_refused(
    project_folder: ProjectFolder,
) -> None:
    project = declare(project_folder, ONE)
    declare(project_folder, ONE.replace("var/", "other/"))

    outcomes = project.upgrade().outcomes

    assert {o.state for o in outcomes} == {State.FAILED}
    assert all(
        o.failure and "was changed while the command ran" in o.failure.message for o in outcomes
    )
    assert not (project_folder.folder / "other").exists()


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ("mysql+mysqldb", "write mysql.pymysql://"),
        ("postgresql+psycopg2", r"pip install 'alembic-orchestrator\[postgres\]'"),
        ("oracle+oracledb", "not supported"),
    ],
)
def test_a_driver_that_can_not_be_used_says_what_can(driver: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_drivers(["mysql+pymysql", driver])


def test_an_asynchronous_driver_needs_an_ordinary_one_beside_it() -> None:
    check_drivers(["sqlite+aiosqlite", "mysql+aiomysql", "postgresql+asyncpg"])


def test_an_unknown_database_is_a_usage_error_with_a_hint(project_folder: ProjectFolder) -> None:
    with pytest.raises(UsageError, match="did you mean 'app'"):
        declare(project_folder, ONE).history("apps")


def test_it_may_be_used_from_several_threads_and_within_an_event_loop(
    project_folder: ProjectFolder,
) -> None:
    """And nothing of the process is changed where another thread can see it."""
    declare(project_folder, ONE)
    program = project_folder.folder / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import asyncio, os, signal, sys, threading
            from concurrent.futures import ThreadPoolExecutor
            from orchestrator import Project

            def process():
                handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
                return dict(os.environ), sys.modules["__main__"], os.getcwd(), handlers

            before, seen, done = process(), [], threading.Event()

            def watch():
                while not done.is_set():
                    if process() != before:
                        seen.append(1)

            def ask(_):
                return Project.load().status().exit_code

            async def within_a_loop():
                return ask(None)

            watching = threading.Thread(target=watch)
            watching.start()
            try:
                with ThreadPoolExecutor(4) as pool:
                    codes = list(pool.map(ask, range(8)))
            finally:
                done.set()
            watching.join()
            print(codes, seen, asyncio.run(within_a_loop()))
            """
        )
    )

    ran = subprocess.run(
        [sys.executable, str(program)],
        cwd=project_folder.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout.strip() == f"{[0] * 8} [] 0", ran.stderr

"""What migrations print and close, and what their SQL holds."""

import subprocess

from tests.project_folder import ProjectFolder

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'


def declare(shop: ProjectFolder, url: str) -> None:
    shop.scripts()
    shop.config(
        f"""
        [project]
        name = "p"
        [databases.app]
        script_location = "migrations/app"
        [environments.dev]
        url = "{url}"
        """
    )


def test_a_migration_may_close_its_output(project: ProjectFolder) -> None:
    declare(project, "sqlite:///app.db")
    project.revision("a1", None, f"{CREATE}\nsys.stdout.close()")

    states = project.run("upgrade", "-o", "json").states()

    assert states == {"dev/app": "done"}


def test_long_output_leaks_no_end_of_a_secret(project: ProjectFolder) -> None:
    project.environ["APP"] = "a-name-that-is-secret"
    declare(project, "sqlite:///${env:APP}.db")
    script = 'print(os.environ["APP"] + "x" * 19_990)\nraise RuntimeError("see what I printed")'
    project.revision("a1", None, script)

    told = project.run("upgrade", "-o", "json", code=3).out

    assert "xxxxx" in told
    assert "secretx" not in told
    assert "cretx" not in told


def test_sql_with_the_value_of_a_secret_is_not_written(project: ProjectFolder) -> None:
    project.environ["APP"] = "items"
    declare(project, "sqlite:///${env:APP}.db")
    project.revision("a1", None, CREATE)

    ran = project.run("upgrade", "--sql", "out", code=3)

    assert "would contain the value of a secret" in ran.out
    assert "items" not in ran.out + ran.err
    assert not (project.folder / "out").exists()


def test_sql_files_are_utf_8_whatever_the_locale(project: ProjectFolder) -> None:
    project.environ |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    declare(project, "sqlite:///app.db")
    project.revision(
        "a1", None, f"{CREATE}\nop.execute('INSERT INTO items VALUES (\\'caf\\xe9\\')')"
    )

    project.run("upgrade", "--sql", "out")

    (written,) = (project.folder / "out").rglob("*.sql")
    assert "caf\xe9" in written.read_text(encoding="utf-8")


def test_few_open_files_mean_fewer_workers_and_are_told_once(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(30, max_parallel=64, max_per_server=64)
    fleet.project.revision("a1", None, "pass")
    program = fleet.project.program
    command = f"ulimit -n 64; exec {program} upgrade"

    done = subprocess.run(
        ["bash", "-c", command],
        cwd=fleet.project.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("ulimit -n") + done.stdout.count("ulimit -n") == 1
    assert "30 done" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_soft_limit_of_open_files_is_raised_as_far_as_allowed(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1, max_parallel=64)
    seen = fleet.project.folder / "limit"
    fleet.project.revision(
        "a1",
        None,
        "import resource\nlimit = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        f"open({str(seen)!r}, 'w').write(str(limit[0]))",
    )
    command = f"ulimit -Sn 64; ulimit -Hn 512; exec {fleet.project.program} upgrade"

    subprocess.run(["bash", "-c", command], cwd=fleet.project.folder, check=True)

    assert seen.read_text() == "512"

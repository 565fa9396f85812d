"""What is said when something does not work: the words for the thing at hand, and what helps."""

import pytest

from tests.servers import unique

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'


def failure(ran):
    return next(t["failure"] for t in ran.json["targets"] if t["failure"])


@pytest.mark.parametrize("kind", ["mariadb", "mysql", "postgres"])
def test_who_lacks_a_right_is_told_which_to_ask_for(new_fleet, request, kind):
    server = request.getfixturevalue(kind)
    fleet = new_fleet(kind)
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    fleet.project.revision("b2", "a1", 'op.execute("DELETE FROM items")')
    user, database = unique("u"), fleet.database("t000")
    if kind == "postgres":
        server.execute(f"CREATE USER {user} PASSWORD 'p'")
        server.execute(f"GRANT SELECT, UPDATE ON alembic_version TO {user}", database)
        url = f"postgresql+psycopg://{user}:p@{server.host}:{server.port}/{database}"
    else:
        server.execute(f"CREATE USER {user}@'%' IDENTIFIED BY 'p'")
        server.execute(f"GRANT SELECT ON {database}.* TO {user}@'%'")
        server.execute(f"GRANT UPDATE ON {database}.alembic_version TO {user}@'%'")
        url = f"mysql+pymysql://{user}:p@{server.host}:{server.port}/{database}"
    path = fleet.project.folder / "environments.toml"
    path.write_text(
        path.read_text().replace(fleet.url, url.replace(database, fleet.prefix + "_{tenant}"))
    )

    try:
        told = failure(fleet.project.run("upgrade", "-o", "json", code=3))
    finally:
        if kind == "postgres":
            server.execute(f"DROP OWNED BY {user}", database)
            server.execute(f"DROP USER {user}")
        else:
            server.execute(f"DROP USER {user}@'%'")

    assert "denied" in told["message"]
    assert "grant the user" in told["next_step"]


def test_a_file_that_is_no_database_is_told_in_words_for_a_file(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(1)
    fleet.project.revision("a1", None, CREATE)
    (fleet.project.folder / "var").mkdir()
    (fleet.project.folder / "var" / "t000.db").write_text("no database at all" * 100)

    for command in ("upgrade", "status"):
        ran = fleet.project.run(command, code=3)
        assert "no SQLite database" in ran.out
        assert "password" not in ran.out


def test_drift_tells_what_differs_and_what_could_not_be_read(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(4)
    fleet.project.revision("a1", None, CREATE)
    fleet.project.run("upgrade")
    fleet.rows("t001", "ALTER TABLE items ADD COLUMN more INTEGER")
    (fleet.project.folder / "var" / "t003.db").write_text("no database at all" * 100)

    ran = fleet.project.run("drift", code=4)

    assert "more" in ran.out
    assert "t003" in ran.out
    assert "1 unread" in ran.out


def test_a_run_that_is_not_named_is_the_last_one(new_fleet):
    fleet = new_fleet("sqlite")
    fleet.declare(2, max_failures=2)
    ready = fleet.project.folder / "ready"
    fleet.project.revision("a1", None, f"assert os.path.exists({str(ready)!r})\n{CREATE}")
    fleet.project.run("upgrade", code=3)

    ready.touch()
    fleet.project.run("retry", "prod/app/t000", code=3)
    assert "run 1" in fleet.project.run("show").out
    fleet.project.run("retry")

    assert fleet.heads("t000") == fleet.heads("t001") == ["a1"]
    for command in ("pause", "approve"):
        assert "Missing argument" not in fleet.project.run(command, code=None).err
    told = fleet.project.run("skip", "--reason", "r", code=2).err
    assert "say which target" in told


def test_a_password_that_is_an_ordinary_word_leaves_our_commands_to_be_typed(new_fleet, postgres):
    fleet = new_fleet("postgres")
    fleet.declare(1)
    postgres.execute("DROP ROLE IF EXISTS app")
    postgres.execute("CREATE ROLE app LOGIN SUPERUSER PASSWORD 'app'")
    url = f"postgresql+psycopg://app:${{env:APP}}@{postgres.host}:{postgres.port}/"
    path = fleet.project.folder / "environments.toml"
    path.write_text(path.read_text().replace(fleet.url, f"{url}{fleet.prefix}_{{tenant}}"))
    fleet.project.environ["APP"] = "app"
    fleet.project.revision("a1", None, "raise ValueError('the password is app')")

    ran = fleet.project.run("upgrade", "-o", "json", code=3)

    postgres.execute("DROP ROLE app")
    assert "prod/***" not in ran.out + ran.err
    assert "the password is ***" in failure(ran)["message"]
    assert "password is app" not in ran.out + ran.err

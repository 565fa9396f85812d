"""What migrations print and close, and what their SQL holds."""

from tests.workshop import Workshop

CREATE = 'op.create_table("items", sa.Column("id", sa.Integer, primary_key=True))'


def declare(shop: Workshop, url: str) -> None:
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


def test_a_migration_may_close_its_output(workshop: Workshop) -> None:
    declare(workshop, "sqlite:///app.db")
    workshop.revision("a1", None, f"{CREATE}\nsys.stdout.close()")

    states = workshop.run("upgrade", "-o", "json").states()

    assert states == {"dev/app": "done"}


def test_long_output_leaks_no_end_of_a_secret(workshop: Workshop) -> None:
    workshop.environ["APP"] = "a-name-that-is-secret"
    declare(workshop, "sqlite:///${env:APP}.db")
    script = 'print(os.environ["APP"] + "x" * 19_990)\nraise RuntimeError("see what I printed")'
    workshop.revision("a1", None, script)

    told = workshop.run("upgrade", "-o", "json", code=3).out

    assert "xxxxx" in told
    assert "secretx" not in told
    assert "cretx" not in told


def test_sql_with_the_value_of_a_secret_is_not_written(workshop: Workshop) -> None:
    workshop.environ["APP"] = "items"
    declare(workshop, "sqlite:///${env:APP}.db")
    workshop.revision("a1", None, CREATE)

    ran = workshop.run("upgrade", "--sql", "out", code=3)

    assert "would contain the value of a secret" in ran.out
    assert "items" not in ran.out + ran.err
    assert not (workshop.folder / "out").exists()


def test_sql_files_are_utf_8_whatever_the_locale(workshop: Workshop) -> None:
    workshop.environ |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    declare(workshop, "sqlite:///app.db")
    workshop.revision(
        "a1", None, f"{CREATE}\nop.execute('INSERT INTO items VALUES (\\'caf\\xe9\\')')"
    )

    workshop.run("upgrade", "--sql", "out")

    (written,) = (workshop.folder / "out").rglob("*.sql")
    assert "caf\xe9" in written.read_text(encoding="utf-8")

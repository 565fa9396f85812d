"""What is MySQL's own, or is set on it: sign-in, roles, SQL modes, names, and what a schema has."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.project_folder import ProjectFolder, Ran
from tests.real.conftest import Fleet
from tests.servers import MariaDB, MySQLServer, unique

PLUGIN = "caching_sha2_password"
SECRET = "pa/ss:w#rd"
OPTIONS = ("--lower-case-table-names=1", "--sql-mode=ANSI_QUOTES,STRICT_ALL_TABLES")
SCHEMA = '''
op.execute("""CREATE TABLE parts (
    id INT PRIMARY KEY AUTO_INCREMENT,
    name VARCHAR(80) COLLATE utf8mb4_0900_ai_ci NOT NULL,
    shade VARCHAR(20) DEFAULT (UPPER('red')),
    hidden INT INVISIBLE,
    price INT,
    CONSTRAINT cheap CHECK (price < 1000) NOT ENFORCED,
    KEY by_length ((CHAR_LENGTH(name))),
    KEY unseen (price) INVISIBLE
)""")
op.execute("ALTER TABLE parts ADD COLUMN later INT DEFAULT 7, ALGORITHM=INSTANT")
'''


def declare(project: ProjectFolder, url: str) -> None:
    """Declare one database of one environment, and two revisions that MySQL has words for."""
    project.environ["MYSQL_SECRET"] = SECRET
    project.config(
        f"""
        [project]
        name = "shop"
        [databases.app]
        script_location = "migrations/app"
        [environments.prod]
        url = '{url}'
        """
    )
    project.scripts()
    project.revision("a1", None, SCHEMA, 'op.execute("DROP TABLE parts")')
    project.revision("b2", "a1", "op.execute(\"INSERT INTO parts (name) VALUES ('x')\")")


def url_of(server: MariaDB, user: str, database: str, query: str = "") -> str:
    """Return a URL whose password is a secret of the environment."""
    who = f"{quote(user, safe='')}:${{env:MYSQL_SECRET}}"
    return f"mysql+pymysql://{who}@{server.host}:{server.port}/{database}{query}"


def there_and_back(project: ProjectFolder) -> None:
    """Upgrade, ask in every way, downgrade and upgrade again."""
    upgraded = project.run("upgrade", "-o", "json")
    assert upgraded.states() == {"prod/app": "done"}
    assert upgraded.json["targets"][0]["heads"] == ["b2"]
    assert "1 current" in project.run("status").out
    project.run("drift")
    project.run("downgrade", "prod", "--revision", "base", "--yes")
    project.run("upgrade")


@pytest.fixture
def user(mysql: MariaDB) -> Iterator[Callable[[], tuple[str, str]]]:
    """Make a database, and a user who may sign in with caching_sha2_password only."""
    name, database = unique("u"), unique("mysql")
    with mysql.databases(database):

        def make() -> tuple[str, str]:
            mysql.execute_all(
                [
                    f"CREATE USER {name}@'%' IDENTIFIED WITH caching_sha2_password BY '{SECRET}'",
                    f"GRANT ALL ON {database}.* TO {name}@'%'",
                ]
            )
            return name, database

        yield make
        mysql.execute(f"DROP USER IF EXISTS {name}@'%'")


def without_cryptography(project: ProjectFolder) -> None:
    """Let the package ``cryptography`` be missing for what the project runs."""
    blocked = project.folder / "blocked"
    blocked.mkdir()
    (blocked / "cryptography.py").write_text("raise ImportError('not installed')\n")
    project.environ["PYTHONPATH"] = str(blocked)


def test_a_user_signs_in_with_caching_sha2_password(project, mysql, user):
    declare(project, url_of(mysql, *user()))

    there_and_back(project)


def test_without_cryptography_it_is_said_what_to_install_or_to_use_tls(project, mysql, user):
    declare(project, url_of(mysql, *user(), "?ssl_disabled=true"))
    without_cryptography(project)

    ran: Ran = project.run("upgrade", "-o", "json", code=3)

    failure = ran.json["targets"][0]["failure"]
    assert "alembic-orchestrator[mysql]" in failure["next_step"], ran
    assert "TLS" in failure["next_step"], ran
    assert ran.json["targets"][0]["attempts"] == 1
    assert "alembic-orchestrator[mysql]" in project.run("status", code=3).out
    assert SECRET not in ran.out + ran.err


def test_roles_partial_revokes_and_tls_without_cryptography(project, private_mysql):
    server: MySQLServer = private_mysql("--partial-revokes=ON", "--activate-all-roles-on-login=ON")
    server.create("shop", "other")
    server.execute_all(
        [
            "CREATE ROLE migrator",
            "GRANT ALL ON *.* TO migrator",
            "REVOKE ALL ON other.* FROM migrator",
            f"CREATE USER kim@'%' IDENTIFIED BY '{SECRET}' REQUIRE SSL",
            "GRANT migrator TO kim@'%'",
        ]
    )
    ca = project.folder / "ca.pem"
    ca.write_bytes((server.folder / "data" / "ca.pem").read_bytes())
    tls = f"?ssl_ca={quote(str(ca))}&ssl_check_hostname=false"
    declare(project, url_of(server, "kim", "shop", tls))
    without_cryptography(project)

    there_and_back(project)


def test_names_in_lower_case_ansi_quotes_and_generated_keys(project, private_mysql):
    server: MySQLServer = private_mysql(*OPTIONS)
    server.create("Shop", "ledger")
    server.execute("SET PERSIST sql_generate_invisible_primary_key = ON")
    server.execute(f"CREATE USER kim@'%' IDENTIFIED BY '{SECRET}'")
    server.execute("GRANT ALL ON *.* TO kim@'%'")
    declare(project, url_of(server, "kim", "Shop"))
    path: Path = project.folder / "environments.toml"
    ledger = f"ledger = '{url_of(server, 'kim', 'ledger')}'"
    path.write_text(path.read_text().replace('name = "shop"', f'name = "shop"\n{ledger}'))
    bare = 'op.create_table("Bare", sa.Column("n", sa.Integer))'
    project.revision("b2", "a1", bare, 'op.drop_table("Bare")')

    there_and_back(project)

    assert server.execute("SHOW TABLES LIKE 'bare'", "shop")
    tenants = 'tenants = ["Shop", "shop"]'
    text = path.read_text().replace('"Shop"', '"{tenant}"').replace("/Shop", "/{tenant}")
    path.write_text(text.replace("[environments.prod]", f"[environments.prod]\n{tenants}"))
    for command in (["status"], ["upgrade"], ["check"], ["plan"]):
        refused = project.run(*command, code=2)
        assert "are one database: " in refused.err
        assert "upper and lower case" in refused.err
    project.run("status", "--exclude", "prod/app/shop")


@pytest.mark.parametrize("kind", ["private_mysql", "private_mariadb"])
def test_a_database_whose_name_the_server_folds_is_not_taken_for_empty(project, kind, request):
    server: MySQLServer = request.getfixturevalue(kind)("--lower-case-table-names=1")
    server.execute(f"CREATE USER kim@'%' IDENTIFIED BY '{SECRET}'")
    server.execute("GRANT ALL ON *.* TO kim@'%'")
    declare(project, url_of(server, "kim", "Shop"))
    (project.folder / "migrations/app/versions/b2.py").unlink()
    plain = "op.execute('CREATE TABLE plain (n INT)')"
    project.revision("a1", None, plain, "op.execute('DROP TABLE plain')")
    path: Path = project.folder / "environments.toml"
    made = "[environments.prod]\ncreate = true"
    path.write_text(path.read_text().replace("[environments.prod]", made))
    project.run("upgrade")
    server.execute("CREATE TABLE kept (n INT)", "shop")

    ran = project.run("rollback", "1", "--yes")

    assert "is kept: kept is in it" in ran.err
    assert server.execute("SHOW TABLES LIKE 'kept'", "shop")


def test_what_only_mysql_has_is_upgraded_checked_and_seen_as_drift(new_fleet):
    fleet: Fleet = new_fleet("mysql")
    fleet.declare(2)
    fleet.project.revision("a1", None, SCHEMA)
    fleet.project.run("upgrade")
    fleet.project.run("drift")

    fleet.rows("t001", "ALTER TABLE parts ALTER INDEX unseen VISIBLE")

    assert "unseen" in fleet.project.run("drift", code=4).out

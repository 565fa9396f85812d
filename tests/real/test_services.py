"""Several applications in one project: what one imports or registers, another never sees."""

import pytest

from tests.project_folder import ProjectFolder
from tests.real.test_adopted import OURS
from tests.real.test_failures import CREATE

SERVICE = OURS.replace("run(config", "import models\nmetadata = models.metadata\nrun(config")
TABLE = "sa.Table({name!r}, metadata, sa.Column('id', sa.Integer, primary_key=True))\n"
PARALLEL = pytest.mark.parametrize("parallel", [1, 4])


def declare(project: ProjectFolder, names: tuple[str, ...], each: str, parallel: int) -> None:
    """Write a project of services, of which ``each`` says where its scripts are."""
    databases = "".join(f"[databases.{name}]\n{each.format(name=name)}\n" for name in names)
    project.config(
        f'[project]\nname = "services"\n{databases}'
        '[environments.dev]\nurl = "sqlite:///var/{tenant}-{database}.db"\n'
        f'tenants = ["t0", "t1", "t2"]\nrollout = {{ max_parallel = {parallel} }}\n'
    )


def assert_all_in_sync(project: ProjectFolder, count: int) -> None:
    """Upgrade all targets; then no model differs from its databases."""
    done = project.run("upgrade", "-o", "json").states()
    assert list(done.values()) == ["done"] * count
    assert set(project.run("check", "-o", "json").states().values()) == {"in_sync"}
    assert set(project.run("upgrade", "-o", "json").states().values()) == {"unchanged"}


@PARALLEL
def test_services_with_packages_of_one_name_get_each_their_own(
    project: ProjectFolder, parallel: int
):
    names = ("one", "two", "three")
    declare(project, names, 'config_file = "{name}/alembic.ini"', parallel)
    for name in names:
        project.scripts(env_py=SERVICE)
        imports = f"from models import name\nassert name == {name!r}, name\n"
        project.revision("a1", None, imports + CREATE.replace("items", name))
        folder = project.folder / name
        folder.mkdir()
        (project.folder / "migrations" / "app").rename(folder / "migrations")
        (folder / "alembic.ini").write_text(
            "[alembic]\nscript_location = migrations\nprepend_sys_path = .\n"
        )
        (folder / "models").mkdir()
        (folder / "models" / "__init__.py").write_text(
            f"import sqlalchemy as sa\nname = {name!r}\nmetadata = sa.MetaData()\n"
            + TABLE.format(name=name)
        )

    assert_all_in_sync(project, 9)


@PARALLEL
def test_services_that_share_a_metadata_see_only_their_own_tables(
    project: ProjectFolder, parallel: int
):
    names = ("orders", "catalog")
    declare(project, names, 'script_location = "migrations/{name}"', parallel)
    (project.folder / "common.py").write_text("import sqlalchemy as sa\nmetadata = sa.MetaData()\n")
    for name in names:
        # Both have a table of one name, which one MetaData can't have twice.
        (project.folder / f"{name}_models.py").write_text(
            "import sqlalchemy as sa\nfrom common import metadata\n"
            + TABLE.format(name=name)
            + TABLE.format(name="audit")
        )
        env_py = OURS.replace(
            "run(config", f"import {name}_models, common\nmetadata = common.metadata\nrun(config"
        )
        project.scripts(name, env_py)
        tables = "\n".join(CREATE.replace("items", table) for table in (name, "audit"))
        project.revision("a1", None, tables, database=name)

    assert_all_in_sync(project, 6)


LISTENS = """
import sqlalchemy as sa
metadata = sa.MetaData()
@sa.event.listens_for(sa.engine.Engine, "before_cursor_execute")
def only_ours(connection, cursor, statement, *_):
    assert {other!r} not in statement, statement
"""


def test_services_do_not_hear_each_others_statements(project: ProjectFolder):
    names = ("orders", "catalog")
    declare(project, names, 'script_location = "migrations/{name}"', 1)
    for name, other in zip(names, reversed(names), strict=True):
        (project.folder / f"{name}_models.py").write_text(
            LISTENS.format(other=f"TABLE {other}") + TABLE.format(name=name)
        )
        env_py = OURS.replace(
            "run(config", f"import {name}_models\nmetadata = {name}_models.metadata\nrun(config"
        )
        project.scripts(name, env_py)
        project.revision("a1", None, CREATE.replace("items", name), database=name)

    assert_all_in_sync(project, 6)

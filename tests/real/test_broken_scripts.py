"""Scripts that can't be loaded: one message, with the file, the target and what is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project_folder import ProjectFolder
from tests.real.histories import Rev

_FILE = """
[project]
name = "shop"
[databases.app]
script_location = "migrations/app"
{metadata}
[environments.dev]
url = "sqlite:///{{tenant}}.db"
tenants = ["acme", "birch"]
"""
LOADS_ALL = ("upgrade", "check", "downgrade --revision base --yes")


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    (project.folder / "environments.toml").write_text(_FILE.format(metadata=""))
    Rev().write(project.scripts(), "a1")
    return project


def versions(shop: ProjectFolder) -> Path:
    return shop.folder / "migrations/app/versions"


def imports(shop: ProjectFolder) -> str:
    path = versions(shop) / "a1.py"
    path.write_text("from shop.models import Item\n" + path.read_text())
    return f"{path}:1: from shop.models import Item: ModuleNotFoundError: No module named 'shop'"


def imports_through_another(shop: ProjectFolder) -> str:
    (shop.folder / "models.py").write_text("\nimport celery_of_mine\n")
    path = versions(shop) / "a1.py"
    path.write_text("import models\n" + path.read_text())
    return (
        f"{path}:1: import models: ModuleNotFoundError: No module named 'celery_of_mine' "
        f"(through {shop.folder / 'models.py'}:2)"
    )


def imports_a_name_that_is_not_there(shop: ProjectFolder) -> str:
    (shop.folder / "models.py").write_text("")
    path = versions(shop) / "a1.py"
    path.write_text("from models import Item\n" + path.read_text())
    return f"{path}:1: from models import Item: ImportError: cannot import name 'Item'"


def says_no_python(shop: ProjectFolder) -> str:
    path = versions(shop) / "a1.py"
    path.write_text(path.read_text() + "def upgrade(:\n")
    return f"{path}:{len(path.read_text().splitlines())}: invalid syntax"


def raises(shop: ProjectFolder) -> str:
    path = versions(shop) / "a1.py"
    path.write_text("raise RuntimeError('not today')\n")
    return f"{path}:1: RuntimeError: not today"


def says_no_parent(shop: ProjectFolder) -> str:
    path = versions(shop) / "a1.py"
    path.write_text("revision = 'a1'\n")
    return f"{path}: AttributeError: module"


def says_no_revision(shop: ProjectFolder) -> str:
    path = versions(shop) / "add_items.py"
    path.write_text("x = 1\n")
    return f"{path}: Could not determine revision id from filename add_items.py"


def is_there_twice(shop: ProjectFolder) -> str:
    (versions(shop) / "a1_again.py").write_text((versions(shop) / "a1.py").read_text())
    return "revision 'a1' is there twice: in "


def follows_none_that_is_there(shop: ProjectFolder) -> str:
    Rev("a0").write(shop.folder / "migrations/app", "b1")
    return f"{versions(shop)}/b1.py: there is no revision 'a0', which its down_revision names"


def needs_none_that_is_there(shop: ProjectFolder) -> str:
    Rev("a1", None, "z9").write(shop.folder / "migrations/app", "b1")
    return f"{versions(shop)}/b1.py: there is no revision 'z9', which its depends_on names"


def goes_in_circles(shop: ProjectFolder) -> str:
    Rev("c1").write(shop.folder / "migrations/app", "b1")
    Rev("b1").write(shop.folder / "migrations/app", "c1")
    return "Cycle is detected in revisions (b1, c1)"


def has_one_label_twice(shop: ProjectFolder) -> str:
    Rev(None, "east").write(shop.folder / "migrations/app", "b1")
    Rev(None, "east").write(shop.folder / "migrations/app", "c1")
    return "Branch name 'east' in revision "


@pytest.mark.parametrize(
    "broken",
    [
        imports,
        imports_through_another,
        imports_a_name_that_is_not_there,
        says_no_python,
        raises,
        says_no_parent,
        says_no_revision,
        is_there_twice,
        follows_none_that_is_there,
        needs_none_that_is_there,
        goes_in_circles,
        has_one_label_twice,
    ],
)
def test_a_revision_that_can_not_be_loaded(
    shop: ProjectFolder, broken: Callable[[ProjectFolder], str]
) -> None:
    message = broken(shop)

    told = shop.run("upgrade", "-o", "json", code=3).json

    for target in told["targets"]:
        assert target["state"] == "failed"
        assert target["failure"]["message"].startswith(message)
        assert target["heads"] == []
        if "Import" in message or "ModuleNotFound" in message:
            assert "python_path" in target["failure"]["next_step"]


@pytest.mark.parametrize("command", LOADS_ALL)
def test_every_command_says_so(shop: ProjectFolder, command: str) -> None:
    message = imports(shop)

    told = " ".join(shop.run(*command.split(), "dev", code=3).out.split())

    assert "failed: 2 targets" in told
    assert "dev/app/acme" in told
    assert "dev/app/birch" in told
    assert message in told or message.replace("/", "") in told.replace("/ ", "").replace("/", "")
    assert "next" in told
    assert "python_path = […]" in told


def test_status_reads_what_can_not_be_loaded_and_says_so(shop: ProjectFolder) -> None:
    shop.run("upgrade", "dev/app/acme")
    message = imports(shop)

    ran = shop.run("status")

    told = " ".join(ran.out.split())
    assert f"the scripts of app can't be loaded: {message}" in told.replace("- ", "-")
    assert "1 current · 1 empty" in told


@pytest.mark.parametrize("command", ["history app", "revision app -m x", "merge app -m x"])
def test_what_works_on_the_scripts_says_so(shop: ProjectFolder, command: str) -> None:
    message = imports(shop)

    told = " ".join(shop.run(*command.split(), code=3).err.split())

    assert f"error: app: {message}" in told
    assert "python_path" in told


def test_an_env_py_that_can_not_be_imported(shop: ProjectFolder) -> None:
    path = shop.folder / "migrations/app/env.py"
    path.write_text("import os\nfrom shop.models import Base\n" + path.read_text())

    told = shop.run("upgrade", "-o", "json", code=3).json

    for target in told["targets"]:
        assert target["failure"]["message"] == (
            f"{path}:2: from shop.models import Base: ModuleNotFoundError: No module named 'shop'"
        )
        assert "python_path" in target["failure"]["next_step"]


def test_a_model_that_can_not_be_imported(shop: ProjectFolder) -> None:
    text = _FILE.format(metadata='metadata = "shop.models:Base"')
    (shop.folder / "environments.toml").write_text(text)

    told = shop.run("upgrade", "-o", "json", code=3).json

    for target in told["targets"]:
        assert target["failure"]["message"] == (
            "metadata = 'shop.models:Base' can't be imported: "
            "ModuleNotFoundError: No module named 'shop'"
        )


def test_a_revision_without_its_source_is_run(shop: ProjectFolder) -> None:
    import compileall

    (shop.folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations/app\nsourceless = true\n"
    )
    text = _FILE.format(metadata='config_file = "alembic.ini"')
    (shop.folder / "environments.toml").write_text(text)
    compileall.compile_dir(versions(shop), legacy=True, quiet=2)
    (versions(shop) / "a1.py").unlink()

    shop.run("upgrade")

    assert set(shop.run("status", "-o", "json").states().values()) == {"current"}

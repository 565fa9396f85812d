"""Where things are written down: found in files as they are, without importing any."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.actions.model_places import ModelFiles
from orchestrator.actions.places import Place, Places, find_places, place_of
from orchestrator.config.load import ConfigFile, load
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, Revision, State
from tests.render.samples import target

CONFIG = """
[project]
name = "shop"

[databases.orders]
script_location = "m"
metadata = "shop.models:Base"
{more}
[databases.other]
script_location = "m"

[environments.prod]
url = "sqlite:///var/{{tenant}}_{{database}}.db"
tenants = ["acme"]
"""
MODELS = """
raise SystemExit("never imported")

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int]
    note = mapped_column(String(50))
    kind: Mapped[str] = mapped_column(
        "type", String(3))

class Mixed: "no table"

lines = sa.Table(
    "lines", metadata,
    Column("id", Integer),
    sa.Column("sku", String(20)),
)
"""


@pytest.fixture
def shop(tmp_path: Path) -> ConfigFile:
    folder = tmp_path / "repository" / "fleet"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop/models.py").write_text(MODELS)
    (folder / "environments.toml").write_text(CONFIG.format(more=""))
    return load(folder / "environments.toml")


@pytest.mark.parametrize(
    ("table", "column", "line"),
    [
        ("items", "id", 6),
        ("items", "note", 7),
        ("items", "type", 8),
        ("items", "ix_items_note", 4),
        ("items", None, 4),
        ("eu.items", "note", 7),
        ("lines", "sku", 16),
        ("lines", "nope", 13),
        ("junk", "id", 1),
        (None, None, 1),
    ],
)
def test_a_model_is_found_by_table_and_column(
    shop: ConfigFile, table: str | None, column: str | None, line: int
) -> None:
    found = ModelFiles.of(shop, "orders").find(table, column)
    assert found == (shop.folder / "shop/models.py", line)


def test_a_model_is_found_in_any_module_of_its_package(shop: ConfigFile) -> None:
    folder = shop.folder / "shop/models"
    folder.mkdir()
    (shop.folder / "shop/models.py").rename(folder / "stock.py")
    (folder / "__init__.py").write_text("from .stock import *\n")
    (folder / "broken.py").write_text("def (\n")
    models = ModelFiles.of(shop, "orders")
    assert models.find("items", "note") == (folder / "stock.py", 7)
    assert models.find("junk", None) == (folder / "__init__.py", 1)


def test_models_are_looked_for_where_they_are_imported_from(shop: ConfigFile) -> None:
    (shop.folder / "src").mkdir()
    (shop.folder / "shop").rename(shop.folder / "src/shop")
    assert ModelFiles.of(shop, "orders").find("items", None) is None
    shop.path.write_text(CONFIG.format(more='python_path = ["src"]\n'))
    found = ModelFiles.of(load(shop.path), "orders").find("items", None)
    assert found == (shop.folder / "src/shop/models.py", 4)


def places(file: ConfigFile, *outcomes: Outcome, history: Sequence[Revision] = ()) -> Places:
    asked: list[str] = []

    def ask(database: str) -> Sequence[Revision]:
        asked.append(database)
        return history

    found = find_places(file, [(target(one.target), one) for one in outcomes], ask)
    failed = [one for one in outcomes if one.failure is not None and one.failure.revision]
    assert len(asked) == len({one.target.split("/")[1] for one in failed})
    return found


def test_a_revision_is_found_by_its_path_or_in_its_history(shop: ConfigFile) -> None:
    (shop.folder / "m").mkdir()
    path = shop.folder / "m/b2.py"
    path.write_text("import x\n\n\ndef upgrade() -> None:\n    pass\n")
    pending = Outcome(
        "prod/orders/acme", State.BEHIND, revisions=(Revision("b2", "", path=str(path)),)
    )
    assert places(shop, pending).revision("orders", "b2") == Place("m/b2.py", 4)
    failed = Outcome("prod/orders/acme", State.FAILED, failure=Failure("no", revision="b2"))
    gone = Revision("c3", "", path=str(shop.folder / "m/c3.py"))
    found = places(shop, failed, history=(Revision("b2", "", path=str(path)), gone))
    assert found.revision("orders", "b2") == Place("m/b2.py", 4)
    assert found.revision("orders", "c3") == Place("m/c3.py", 1)
    assert found.revision("other", "b2") is None
    assert places(shop, failed).revision("orders", "b2") is None  # its scripts can't be read


def test_tables_are_found_and_stand_in_for_models(shop: ConfigFile) -> None:
    def differing(database: str) -> Outcome:
        found = (Difference("add_column", "x", "items", "note"),)
        return Outcome(f"prod/{database}/acme", State.DIFFERS, differences=found)

    found = places(shop, differing("orders"), differing("other"))
    assert found.environment("prod") == Place("environments.toml", 12)
    assert found.database("orders") == Place("environments.toml", 5)
    assert found.environment("gone") == Place("environments.toml", 1)
    same = (Difference("add_column", "x", "items", "note"),)
    assert found.model("orders", same) == Place("shop/models.py", 7)
    assert found.model("other", same) == found.database("other")


def test_paths_are_of_the_repository(shop: ConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    name = shop.folder.name
    (shop.folder.parent / ".git").write_text("gitdir: elsewhere\n")  # of a work tree
    monkeypatch.chdir(shop.folder)
    assert place_of(Path("environments.toml"), 3) == Place(f"{name}/environments.toml", 3)
    assert places(shop).database("orders").path == f"{name}/environments.toml"
    out = Outcome("prod/orders/acme", State.BEHIND, revisions=(Revision("x", "", path="/o/x.py"),))
    assert places(shop, out).revision("orders", "x") == Place("/o/x.py", 1)

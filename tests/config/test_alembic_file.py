"""Options of Alembic's configuration, with what is in them filled in."""

from pathlib import Path

import pytest

from orchestrator.config.alembic_file import AlembicFileError, read_alembic_file


def write(folder: Path, text: str) -> Path:
    path = folder / "alembic.ini"
    path.write_text(f"[alembic]\n{text}")
    return path


def test_an_option_is_filled_in_whatever_the_others_hold(tmp_path: Path) -> None:
    file = read_alembic_file(write(tmp_path, "a = %(here)s/%(b)s%%\nb = x\nc = 100%\nd =\n"))
    assert file.option("a") == f"{tmp_path}/x%"
    assert file.option("d") == ""


@pytest.mark.parametrize("value", ["pw%(USER)s", "pw%40", "pw%", "%(a)spw"])
def test_what_can_not_be_filled_in_is_told_without_the_value(tmp_path: Path, value: str) -> None:
    file = read_alembic_file(write(tmp_path, f"a = {value}\n"))
    with pytest.raises(AlembicFileError, match=r"^alembic\.ini: option 'a': ") as raised:
        file.option("a")
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize("value", ["%(what)s", "%d", "%"])
def test_a_bad_percent_sign_in_pyproject(tmp_path: Path, value: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(f"[tool.alembic]\nscript_location = '{value}'\n")
    with pytest.raises(AlembicFileError, match=r"pyproject\.toml: option 'script_location'"):
        read_alembic_file(path).option("script_location")

"""Finding, reading and parsing the file."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config.load import find, load
from orchestrator.errors import ConfigError
from tests.config.examples import DESIGN, PASSWORD


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    return tmp_path


def test_the_nearest_file_is_found(project):
    (project / "environments.toml").write_text(DESIGN)
    assert find(Path.cwd()) == project / "environments.toml"
    assert load().path == project / "environments.toml"
    (project / "a" / "environments.toml").write_text(DESIGN)
    assert load().path == project / "a" / "environments.toml"


def test_a_path_comes_before_the_variable_and_that_before_the_folder(project, monkeypatch):
    for name in ("environments.toml", "variable.toml", "path.toml"):
        (project / name).write_text(DESIGN)
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", "../../variable.toml")
    assert load().path == project / "variable.toml"
    file = load(Path("../../path.toml"))
    assert file.path == project / "path.toml"
    assert file.folder == project


def test_what_is_loaded(project):
    (project / "environments.toml").write_bytes(b"\xef\xbb\xbf" + DESIGN.encode())
    file = load()
    assert file.text == DESIGN
    assert file.digest == hashlib.sha256(b"\xef\xbb\xbf" + DESIGN.encode()).hexdigest()
    assert file.config.order == ("dev", "staging", "prod")
    assert PASSWORD not in repr(file)
    assert DESIGN not in repr(file)


def test_no_file(project):
    with pytest.raises(ConfigError) as caught:
        find(project)
    assert str(caught.value) == (
        f"no environments.toml in {project} or a folder above it\n"
        "      make one with `orchestrator init`,"
        " or name one with --config PATH or ORCHESTRATOR_CONFIG"
    )


NUL = "a\0b"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.toml", "none.toml: no such file\n      make one with `orchestrator init`"),
        (".", ": is a folder\n      name the file in it: environments.toml"),
        (NUL, ": not a path"),
        ("x" * 300, ": File name too long"),
    ],
)
def test_a_path_that_can_t_be_read(project, name, message):
    with pytest.raises(ConfigError) as caught:
        load(Path(name))
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "f.toml:1:1: the file is empty"),
        (b" \n\n", "f.toml:1:1: the file is empty"),
        ("é = 'ä\n'\n x = 'ü".encode("latin-1"), "f.toml:1:1: not UTF-8"),
        ("é = 1\nxé = '".encode() + b"\xff'", "f.toml:2:7: not UTF-8"),
        (
            b"a = 1\nb == 2",
            "f.toml:2:4: not TOML: Invalid value\n       2 | b == 2\n         |    ^",
        ),
        (b"a = 1\na = 2", "f.toml:2:6: not TOML: this key is set twice"),
        (b"a = [1,\n\n", "f.toml:1:8: not TOML: Invalid value at the end of the file"),
        (b"a = " + b"[" * 50_000, "f.toml:1:1: nested too deeply"),
        (b"a = " + b"1" * 5_000, "f.toml:1:1: not TOML: a number is too long"),
        (b"a = 2024-02-31", "f.toml:1:5: not TOML: Invalid date or datetime"),
        (b'a = "://u:pw@h', "f.toml:1:15: not TOML: Unterminated string at the end of the file\n"),
    ],
)
def test_text_that_is_not_toml(project, content, message):
    Path("f.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(Path("f.toml"))
    assert str(caught.value).startswith(message)
    assert "pw" not in str(caught.value)


def test_a_file_without_permission(project):
    if os.geteuid() == 0:
        target = Path("/proc/self/mem")  # what even root can't read from its start
    else:
        target = project / "f.toml"
        target.touch(mode=0)
    with pytest.raises(ConfigError, match=r": (Permission denied|Input/output error)$"):
        load(target)


def test_a_valid_file_costs_no_parser_with_positions(project):
    (project / "environments.toml").write_text(DESIGN)
    code = (
        "import sys; from orchestrator.config.load import load; load();"
        "print([m for m in sys.modules if 'tree_sitter' in m or 'sqlalchemy' in m])"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True
    )
    assert done.stdout == "[]\n"

"""Which callbacks of an ``env.py`` are trusted not to decide by the target."""

import importlib.util
from pathlib import Path

import pytest
from alembic.ddl.impl import DefaultImpl

from orchestrator.worker.autogenerate.soundness import unsound

TRUSTED = [
    "def f(o, name, type_, r, c): return not name.startswith('x_')",
    "IGNORED = ('a', 'b')\ndef f(o, name, type_, r, c): return name not in IGNORED",
    "name = 'a table'\ndef f(o, n, type_, r, c): return not o.info.get('skip') and o.name != 'b'",
    "def f(c, r, d):\n  if d[0].upgrade_ops.is_empty(): d[:] = []",
]
NOT_TRUSTED = [
    "import os\ndef f(o, name, type_, r, c): return os.environ['TENANT'] != name",
    "def f(o, name, type_, r, c):\n  import os\n  return bool(os)",
    "URL = str(object())\ndef f(o, name, type_, r, c): return name in URL",
    "A = 'x'\nA = str(A)\ndef f(o, name, type_, r, c): return name in A",
    "bind = None\nurl = None\ndef f(c, r, d): return c.bind.url",
    "def len(x): return id(x)\ndef f(o, name, type_, r, c): return len(name)",
    "def made(t):\n  def f(o, name, type_, r, c): return name == t\n  return f\nf = made('x')",
    "def f(o, name, type_, r, c, t=str(object())): return name == t",
    "def f(o, name, type_, r, c): return any(x.bind for x in [o])",
    "class F:\n  def __call__(self, *a): return True\nf = F()",
]


def loaded(folder: Path, source: str) -> object:
    (folder / "env.py").write_text(source)
    spec = importlib.util.spec_from_file_location("env_py", folder / "env.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f


@pytest.mark.parametrize("source", TRUSTED)
def test_a_callback_that_can_not_ask_for_the_target_is_trusted(tmp_path, source):
    options = {"include_object": loaded(tmp_path, source)}
    assert unsound(options, object.__new__(DefaultImpl)) is None


@pytest.mark.parametrize("source", NOT_TRUSTED)
def test_a_callback_that_may_is_not(tmp_path, source):
    options = {"include_object": loaded(tmp_path, source)}
    assert unsound(options, object.__new__(DefaultImpl)) is not None

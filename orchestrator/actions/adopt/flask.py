"""Flask-Migrate: its ``env.py`` wants the application's context, which a hook pushes."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOOK = "orchestrator_flask"
"""The module of the hook that is written."""
_FLASK_APP = re.compile(r"^\s*(?:export\s+)?FLASK_APP\s*=\s*['\"]?([^'\"\s#]+)", re.MULTILINE)
_FACTORIES = frozenset({"create_app", "make_app"})
_HEAD = '''"""Prepares Alembic's Config: the application's context, as with ``flask db``.

environments.toml names it in ``configure``: it is entered before env.py runs, and left after it.
"""

import os
from functools import cache

from flask.cli import ScriptInfo
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool


@cache
def application():
    return ScriptInfo(app_import_path=os.environ.get("FLASK_APP"{default})).load_app()


def configure(config, bind=None):
    app = application()
    with app.app_context():
        # What env.py takes for the application's engine is the target's.
        url = config.get_main_option("sqlalchemy.url")
        engines = app.extensions["migrate"].db.engines
        engines[bind] = create_engine(url, poolclass=NullPool)
        yield
'''
_BIND = """

def configure_{function}(config):
    return configure(config, {bind!r})
"""


@dataclass(frozen=True, slots=True)
class FlaskApp:
    """A Flask application with Flask-Migrate."""

    import_path: str | None
    """What ``FLASK_APP`` is to be: ``shop``, ``wsgi``; ``None`` where it could not be found."""
    python_path: tuple[str, ...]
    """Folders to import it from, besides the project's own."""
    binds: tuple[str, ...] = ()
    """Its databases besides the first, of ``flask db init --multidb``."""

    @property
    def hook(self) -> str:
        """The text of the module that prepares Alembic's ``Config``."""
        default = "" if self.import_path is None else f', "{self.import_path}"'
        parts = [_BIND.format(function=_function(bind), bind=bind) for bind in self.binds]
        return "".join([_HEAD.replace("{default}", default), *parts])


def configure_of(bind: str | None) -> str:
    """Return what ``configure`` is to be for a bind."""
    return f"{HOOK}:configure" + ("" if bind is None else f"_{_function(bind)}")


def flask_app(folder: Path, env_py: str) -> FlaskApp | None:
    """Return the application whose context an ``env.py`` wants, if it is one of Flask's.

    Found by its text alone: nothing of it is run.
    """
    if "current_app" not in env_py:
        return None
    import_path, python_path = _application(folder)
    several = "bind_names" in env_py
    return FlaskApp(import_path, python_path, tuple(_binds(folder)) if several else ())


def _application(folder: Path) -> tuple[str | None, tuple[str, ...]]:
    for name in (".flaskenv", ".env"):
        if found := _FLASK_APP.search(_text(folder / name)):
            return found[1], ()
    for name in ("wsgi", "app"):
        if _makes_app(folder / f"{name}.py"):
            return name, ()
    for path, python_path in _packages(folder):
        if _makes_app(path):
            name = path.parent.name if path.name == "__init__.py" else path.stem
            return name, python_path
    return None, ()


def _packages(folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path in sorted(folder.glob("*/__init__.py")):
        yield path, ()
    for path in sorted((folder / "src").glob("*/__init__.py")):
        yield path, ("src",)
    for path in sorted(folder.glob("*.py")):
        yield path, ()


def _makes_app(path: Path) -> bool:
    tree = _tree(path)
    return any(
        (isinstance(node, ast.FunctionDef) and node.name in _FACTORIES)
        or (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and getattr(node.value.func, "id", "") in {"Flask", *_FACTORIES}
        )
        for node in (tree.body if tree else ())
    )


def _binds(folder: Path) -> Iterator[str]:
    """Yield the names in ``SQLALCHEMY_BINDS``, as far as they are written out."""
    seen: set[str] = set()
    for path in sorted([*folder.glob("*.py"), *folder.glob("*/*.py"), *folder.glob("src/*/*.py")]):
        if "SQLALCHEMY_BINDS" not in _text(path):
            continue
        for node in ast.walk(_tree(path) or ast.Module([], [])):
            for value in _values_of_binds(node):
                for key in value.keys:
                    name = getattr(key, "value", None)
                    if isinstance(name, str) and name not in seen:
                        seen.add(name)
                        yield name


def _values_of_binds(node: ast.AST) -> Iterator[ast.Dict]:
    """Yield the dictionary of an assignment, of a keyword, or of an item of another dictionary."""
    found: list[tuple[ast.AST | None, ast.AST]] = []
    if isinstance(node, ast.Assign):
        found = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.Dict):
        found = list(zip(node.keys, node.values, strict=True))
    elif isinstance(node, ast.keyword) and node.arg == "SQLALCHEMY_BINDS":
        found = [(ast.Name("SQLALCHEMY_BINDS"), node.value)]
    for name, value in found:
        if isinstance(value, ast.Dict) and _named(name) == "SQLALCHEMY_BINDS":
            yield value


def _named(node: ast.AST | None) -> str:
    if isinstance(node, ast.Subscript):
        node = node.slice
    return str(getattr(node, "id", "") or getattr(node, "attr", "") or getattr(node, "value", ""))


def _function(bind: str) -> str:
    return re.sub(r"\W", "_", bind)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _tree(path: Path) -> ast.Module | None:
    try:
        return ast.parse(_text(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

"""Where tables and columns are in the source of models: read, never imported."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.load import ConfigFile

Found = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one database's models: the module that ``metadata`` names, or its package."""

    modules: Sequence[tuple[Path, ast.Module]]

    @classmethod
    def of(cls, file: ConfigFile, database: str) -> "ModelFiles":
        """Read the models of a database. There are none where ``metadata`` is left out."""
        settings = file.config.databases[database]
        if settings.metadata is None:
            return cls(())
        name = settings.metadata.partition(":")[0]
        folders = [*(file.folder / path for path in settings.python_path), file.folder]
        for base in (folder.joinpath(*name.split(".")) for folder in folders):
            if (module := base.with_name(f"{base.name}.py")).is_file():
                return cls(list(_parsed([module])))
            if (base / "__init__.py").is_file():
                others = sorted(set(base.rglob("*.py")) - {base / "__init__.py"})
                return cls(list(_parsed([base / "__init__.py", *others])))
        return cls(())

    def find(self, table: str | None, column: str | None) -> Found | None:
        """Return the place of a column, else of its table, else the first line of the models."""
        name = (table or "").rpartition(".")[2]
        for path, module in self.modules:
            for node in ast.walk(module):
                if name and _table(node) == name:
                    lines = (line for key, line in _columns(node) if key == column)
                    return path, next(lines, node.lineno)  # type: ignore[attr-defined]  # of both
        return (self.modules[0][0], 1) if self.modules else None


def _parsed(paths: Sequence[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for path in paths:
        try:
            yield path, ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue


def _table(node: ast.AST) -> str | None:
    """Return the name of the table that a class or a call of ``Table`` makes."""
    if isinstance(node, ast.ClassDef):
        texts = (_text(value) for key, value in _assigned(node) if key == "__tablename__")
        return next(texts, None)
    if isinstance(node, ast.Call) and node.args and _called(node) == "Table":
        return _text(node.args[0])
    return None


def _columns(node: ast.AST) -> Iterator[tuple[str | None, int]]:
    """Yield the columns of such a node by name, with their lines."""
    if isinstance(node, ast.ClassDef):
        for key, value in _assigned(node):
            yield _named(value) or key, value.lineno
    elif isinstance(node, ast.Call):
        for argument in node.args[1:]:
            yield _named(argument), argument.lineno


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, line.value or line.annotation
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, line.value


def _named(value: ast.expr) -> str | None:
    """Return the name that a column is given in its call: ``Column("note", …)``."""
    return _text(value.args[0]) if isinstance(value, ast.Call) and value.args else None


def _called(node: ast.Call) -> str:
    of = node.func
    return of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

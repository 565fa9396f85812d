"""Whether a revision is the same for every target, as far as its text tells.

It is where nothing that it names can tell targets apart: neither the database, nor the process, its
environment and arguments, nor the clock, chance, or files. What is not known to be so is not.
"""

import ast
import importlib
from types import ModuleType
from typing import Any

from sqlalchemy import MetaData
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATIONS = _words(
    "add_column alter_column bulk_insert create_check_constraint create_exclude_constraint "
    "create_foreign_key create_index create_primary_key create_table create_table_comment "
    "create_unique_constraint drop_column drop_constraint drop_index drop_table "
    "drop_table_comment execute f inline_literal rename_table"
)
"""Operations of Alembic that send what their arguments say, and ask nothing."""

_BUILTINS = _words(
    "None True False NotImplementedError ValueError RuntimeError AssertionError Exception "
    "abs all any bool bytes dict enumerate filter float frozenset int isinstance len list "
    "map max min range reversed round set sorted str sum tuple zip"
)
_MODULES = frozenset({"sqlalchemy", "alembic.op", "textwrap", "typing", "collections.abc"})
_DATES = frozenset({"datetime", "decimal"})
_PLAIN_HOMES = frozenset({*_DATES, "_decimal", "builtins", "collections", "textwrap", "typing"})
_CLOCK = frozenset({"now", "today", "utcnow"})
_FUNCTIONS = _words(
    "and_ bindparam case cast column delete desc distinct exists extract false func insert "
    "literal literal_column not_ null or_ select table text true tuple_ type_coerce union "
    "union_all update values quoted_name array array_agg"
)
_KINDS = (TypeEngine, SchemaItem, MetaData, ClauseElement)
_REFUSED = (
    ast.AsyncFor,
    ast.AsyncFunctionDef,
    ast.AsyncWith,
    ast.Await,
    ast.ClassDef,
    ast.Delete,
    ast.Global,
    ast.Nonlocal,
    ast.Try,
    ast.TryStar,
    ast.Yield,
    ast.YieldFrom,
)


class _Impure(Exception):
    """Something that may be another thing for another target."""


def impurity_of(text: str) -> str | None:
    """Return why a revision may not be the same for every target; ``None`` where it is."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return "it can't be read"
    try:
        _Revision(tree).look()
    except _Impure as error:
        return str(error)
    return None


class _Revision:
    """The syntax tree of one revision file."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._imported: dict[str, Any] = {}
        """What imports bind: modules, classes, functions."""
        self._names: dict[str, str] = {}
        """What that is called where it comes from."""
        self._batches: set[str] = set()
        """What ``with op.batch_alter_table(…) as …`` binds."""
        self._known: set[str] = set()
        """What the file binds itself."""
        self._inner: set[ast.AST] = set()
        """Attributes of which one is taken in turn: they are looked at with that."""
        self._allowed: set[ast.AST] = set()
        """Names that stand where only an attribute of theirs is taken."""

    def look(self) -> None:
        """Raise ``_Impure``."""
        nodes = list(ast.walk(self._tree))
        for node in nodes:
            self._bind(node)
        if taken := {*self._imported, *self._batches} & self._known:
            raise _Impure(f"it gives another meaning to {min(taken)}")
        for node in nodes:
            self._look_at(node)
        for node in nodes:
            if isinstance(node, ast.Name) and node not in self._allowed:
                self._assert_value(node)

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Import():
                for alias in node.names:
                    self._import(alias.name, None, alias.asname)
            case ast.ImportFrom():
                for alias in node.names:
                    self._import(node.module or "", alias.name, alias.asname, node.level)
            case ast.With():
                self._batches.update(map(_batch, node.items))
            case ast.FunctionDef():
                self._known.add(node.name)
            case ast.arg():
                self._known.add(node.arg)
            case ast.Attribute(value=ast.Attribute() as inner):
                self._inner.add(inner)
            case ast.Name(ctx=ast.Store()):
                self._known.add(node.id)
        self._known -= self._batches

    def _import(self, module: str, name: str | None, alias: str | None, level: int = 0) -> None:
        whole = module if name is None else f"{module}.{name}"
        if module == "__future__":
            return
        if level or name == "*" or not (_is_allowed(module) or _is_allowed(whole)):
            raise _Impure(f"it imports {whole}")
        bound = alias or (module.partition(".")[0] if name is None else name)
        if alias is None and name is None and not _is_allowed(bound):
            raise _Impure(f"it imports {whole}")
        self._names[bound] = name or bound
        self._imported[bound] = _found(module, name) if alias or name else _found(bound, None)

    def _look_at(self, node: ast.AST) -> None:
        if isinstance(node, _REFUSED):
            raise _Impure(f"it has {type(node).__name__.lower()}")
        if isinstance(node, ast.keyword) and node.arg in {"execution_options", "autoload_with"}:
            raise _Impure(f"it says {node.arg}")
        if isinstance(node, ast.Attribute) and node not in self._inner:
            self._look_at_attribute(node)

    def _look_at_attribute(self, node: ast.Attribute) -> None:
        root, names = _chain(node)
        if any(name.startswith("_") for name in names) or not isinstance(node.ctx, ast.Load):
            raise _Impure(f"it takes {node.attr}")
        if not isinstance(root, ast.Name) or root.id not in {*self._imported, *self._batches}:
            if node.attr in _CLOCK:
                raise _Impure(f"it may ask the clock: {node.attr}")
            return
        self._allowed.add(root)
        if root.id in self._batches or _is_op(self._imported[root.id]):
            if names[0] not in OPERATIONS and not _opens_a_batch(names, root.id, self._batches):
                raise _Impure(f"it calls {root.id}.{names[0]}")
            return
        _assert_attributes_allowed(self._imported[root.id], self._names[root.id], names)

    def _assert_value(self, node: ast.Name) -> None:
        """Raise ``_Impure`` unless a name alone may be taken."""
        name = node.id
        if name in self._batches and isinstance(node.ctx, ast.Store):
            return
        if name in self._imported:
            _assert_allowed(self._imported[name], self._names[name])
        elif name in self._batches or (name not in self._known and name not in _BUILTINS):
            raise _Impure(f"it names {name}")


def _batch(item: ast.withitem) -> str:
    match item:
        case ast.withitem(
            context_expr=ast.Call(
                func=ast.Attribute(value=ast.Name(id="op"), attr="batch_alter_table")
            ),
            optional_vars=ast.Name(id=name),
        ):
            return name
    raise _Impure("it has with")


def _opens_a_batch(names: list[str], name: str, batches: set[str]) -> bool:
    return names == ["batch_alter_table"] and bool(batches) and name not in batches


def _chain(node: ast.Attribute) -> tuple[ast.expr, list[str]]:
    """Return what attributes are taken of, and their names, outermost last."""
    names: list[str] = []
    value: ast.expr = node
    while isinstance(value, ast.Attribute):
        names.append(value.attr)
        value = value.value
    return value, names[::-1]


def _is_allowed(module: str) -> bool:
    top = module.partition(".")[0]
    return module in _MODULES or module in _DATES or top == "sqlalchemy"


def _is_op(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__ == "alembic.op"


def _found(module: str, name: str | None) -> Any:
    try:
        found: Any = importlib.import_module(module)
        if name is None:
            return found
        return (
            getattr(found, name)
            if hasattr(found, name)
            else importlib.import_module(f"{module}.{name}")
        )
    except (ImportError, AttributeError):
        raise _Impure(f"it imports {module}") from None


def _assert_attributes_allowed(value: Any, last: str, names: list[str]) -> None:
    """Follow names from ``last`` into modules, as far as they are some. Raises ``_Impure``."""
    for name in names:
        if name in _CLOCK and last != "func":
            raise _Impure(f"it may ask the clock: {name}")
        if isinstance(value, ModuleType):
            _assert_allowed_module(value)
            last = name
            try:
                value = getattr(value, name)
            except AttributeError:
                raise _Impure(f"it takes {name}") from None
    _assert_allowed(value, last)


def _assert_allowed_module(module: ModuleType) -> None:
    if not _is_allowed(module.__name__):
        raise _Impure(f"it takes the module {module.__name__} from another one")


def _assert_allowed(value: Any, name: str) -> None:
    """Raise ``_Impure`` unless something imported does the same with the same arguments."""
    if isinstance(value, ModuleType):
        raise _Impure(f"it takes the module {value.__name__} for a value")
    home = str(getattr(value, "__module__", None) or type(value).__module__)
    top = home.partition(".")[0]
    if top in _PLAIN_HOMES:
        return
    of_a_kind = isinstance(value, type) and issubclass(value, _KINDS)
    if top != "sqlalchemy" or not (of_a_kind or name in _FUNCTIONS):
        raise _Impure(f"it takes {name} of {home}")

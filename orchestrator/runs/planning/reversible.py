"""Whether a revision can be taken back, as far as its file tells."""

import ast


def is_reversible(text: bytes) -> bool | None:
    """Return whether a revision file's ``downgrade`` does something. Runs nothing.

    One that is missing, empty, or only raises does not, but where ``upgrade`` is empty as well: of
    a merge there is nothing to take back. ``None`` for what can't be told.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    functions = {node.name: node.body for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "downgrade" in functions:
        upgrades = functions.get("upgrade", [])
        return _does_something(functions["downgrade"]) or not _does_something(upgrades)
    # It may come from elsewhere: `from shop.revisions import downgrade`.
    return None if _has(tree, "downgrade") else False


def _does_something(body: list[ast.stmt]) -> bool:
    return not all(_is_nothing(statement) for statement in body)


def _is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Raise)


def _has(tree: ast.Module, name: str) -> bool:
    """Whether a module's own statements may give something this name."""
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in ast.walk(tree)
    ) or any(
        (alias.asname or alias.name) in {name, "*"}
        for node in tree.body
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    )

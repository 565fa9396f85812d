"""Revisions as their files spell them, for scripts that can't be imported."""

import ast
import re
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from orchestrator.rollout.outcomes import Revision

_KEYS = ("revision", "down_revision", "depends_on", "branch_labels")
_LINE = re.compile(rf"^({'|'.join(_KEYS)})\b[^=\n]*=(.*)$", re.MULTILINE)

Spelt = dict[str, Any]


def written_revisions(files: Iterable[Path]) -> tuple[Revision, ...]:
    """Return the revisions that are written out in some files, newest first. Runs none of them.

    Raises ``ValueError`` where none is, where one is computed, or where they go round in a circle.
    """
    found = {spelt["revision"]: (path, spelt) for path, spelt in _spelt(files)}
    labels = {label: id_ for id_, (_, spelt) in found.items() for label in spelt["branch_labels"]}
    needs = {
        id_: [labels.get(other, other) for other in (*spelt["down_revision"], *spelt["depends_on"])]
        for id_, (_, spelt) in found.items()
    }
    if not needs:
        raise ValueError("no revision is written out")
    downs = {other for _, spelt in found.values() for other in spelt["down_revision"]}
    ordered = [id_ for id_ in TopologicalSorter(needs).static_order() if id_ in found]
    return tuple(_revision(*found[id_], labels, id_ not in downs) for id_ in reversed(ordered))


def _spelt(files: Iterable[Path]) -> Iterator[tuple[Path, Spelt]]:
    for path in sorted(files):
        text = path.read_text(encoding="utf-8", errors="replace")
        values = dict(_assigned(text))
        if "revision" in values and not isinstance(values["revision"], str):
            raise ValueError(f"{path} computes its revision")
        if "revision" in values:
            spelt = {key: _several(values.get(key)) for key in _KEYS[1:]}
            yield path, {"revision": values["revision"], "message": _message(text), **spelt}


def _assigned(text: str) -> Iterator[tuple[str, Any]]:
    """Yield what is set to a literal: by its syntax, or line by line where that is wrong."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        yield from ((name, _literal(value.strip())) for name, value in _LINE.findall(text))
        return
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and target.id in _KEYS and value is not None:
                yield target.id, _literal(value)


def _literal(value: ast.expr | str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError):
        return None


def _several(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _message(text: str) -> str:
    try:
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    except (SyntaxError, ValueError):
        return ""


def _revision(path: Path, spelt: Spelt, labels: dict[str, str], is_head: bool) -> Revision:
    return Revision(
        id=spelt["revision"],
        message=spelt["message"],
        down=spelt["down_revision"],
        branch_labels=spelt["branch_labels"],
        is_head=is_head,
        path=str(path),
        depends_on=tuple(labels.get(other, other) for other in spelt["depends_on"]),
    )

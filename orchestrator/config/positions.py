"""Find the place of a key or value in TOML text, in lines and columns as editors count them."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from orchestrator.config.problems import Path

_KEYS = {"bare_key", "quoted_key"}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line. Lines and columns start at 1 and count characters."""

    line: int
    column: int
    width: int


@dataclass(frozen=True, slots=True)
class _Place:
    key: Node
    value: Node


class Positions:
    """Where everything in a valid TOML document is.

    A path that the document does not have is found at its nearest parent that exists, so that
    a missing key is reported at the table where it should be.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.encode("utf-8", "surrogatepass").split(b"\n")
        self._places: dict[Path, _Place] = {}
        self._lengths: dict[Path, int] = {}
        parser = Parser(Language(tree_sitter_toml.language()))
        self._document(parser.parse(b"\n".join(self._lines)).root_node)

    def find(self, path: Path, *, on_key: bool = False) -> Span:
        """Return the span of the value at ``path``, or of its key; of a table, its header's key."""
        place = self._places.get(path)
        while place is None and path:
            path, on_key = path[:-1], True
            place = self._places.get(path)
        if place is None:
            return Span(1, 1, 1)
        return self._span(place.key if on_key else place.value)

    def _span(self, node: Node) -> Span:
        row, start = node.start_point
        line = self._lines[row]
        end = node.end_point.column if node.end_point.row == row else len(line.rstrip())
        return Span(row + 1, _characters(line[:start]) + 1, max(_characters(line[start:end]), 1))

    def _document(self, root: Node) -> None:
        for node in root.named_children:
            if node.type == "pair":
                self._pair((), node)
            elif node.type in {"table", "table_array_element"}:
                self._table(node)

    def _table(self, node: Node) -> None:
        path: Path = ()
        keys = list(_keys(node.named_children[0])) if node.named_children else []
        for number, key in enumerate(keys, start=1):
            path = (*path, _name(key))
            last = number == len(keys)
            if last and node.type == "table_array_element":
                self._lengths[path] = self._lengths.get(path, 0) + 1
            # A table may be mentioned before its own header comes; its header is the better place.
            if last and path not in self._lengths:
                self._places[path] = _Place(key, key)
            self._places.setdefault(path, _Place(key, key))
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self._places.setdefault(path, _Place(key, key))
        for child in node.named_children[1:]:
            if child.type == "pair":
                self._pair(path, child)

    def _pair(self, path: Path, node: Node) -> None:
        if len(node.named_children) < 2:
            return
        *_, value = (child for child in node.named_children if child.type != "comment")
        for key in _keys(node.named_children[0]):
            path = (*path, _name(key))
            self._places.setdefault(path, _Place(key, key))
        self._places[path] = _Place(key, value)
        self._inside(path, value)

    def _inside(self, path: Path, node: Node) -> None:
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type == "inline_table":
            for child in children:
                self._pair(path, child)
        elif node.type == "array":
            for index, child in enumerate(children):
                self._places[*path, index] = _Place(child, child)
                self._inside((*path, index), child)


def _keys(node: Node) -> Iterator[Node]:
    if node.type in _KEYS:
        yield node
    elif node.type == "dotted_key":
        for child in node.named_children:
            yield from _keys(child)


def _name(key: Node) -> str:
    text = (key.text or b"").decode("utf-8", "surrogatepass")
    return text if key.type == "bare_key" else next(iter(tomllib.loads(f"{text} = 0")))


def _characters(encoded: bytes) -> int:
    return len(encoded.decode("utf-8", "replace"))

"""What commands print, as a comment of a pull request: Markdown as GitHub reads it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.render.console import plain
from orchestrator.render.groups import Block
from orchestrator.render.markdown_text import fence, html, inline
from orchestrator.render.table import Columns
from orchestrator.render.text import count

LIMIT = 64_000
"""In bytes of UTF-8. GitHub takes 65,536 characters, and a comment may have a line to add."""
_ROWS = 50
_LINES = 60
_LINE = 500
_WIDTH = 100
"""Of what is folded away: GitHub shows about so much without a bar to scroll."""


def page(command: str, report: Group, last: int = 1) -> str:
    """Return a report as a page that a comment can hold.

    ``last``: how many sections of its end are the sum of it. It ends where a terminal's reader
    looks first, and so they come first here. The worst is last as well, and so it is the first of
    what is left out where not all fits.
    """
    sections = [part for part in report.renderables if not _is_blank(part)]
    at = max(len(sections) - last, 0)
    head = [
        f"### orchestrator {command}",
        *(_written(one, _open) for one in _leaves(sections[at:])),
    ]
    return _fitting(head, list(_leaves(sections[:at])))


def error(message: str) -> str:
    """Return what stands in place of an answer where a command could not give one."""
    lines = [_cut(line) for line in message.splitlines()]
    return _fitting(["### orchestrator: no answer", fence("\n".join(lines[:_LINES]))], [])


def _fitting(head: Sequence[str], leaves: Sequence[RenderableType]) -> str:
    """Return parts below a head, from the last on as many as fit, in their order."""
    left = LIMIT - sum(map(_size, head)) - _size(_LEFT_OUT.format("1,000,000 parts"))
    kept: list[str] = []
    for leaf in reversed(leaves):
        if left < _LEAST:  # and what is not shown is not written: of thousands it takes seconds
            break
        part = _written(leaf, _folded)
        if _size(part) <= left:
            left -= _size(part)
            kept.append(part)
    hidden = len(leaves) - len(kept)
    more = [_LEFT_OUT.format(count(hidden, "part"))] if hidden else []
    return "\n\n".join([*head, *reversed(kept), *more]) + "\n"


_LEFT_OUT = "**and {} more**, which a comment can't hold; `-o json` lists all"
_LEAST = 40
"""Fewer bytes hold no part."""


def _size(part: str) -> int:
    return len(part.encode()) + 2


def _leaves(sections: Iterable[RenderableType]) -> Iterator[RenderableType]:
    """Yield what is written as one: texts, tables, blocks."""
    for section in sections:
        if isinstance(section, Group) and not isinstance(section, Block):
            yield from _leaves(section.renderables)
        elif not _is_blank(section):
            yield section


def _written(leaf: RenderableType, block: Callable[[Block], str]) -> str:
    if isinstance(leaf, Block):
        return block(leaf)
    if isinstance(leaf, Columns):
        return "\n\n".join(_table(leaf))
    if isinstance(leaf, Text):
        lines = [line for line in leaf.plain.splitlines() if line.strip()]
        return "\n\n".join(inline(_cut(line)) for line in lines)
    return fence(plain(leaf, _WIDTH))


def _is_blank(part: RenderableType) -> bool:
    if isinstance(part, Columns):
        return not part.rows
    return isinstance(part, Text) and not part.plain.strip()


def _folded(block: Block) -> str:
    if not block.body:
        return inline(_cut(block.title.plain))
    summary = f"<details><summary>{inline(_cut(block.title.plain), html)}</summary>"
    return f"{summary}\n\n{_body(block)}\n\n</details>"


def _open(block: Block) -> str:
    return "\n\n".join([inline(_cut(block.title.plain)), *([_body(block)] if block.body else [])])


def _body(block: Block) -> str:
    lines = plain(Group(*block.body), _WIDTH).splitlines()
    hidden = len(lines) - _LINES
    more = [f"and {count(hidden, 'more line')} (-o json lists all)"] if hidden > 0 else []
    return fence("\n".join([*lines[:_LINES], *more]))


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"


def _table(columns: Columns) -> Iterator[str]:
    rows = [[inline(_cut(cell.plain)) for cell in row] for row in columns.rows]
    heading = [inline(name) if columns.headed else "" for name in columns.header]
    lines = [_row(heading), _row(["---"] * len(heading)), *map(_row, rows[:_ROWS])]
    if rows:
        yield "\n".join(lines)
    if (hidden := len(rows) - _ROWS) > 0:
        yield f"and {count(hidden, 'more row')}; `-o json` lists all"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

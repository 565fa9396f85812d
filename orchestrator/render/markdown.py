"""What commands print, as a comment of a pull request: Markdown as GitHub reads it."""

from collections.abc import Iterator, Sequence

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
    head = [f"### orchestrator {command}", *_parts(sections[at:], folded=False)]
    return _fitting(head, list(_parts(sections[:at], folded=True)))


def error(message: str) -> str:
    """Return what stands in place of an answer where a command could not give one."""
    return _fitting(
        ["### orchestrator: no answer"],
        [fence("\n".join(map(_cut, message.splitlines()[:_LINES])))],
    )


def _fitting(head: Sequence[str], parts: Sequence[str]) -> str:
    """Return parts below a head, from the last on as many as fit, in their order."""
    left = LIMIT - sum(map(_size, head)) - _size(_LEFT_OUT.format("10,000 parts"))
    kept: set[int] = set()
    for at in range(len(parts) - 1, -1, -1):
        if _size(parts[at]) <= left:
            left -= _size(parts[at])
            kept.add(at)
    shown = [part for at, part in enumerate(parts) if at in kept]
    if hidden := len(parts) - len(shown):
        shown.append(_LEFT_OUT.format(count(hidden, "part")))
    return "\n\n".join([*head, *shown]) + "\n"


_LEFT_OUT = "**and {} more**, which a comment can't hold; `-o json` lists all"


def _size(part: str) -> int:
    return len(part.encode()) + 2


def _parts(sections: Sequence[RenderableType], *, folded: bool) -> Iterator[str]:
    for section in sections:
        if isinstance(section, Block):
            yield _folded(section) if folded else _open(section)
        elif isinstance(section, Columns):
            yield from _table(section)
        elif isinstance(section, Text):
            yield from (inline(_cut(line)) for line in section.plain.splitlines() if line.strip())
        elif isinstance(section, Group):
            inner = [part for part in section.renderables if not _is_blank(part)]
            yield from _parts(inner, folded=folded)
        else:
            yield fence(plain(section, _WIDTH))


def _is_blank(part: RenderableType) -> bool:
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

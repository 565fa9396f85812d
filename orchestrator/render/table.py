"""Columns that fit the terminal, and stay whole where there is none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

T = TypeVar("T")
_GAP = 2


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows under a header, aligned.

    Too wide for the terminal, it leaves out the column ``dispensable`` and folds the others; the
    first is never folded. Not ``headed``, the header only counts the columns.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Text]]
    dispensable: int | None = None
    headed: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.width <= options.max_width:
            yield from self._lines()
        elif self.dispensable is not None:
            yield _without(self, self.dispensable)
        else:
            yield self._folded()

    @property
    def width(self) -> int:
        """What it needs to show everything on one line for each row."""
        return sum(self._widths()) + _GAP * (len(self.header) - 1)

    def _widths(self) -> list[int]:
        columns = zip(self._heading(), *self.rows, strict=True)
        return [max(cell.cell_len for cell in column) for column in columns]

    def _heading(self) -> list[Text]:
        return [Text(name if self.headed else "", style="bold") for name in self.header]

    def _lines(self) -> Iterator[Text]:
        # A rich Table of 10,000 targets takes seconds.
        widths = self._widths()
        for row in (*([self._heading()] if self.headed else []), *self.rows):
            line = Text(no_wrap=True)
            for cell, width in zip(row, widths, strict=True):
                line.append_text(cell).append(" " * (width - cell.cell_len + _GAP))
            line.rstrip()
            yield line

    def _folded(self) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_header=self.headed)
        for at, name in enumerate(self._heading()):
            table.add_column(name, overflow="fold", no_wrap=at == 0)
        for row in self.rows:
            table.add_row(*row)
        return table


def _without(columns: Columns, at: int) -> Columns:
    def rest(cells: Sequence[T]) -> list[T]:
        return [*cells[:at], *cells[at + 1 :]]

    rows = [rest(row) for row in columns.rows]
    return Columns(rest(columns.header), rows, headed=columns.headed)
